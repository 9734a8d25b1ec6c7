"""Materialises a tree: verified while it streams, and at its name only when it is whole."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from modelspec.tree.digest import artifact_digest, short
from modelspec.tree.finding import Refusal
from modelspec.tree.protocols import Chunk, Progress, Store, StoredFile
from modelspec.tree.text import visible
from modelspec.world import durable
from modelspec.world.files import tree_files, walked
from modelspec.world.folders import opened, said
from modelspec.world.stores.salvage import salvaged, staying
from modelspec.world.stores.stage import TREE, refusing, staged, sweep
from modelspec.world.stores.verified import compare, rows_of

_ELSEWHERE: Final = "name a folder that does not exist yet, or move this one away"


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a fetch left: the files, and whether they had been there already."""

    files: tuple[StoredFile, ...]
    already: bool


@dataclass(frozen=True, slots=True)
class _Held:
    """A file of a tree in a store, as a file on its way out; what writes it hashes it."""

    store: Store
    tree: str
    path: str
    start: int = 0

    def chunks(self) -> Iterator[Chunk]:
        return iter(self.store.open(self.tree, self.path, self.start))


def fetch_tree(
    store: Store,
    tree: str,
    target: Path,
    progress: Progress = lambda _: None,
    sizes: Mapping[str, int] | None = None,
    *,
    resumable: bool = False,
) -> Fetched:
    """Write a tree to `target`, which is complete as soon as it exists.

    What a fetch that ended early left beside it is gone on with: one that was killed, or was `resumable`. A
    target that holds the tree already is verified and left; one that holds anything else is refused, by its
    names and by `sizes`, where they are known, before a byte of it is read.
    """
    shown = visible(str(target), 200)
    nameless(target)
    if os.path.lexists(target) and not is_empty(target):
        _alike(store, tree, target, shown, sizes)
        files = _present(target, tree, shown, progress)
        # A run that was killed right after it was done left an empty stage beside it.
        with suppress(Refusal, OSError), opened(target.absolute().parent) as above:
            sweep(above)
        return Fetched(files, already=True)
    standing(target)
    rows = rows_of(store, tree)
    if rows is None:
        raise Refusal(f"{short(tree)} is not in {store.shown}", "put it there: `modelspec register`")
    with refusing(shown):
        target.absolute().parent.mkdir(parents=True, exist_ok=True)
    with opened(target.absolute().parent) as above, refusing(shown), staged(above, swept=False) as stage:
        declared = dict(rows)
        paths = [one.path for one in stage.begin([_Held(store, tree, path) for path in declared])]
        known: dict[str, StoredFile] = {}

        def take_over(left: int) -> None:
            lacking = {path: digest for path, digest in rows if path not in known}
            known.update(salvaged(stage, left, lacking, sizes or {}, progress))

        with staying(stage, target) if resumable else nullcontext():
            sweep(above, take_over)
            begun = {path: found.size for path, found in stage.begun.items()}
            lacking = [_Held(store, tree, path, begun.get(path, 0)) for path in paths if path not in known]
            came = {file.path: file for file in stage.fill(lacking, progress)}
            for path in [path for path in begun if came[path].digest != declared[path]]:
                stage.drop(path)
                came[path] = stage.fill([_Held(store, tree, path)], progress)[0]
            wrong = [path for path, file in came.items() if file.digest != declared[path]]
            for path in wrong:
                stage.drop(path)
            for path in wrong:
                compare(store, tree, path, declared[path], came[path].digest)
            known |= came
        written = tuple(known[path] for path in paths)
        stage.flush()
        try:
            # An empty folder is replaced; nothing else is.
            os.rename(TREE, target.absolute().name, src_dir_fd=stage.descriptor, dst_dir_fd=above)
        except OSError as error:
            if error.errno == errno.EBUSY:
                raise Refusal(
                    f"{shown} is where a volume is mounted: it can't be put in place at once",
                    f"name a folder in it, such as {shown}/model",
                ) from None
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                # Another fetch was faster; or what came is something else, which is refused.
                return Fetched(_present(target, tree, shown, lambda _: None), already=True)
            raise
        durable.flush(above)
    return Fetched(written, already=False)


def nameless(target: Path) -> None:
    """Raise Refusal for a target that ends in `..`: a folder is put in place by its name."""
    if target.name == "..":
        raise Refusal(f"{visible(str(target), 200)} ends in `..`", "name the folder itself")


def standing(target: Path) -> None:
    """Raise Refusal for the folder that this runs in: who stands in it would be left in one that is gone."""
    with suppress(OSError):
        if target.samefile("."):
            raise Refusal(
                f"{visible(str(target), 200)} is the folder that you are in, and is put in place anew",
                "run this from another one",
            )


def is_empty(target: Path) -> bool:
    """Whether this is a folder, no link to one, with nothing in it."""
    try:
        return not target.is_symlink() and target.is_dir() and not any(target.iterdir())
    except OSError:
        return False


def _alike(store: Store, tree: str, target: Path, shown: str, sizes: Mapping[str, int] | None) -> None:
    """Raise Refusal where the names in a folder, or their sizes, are not those of the tree."""
    if target.is_symlink() or not target.is_dir():
        return
    wanted: dict[str, int | None] = {} if sizes is None else dict(sizes)
    if sizes is None:
        # Without the store it is told by the bytes alone.
        with suppress(Refusal):
            wanted = {path: None for path, _ in rows_of(store, tree) or ()}
    other = Refusal(f"{shown} exists, and holds something else than {short(tree)}", _ELSEWHERE)
    there: dict[str, int] = {}
    try:
        for path, file in walked(target) if wanted else ():
            # At the first one: it may be a whole disk.
            if path not in wanted:
                raise other
            there[path] = file.lstat().st_size
    except OSError:
        raise other from None
    if there.keys() != wanted.keys() or any(size not in (None, there[path]) for path, size in wanted.items()):
        raise other


def _present(target: Path, tree: str, shown: str, progress: Progress) -> tuple[StoredFile, ...]:
    if target.is_symlink() or not target.is_dir():
        raise Refusal(f"{shown} exists, and is no folder", "name a folder that does not exist yet")
    try:
        files = tuple(tree_files(target, progress))
    except (Refusal, OSError) as error:
        why = error.message if isinstance(error, Refusal) else said(error)
        raise Refusal(f"{shown} exists, and is not {short(tree)}: {why}", _ELSEWHERE) from None
    if artifact_digest((file.path, file.digest) for file in files) != tree:
        raise Refusal(f"{shown} exists, and holds something else than {short(tree)}", _ELSEWHERE)
    return files
