"""A folder that is put together of parts beside its place, and gets its name when it is whole."""

from __future__ import annotations

import errno
import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from modelspec.tree.finding import Refusal
from modelspec.tree.protocols import Progress, SourceFile, Store, StoredFile
from modelspec.tree.text import visible
from modelspec.world import durable
from modelspec.world.folders import discard, entered, opened, parts_of
from modelspec.world.stores.fetch import fetch_tree, is_empty, nameless, standing
from modelspec.world.stores.stage import TREE, Unwritable, refusing, staged

_TAKEN = (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR)


class Assembly:
    """The folder while it is put together. A part that can't be had leaves nothing of itself."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def tree(self, store: Store, digest: str, name: str, progress: Progress) -> tuple[StoredFile, ...]:
        """Write a tree of a store, each byte verified; raises Refusal when it is not there or is damaged.

        Raises OSError when it can't be written: that is no fault of the tree.
        """
        try:
            return fetch_tree(store, digest, self.folder / name, progress).files
        except Unwritable as failed:
            raise failed.error from None

    def files(
        self, name: str, sources: Sequence[SourceFile], executable: Collection[str] = ()
    ) -> tuple[StoredFile, ...]:
        """Write files below a new folder and return what was written; raises Refusal, as its sources do."""
        with opened(self.folder) as above, staged(above) as stage:
            written = stage.write(sources, lambda _: None)
            for file in written:
                flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
                descriptor = os.open(f"{TREE}/{file.path}", flags, dir_fd=stage.descriptor)
                try:
                    os.fchmod(descriptor, 0o755 if file.path in executable else 0o644)
                finally:
                    os.close(descriptor)
            stage.flush()
            os.rename(TREE, name, src_dir_fd=stage.descriptor, dst_dir_fd=above)
        return written

    def forget(self, name: str) -> None:
        """Remove a folder again that turned out to be something else."""
        with opened(self.folder) as above:
            discard(above, name)

    def file(self, path: str, data: bytes) -> None:
        """Write one file, with the folders above it."""
        *folders, name = parts_of(path)
        with opened(self.folder) as top:
            for depth in range(len(folders)):
                with entered(top, folders[:depth]) as above:
                    try:
                        os.mkdir(folders[depth], 0o755, dir_fd=above)
                    except FileExistsError:
                        continue
                    durable.flush(above)
            with entered(top, folders) as folder:
                durable.create(folder, name, data)
                durable.flush(folder)


@contextmanager
def assembled(target: Path) -> Iterator[Assembly]:
    """Open a new folder; after the block it is `target`, which is complete as soon as it exists.

    Raises Refusal for a target that exists and is no empty folder. After an error, or a kill, there is none;
    what a kill leaves is removed by the next run beside it.
    """
    shown = visible(str(target), 200)
    taken = Refusal(f"{shown} exists already", "name a folder that does not exist yet")
    nameless(target)
    if os.path.lexists(target) and not is_empty(target):
        raise taken
    standing(target)
    parent = target.absolute().parent
    with refusing(shown):
        parent.mkdir(parents=True, exist_ok=True)
    with opened(parent) as above, refusing(shown), staged(above) as stage:
        os.mkdir(TREE, 0o755, dir_fd=stage.descriptor)
        yield Assembly(parent / stage.name / TREE)
        with entered(stage.descriptor, (TREE,)) as tree:
            durable.flush(tree)
        try:
            # An empty folder is replaced; nothing else is.
            os.rename(TREE, target.absolute().name, src_dir_fd=stage.descriptor, dst_dir_fd=above)
        except OSError as error:
            if error.errno in _TAKEN:
                raise taken from None
            raise
        durable.flush(above)
