"""Follows one claim of a version into the world: a tree in a store, a commit, data, an image."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from modelspec.spec.environment import Level
from modelspec.spec.settings import StoreSettings
from modelspec.tree.digest import artifact_digest, sha256, short, stamp
from modelspec.tree.finding import Refusal
from modelspec.tree.paths import path_trouble
from modelspec.tree.protocols import PlacedFile, Progress
from modelspec.tree.text import visible
from modelspec.tree.uri import OTHER, store_uri_trouble
from modelspec.world.codetree import LIMIT, fetched, has_commit
from modelspec.world.files import tree_files
from modelspec.world.folders import said
from modelspec.world.git import Repository
from modelspec.world.objects import Objects
from modelspec.world.stores.folder import FolderStore
from modelspec.world.stores.opening import is_remote, open_store
from modelspec.world.stores.placed import placed_tree
from modelspec.world.stores.verified import Look, troubles

_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_IMAGE: Final = re.compile(r"([^/@]+)/([^@:]+)(?::[^@/]+)?@(sha256:[0-9a-f]{64})")
_ACCEPT: Final = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)


class Followed(NamedTuple):
    """How far a claim was followed: its level, what that rests on, and whether something is wrong."""

    level: Level
    note: str
    wrong: bool = False


@dataclass(frozen=True, slots=True)
class World:
    """Where claims are followed: the registry's root, its stores, clones (its own first), and whether to ask
    a network. `look` gives what sees the files of a tree in a folder."""

    root: Path
    stores: Mapping[str, StoreSettings]
    clones: tuple[Repository, ...]
    network: bool
    progress: Progress
    look: Callable[[Path], Look | None] = lambda _: None

    def address(self, where: str) -> str:
        """Return where a claim's place is now, on this machine: in another clone the store is another."""
        settings = self.stores.get(where)
        if settings is None:
            return where
        try:
            return f"{where} {open_store(self.root, where, settings).shown}"
        except (Refusal, OSError):
            # Reading it says why it can't be opened.
            return where

    def tree(self, store: str, digest: str) -> Followed:
        """Read a whole tree and compare every digest."""
        settings = self.stores.get(store)
        if settings is None:
            missing = f"the store {visible(store)} is not in modelspec.yaml" if store else "it names no store"
            return Followed("recorded", missing, wrong=True)
        try:
            opened = open_store(self.root, store, settings)
            if is_remote(opened) and not self.network:
                return Followed("recorded", f"in {opened.shown}, which was not asked (--network)")
            look = self.look(opened.root / stamp(digest)) if isinstance(opened, FolderStore) else None
            found = troubles(opened, digest, progress=self.progress, look=look, forks=not is_remote(opened))
        except Refusal as refusal:
            return Followed("recorded", refusal.message, wrong=True)
        except OSError as error:
            # A folder above the store's that is closed: it hides no other store.
            why = f"the store {visible(store)} can't be read: {said(error)}"
            return Followed("recorded", why, wrong=True)
        return _held(found, f"{short(digest)} in {opened.shown}")

    def placed(self, uri: str, digest: str, files: tuple[PlacedFile, ...]) -> Followed:
        """Read what was registered in place, and see that nothing newer lies over it."""
        if not self.network:
            return Followed("recorded", f"in place at {visible(uri, 200)}, which was not asked (--network)")
        try:
            found = troubles(placed_tree(uri, files), digest, progress=self.progress)
        except Refusal as refusal:
            return Followed("recorded", refusal.message, wrong=True)
        return _held(found, f"{short(digest)} in place at {visible(uri, 200)}")

    def commit(self, address: str, name: str) -> Followed:
        """Look a commit up in the clones, or where its repository is, when the network may be used."""
        commit, _, path = name.partition(":")
        if _COMMIT.fullmatch(commit) is None:
            return Followed("recorded", f"{visible(commit)} is not a whole commit id", wrong=True)
        there = None
        for clone in self.clones:
            if has_commit(clone, commit):
                found = _committed(clone, commit, path, "a clone here")
                if found.level == "verified":
                    return found
                # A partial clone lacks files; another may have them.
                there = there or found
        if self.network and address:
            try:
                with fetched(address, commit) as clone:
                    return _committed(clone, commit, path, visible(address, 200))
            except Refusal as refusal:
                return there or Followed("recorded", refusal.message)
        if there is not None:
            return there
        if not self.clones:
            return Followed("recorded", "there is no clone here to look in (--code CLONE, or --network)")
        return Followed("recorded", f"{commit[:12]} is in no clone here (--code CLONE, or --network)")

    def data(self, uri: str, digest: str | None) -> Followed:
        """Hash a path of this repository; ask whether anything else is there when the network may be used."""
        if "://" not in uri:
            return self._local(uri, digest) if uri else Followed("recorded", "it has no address")
        if not self.network:
            return Followed("recorded", "its address was not asked (--network)")
        if store_uri_trouble(uri) is not None or uri.startswith(("oci://", "pvc://", OTHER)):
            return Followed("recorded", "nothing here reads its address")
        try:
            from modelspec.world.stores.url import url_store

            there = url_store(uri).reaches()
        except Refusal as refusal:
            return Followed("recorded", refusal.message)
        if there:
            return Followed("resolvable", "its address answers")
        return Followed("recorded", "it is gone", wrong=True)

    def image(self, name: str) -> Followed:
        """Read the image's manifest from its registry and hash it, when the network may be used."""
        match = _IMAGE.fullmatch(name)
        if match is None:
            return Followed("recorded", "an image without digest or registry" if name else "no image")
        if not self.network:
            return Followed("recorded", "its registry was not asked (--network)")
        from modelspec.world.stores.oci_http import RegistryHttp

        host, repository, digest = match.groups()
        try:
            data = RegistryHttp(host, repository).manifest(digest, _ACCEPT)
        except Refusal as refusal:
            return Followed("recorded", refusal.message)
        if data is None:
            return Followed("recorded", f"{visible(host)} does not have it", wrong=True)
        if sha256(data) != digest:
            return Followed(
                "resolvable", f"{visible(host)} gives another manifest than {short(digest)}", wrong=True
            )
        return Followed("verified", f"{short(digest)} at {visible(host)}")

    def _local(self, path: str, digest: str | None) -> Followed:
        if path_trouble(path) is not None:
            return Followed("recorded", "its path leads out of this repository", wrong=True)
        place = self.root / path
        try:
            # Beneath the root, also when a folder on the way is a link.
            if not place.exists() or not place.resolve().is_relative_to(self.root.resolve()):
                return Followed("recorded", f"{visible(path)} is not here")
            if digest is None:
                return Followed("resolvable", f"{visible(path)}, without a digest")
            files = tree_files(place, self.progress)
        except Refusal as refusal:
            return Followed("resolvable", refusal.message, wrong=True)
        except OSError as error:
            return Followed("recorded", f"{visible(path)} can't be read: {said(error)}", wrong=True)
        tree = artifact_digest((file.path, file.digest) for file in files)
        single = files[0].digest if len(files) == 1 and place.is_file() else None
        if digest not in (tree, single):
            return Followed(
                "resolvable", f"{visible(path)} has {short(single or tree)}, not {short(digest)}", wrong=True
            )
        return Followed("verified", f"{short(digest)} at {visible(path)}")


