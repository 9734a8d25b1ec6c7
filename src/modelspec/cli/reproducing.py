"""Collects the parts of a version into a new folder, and notes how exact each of them is."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from modelspec.api import reproduce
from modelspec.api.claims import Part, claims_of
from modelspec.api.reproduce import CHECK, INSTALL, Piece, Reproduced
from modelspec.cli.detecting import detect_each
from modelspec.cli.progress import progress_of
from modelspec.cli.source import Source, renderer, trusted
from modelspec.formats.artifact import Detected, model_of
from modelspec.spec.model import ModelVersion
from modelspec.spec.reader import Entry
from modelspec.spec.registry import Registry
from modelspec.tree.digest import artifact_digest, short
from modelspec.tree.finding import Refusal
from modelspec.tree.paths import path_trouble
from modelspec.tree.protocols import Progress, Store
from modelspec.tree.text import plural, visible
from modelspec.world.assembly import Assembly, assembled
from modelspec.world.foreign import foreign
from modelspec.world.git import NoRepository, Repository

_LOCK_LIMIT: Final = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Declared:
    """A version in the registry that declared it, and the registry of today, which knows the stores."""

    source: Source
    registry: Registry
    entry: Entry[ModelVersion]
    environment: str | None
    at: str | None = None
    commit: str | None = None


@dataclass(frozen=True, slots=True)
class Given:
    """Where else to look: clones that may have the code, paths that may be the data, and the network."""

    clones: tuple[Path, ...] = ()
    data: tuple[Path, ...] = ()
    network: bool = False


def written(declared: Declared, target: Path, given: Given) -> Reproduced:
    """Write the folder of a version and return what it holds; raises Refusal when it can't be written."""
    with assembled(target) as assembly:
        return collected(declared, assembly, given)


def collected(declared: Declared, assembly: Assembly, given: Given) -> Reproduced:
    """Write the parts of a version into a folder that is put together, and return what it holds of them."""
    artifact = declared.entry.value.artifact
    total = sum(file.size for file in artifact.files) if artifact is not None else None
    with progress_of("fetching", total) as progress:
        return _Collection(declared, assembly, given, progress).collect()


class _Collection:
    """One run: the parts are written one after the other; what can't be had leaves a note and no file."""

    def __init__(self, declared: Declared, assembly: Assembly, given: Given, progress: Progress) -> None:
        self.declared = declared
        self.version = declared.entry.value
        self.assembly = assembly
        self.given = given
        self.progress = progress

    def collect(self) -> Reproduced:
        entry, version, assembly = self.declared.entry, self.version, self.assembly
        claims = claims_of(self.declared.registry, version.model, version.version)
        parts = claims.parts if claims is not None else ()
        pieces = [*reproduce.lost(entry), *(self._part(part) for part in parts)]
        assembly.file("version.yaml", entry.document.source)
        found, files = reproduce.schemas(self.declared.registry, entry)
        pieces += found
        pieces, hashed = self._lock(pieces)
        configured = reproduce.config(entry)
        if configured is not None:
            pieces.append(configured[0])
            if configured[0].path is not None:
                files[configured[0].path] = configured[1]
        with renderer() as child:
            found, outputs = reproduce.compiled(
                self.declared.registry, entry, renderer=child, trusted=trusted(),
                environment=self.declared.environment,
            )  # fmt: skip
        pieces += found
        for path, data in sorted({**files, **outputs}.items()):
            assembly.file(path, data)
        golden = reproduce.golden_of(version, pieces, self._model)
        script = None if isinstance(golden, str) else golden
        if script is not None:
            assembly.file(CHECK, _script())
        coded = reproduce.is_here(pieces, "code", "commit")
        if reproduce.is_here(pieces, "artifact", "artifact"):
            container = reproduce.containerfile(version, hashed=hashed, code=coded, golden=script)
            if container is not None:
                assembly.file("Containerfile", container)
        done = Reproduced(
            version.model, version.version, entry.digest, self.declared.environment, self.declared.at,
            self.declared.commit, reproduce.ordered(pieces), reproduce.dataset_data(version.dataset), script,
            golden if isinstance(golden, str) else "", hashed,
            version.runtime.python if version.runtime is not None else None,
        )  # fmt: skip
        assembly.file("reproduce.json", (json.dumps(reproduce.document(done), indent=2) + "\n").encode())
        return done

    def _model(self, form: str) -> tuple[str, Detected] | None:
        """Return which file of the artifact that was written here is the model, and what its bytes say."""
        artifact, folder = self.version.artifact, self.assembly.folder / "artifact"
        paths = [file.path for file in artifact.files] if artifact is not None else []
        try:
            found = detect_each({path: partial(foreign, folder / path) for path in paths}, shared=False)
        except Refusal:
            return None
        return model_of(found, form)

    def _part(self, part: Part) -> Piece:
        claim = part.claim
        try:
            if claim.kind == "tree":
                return self._tree(part)
            if claim.kind == "placed":
                return self._placed(part)
            if claim.kind == "commit":
                return self._code(part)
            if claim.kind == "data":
                return self._data(part)
        except Refusal as refusal:
            return Piece(part.component, part.what, "missing", refusal.message)
        return reproduce.image_piece(claim.name)

    def _tree(self, part: Part) -> Piece:
        from modelspec.world.stores.opening import is_remote, open_store, stores_of

        claim = part.claim
        stores = stores_of(self.declared.registry, self.declared.source.registry)
        if claim.where not in stores:
            raise Refusal(
                f"the store {visible(claim.where)} is not in modelspec.yaml"
                if claim.where
                else "it names no store"
            )
        store = open_store(self.declared.source.root, claim.where, stores[claim.where])
        if is_remote(store) and not self.given.network:
            raise Refusal(f"in {store.shown}, which was not asked (--network)")
        return self._written(part, store)

    def _placed(self, part: Part) -> Piece:
        from modelspec.world.stores.placed import placed_tree

        store = placed_tree(part.claim.where, part.claim.files)
        if not self.given.network:
            raise Refusal(f"in place at {store.shown}, which was not asked (--network)")
        return self._written(part, store)

    def _written(self, part: Part, store: Store) -> Piece:
        claim, name = part.claim, part.what
        files = self.assembly.tree(store, claim.digest or "", name, self.progress)
        size = sum(file.size for file in files)
        note = f"{plural(len(files), 'file')}, {size:,} bytes, {short(claim.digest or '')}"
        return Piece(part.component, part.what, "exact", note, name)

    def _code(self, part: Part) -> Piece:
        from modelspec.world.codetree import clone_at, fetched, has_commit

        commit = part.claim.name.partition(":")[0]
        failed: Refusal | None = None
        for clone in (None, *self.given.clones):
            try:
                with clone_at(clone or self.declared.source.root) as repository:
                    if has_commit(repository, commit):
                        return self._code_of(part, repository, commit, "from a clone here")
            except Refusal as refusal:
                # The registry need not be a clone; what was named is to be one. A partial clone has commits
                # without their files: another may have all.
                if clone is not None or not isinstance(refusal, NoRepository):
                    failed = refusal
        if self.given.network and part.claim.where:
            with fetched(part.claim.where, commit) as repository:
                return self._code_of(part, repository, commit, "fetched from its repository")
        how = " (--code CLONE, or --network)" if part.claim.where else " (--code CLONE)"
        why = failed.message if failed is not None else f"{visible(commit[:12])} is in no clone here"
        raise Refusal(f"{why}{how}")

    def _code_of(self, part: Part, repository: Repository, commit: str, where: str) -> Piece:
        from modelspec.world.codetree import code_at

        with code_at(repository, commit) as tree:
            if not tree.files:
                raise Refusal(f"{commit[:12]} holds no file that can be written")
            self.assembly.files("code", tree.files, tree.executable)
            note = f"{plural(len(tree.files), 'file')} at {commit[:12]}, {where}"
            if tree.left_out:
                note += f"; {plural(len(tree.left_out), 'path')} left out"
            state = reproduce.code_state(bool(tree.left_out))
            return Piece(part.component, part.what, state, note, "code", tree.left_out)

    def _data(self, part: Part) -> Piece:
        """Copy data that is here and has its digest; else it stays a pointer."""
        from modelspec.world.files import local_tree

        claim = part.claim
        if claim.digest is None:
            return reproduce.data_piece(claim, "without a digest nothing here can be told to be it")
        why = "no data with its digest is here (--data PATH)"
        for place in self._places(claim.where):
            try:
                written = self.assembly.files("data", local_tree(place)) if os.path.lexists(place) else ()
            except Refusal as refusal:
                # Another place may have all of it.
                why = refusal.message
                continue
            tree = artifact_digest((file.path, file.digest) for file in written)
            if written and claim.digest in (tree, written[0].digest if len(written) == 1 else None):
                note = f"{plural(len(written), 'file')}, {short(claim.digest)}"
                return Piece(part.component, part.what, "exact", note, "data")
            if written:
                self.assembly.forget("data")
        return reproduce.data_piece(claim, why)

    def _places(self, uri: str) -> list[Path]:
        """Return where the data may be: a path of the repository, beneath its root, and what was given."""
        from modelspec.world.folders import real

        root = self.declared.source.root
        place = root / uri
        own = uri and "://" not in uri and path_trouble(uri) is None
        beneath = own and real(place).is_relative_to(real(root))
        return [*([place] if beneath else []), *self.given.data]

    def _lock(self, pieces: list[Piece]) -> tuple[list[Piece], bool | None]:
        """Write what pip installs of the lock, and say of the lock whether it names bytes."""
        from modelspec.formats.foreign import Unreadable
        from modelspec.formats.install import installable

        lock = next((one for one in pieces if one.what == "lock" and one.state == "exact"), None)
        if lock is None:
            return pieces, None
        [file, *more] = sorted((self.assembly.folder / "lock").rglob("*"))
        try:
            if more or not file.is_file() or file.stat().st_size > _LOCK_LIMIT:
                raise Unreadable("the tree of the lock is not one file", None)
            runtime = self.version.runtime
            made = installable(file.read_bytes(), runtime.python if runtime is not None else None)
        except Unreadable as error:
            told = replace(lock, note=f"{lock.note}; not for pip: {visible(error.message, 200)}")
            return [told if one is lock else one for one in pieces], None
        self.assembly.file(INSTALL, made.requirements)
        told = reproduce.lock_piece(lock, made.hashed, f"{lock.note}; {INSTALL} is {made.note}")
        return [told if one is lock else one for one in pieces], made.hashed


def _script() -> bytes:
    from importlib.resources import files

    return files("modelspec.runtimes").joinpath("check_golden.py").read_bytes()