def _held(wrong: list[str], where: str) -> Followed:
    """Return what became of a tree whose every byte was read: the first three things that are wrong."""
    if not wrong:
        return Followed("verified", where)
    more = f" (and {len(wrong) - 3} more)" if len(wrong) > 3 else ""
    return Followed("recorded", "; ".join(wrong[:3]) + more, wrong=True)


def _committed(clone: Repository, commit: str, path: str, where: str) -> Followed:
    """See that a commit that is there can be read, and has the file."""
    if path:
        if path_trouble(path) is not None:
            return Followed("resolvable", f"{visible(path)} is no path", wrong=True)
        if (found := _file_at(clone, commit, path)) is not None:
            return found
    # git compares an object with its id when it reads it, and this reads the commit.
    if clone.run("rev-list", "--max-count=1", "--end-of-options", commit).code != 0:
        return Followed("resolvable", f"{commit[:12]} can't be read", wrong=True)
    return Followed("verified", f"{commit[:12]} in {where}")


def _file_at(clone: Repository, commit: str, path: str) -> Followed | None:
    """Say why a file of a commit is not what it was; None when it is, byte for byte."""
    shown = f"{visible(path)} is not in {commit[:12]}"
    lacking = Followed("resolvable", f"{visible(path)} of {commit[:12]} is not here: the clone is partial")
    found = clone.run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}:{path}")
    if found.code != 0:
        has_tree = clone.run("cat-file", "-e", f"{commit}^{{tree}}").code == 0
        return Followed("resolvable", shown, wrong=True) if has_tree else lacking
    identity = found.out.decode().strip()
    kind = clone.run("cat-file", "-t", identity)
    if kind.code != 0:
        return lacking
    if kind.out.strip() != b"blob":
        return None
    objects = Objects(clone)
    try:
        # git itself compares no file with its id when it reads one.
        objects.read(identity, "blob", LIMIT)
    except Refusal as refusal:
        return Followed("resolvable", f"{visible(path)}: {refusal.message}", wrong=True)
    finally:
        objects.close()
    return None
