"""A store in a folder: the default. Whole trees or nothing, after a kill and after a power cut as well."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Final

from modelspec.tree.digest import artifact_digest, is_digest, listing, stamp
from modelspec.tree.finding import Refusal
from modelspec.tree.listing import LIMIT
from modelspec.tree.paths import MAX_PARTS, path_trouble
from modelspec.tree.protocols import Chunk, Progress, SourceFile, StoredFile, StoredTree
from modelspec.tree.text import visible
from modelspec.world import durable
from modelspec.world.files import READ, LocalFile, skipping, whole
from modelspec.world.folders import discard, entered, opened, opened_file, said
from modelspec.world.lock import shared
from modelspec.world.stores.adopt import Adopted, KeptError
from modelspec.world.stores.links import held, link_equal
from modelspec.world.stores.names import REPAIR, SUFFIX, tree_name
from modelspec.world.stores.originals import Originals
from modelspec.world.stores.pointers import lfs_bytes
from modelspec.world.stores.stage import TREE, Stage, refusing, staged
from modelspec.world.stores.verified import troubles

_LISTED: Final = re.compile(r"sha256-([0-9a-f]{64})\.sha256sum")
_NEW: Final = "listing"


@dataclass(frozen=True, slots=True)
class FolderStore:
    """Trees at `<root>/sha256-<hex>/`, each with its listing `<root>/sha256-<hex>.sha256sum` beside it."""

    root: Path

    @property
    def shown(self) -> str:
        """The folder."""
        return visible(str(self.root), 200)

    def put(self, files: Iterable[SourceFile], progress: Progress = lambda _: None) -> StoredTree:
        """Copy the files in, hashing on the way; flushed when this returns."""
        with self.writing(), opened(self.root) as top, refusing(self.shown), staged(top) as stage:
            return self._keep(top, stage, stage.write(list(files), progress))

    def take(
        self, files: Sequence[LocalFile], progress: Progress = lambda _: None
    ) -> tuple[StoredTree, Originals | str]:
        """Take the files over without copying them, flushed when this returns, and return where they were.

        Those names are still there, and lead to bytes that nobody may write any more: `Originals.remove`.
        Where one of the files can't be taken over, all are copied, and why is returned in words.
        """
        try:
            with self.writing(), opened(self.root) as top, refusing(self.shown), staged(top) as stage:
                adopted = Adopted(stage)
                try:
                    adopted.fill(top, files, progress)
                    tree = self._keep(top, stage, adopted.written)
                except BaseException:
                    adopted.undo()
                    raise
        except KeptError as why:
            return self.put(files, progress), str(why)
        return tree, adopted.left()

    def holds(self, files: Iterable[StoredFile]) -> frozenset[str]:
        """Return the digests of those files whose bytes any tree has, which are hashed again."""
        if not self.root.is_dir():
            return frozenset()
        with opened(self.root) as top:
            return held(top, files, self._digests(top))

    def _keep(self, top: int, stage: Stage, written: tuple[StoredFile, ...]) -> StoredTree:
        """Give a staged tree its name, flushed."""
        rows = [(file.path, file.digest) for file in written]
        tree = StoredTree(artifact_digest(rows), written)
        link_equal(top, stage, written, self._digests(top))
        stage.flush()
        self._publish(top, stage, tree.digest, listing(rows))
        return tree

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Keep `gc` out while trees are put here and what refers to them is written; makes the folder."""
        with refusing(self.shown):
            self.root.mkdir(parents=True, exist_ok=True)
        with shared(self.root):
            yield

    def exists(self, digest: str) -> bool:
        """Whether the tree's listing is there."""
        return self.listing(digest) is not None

    def listing(self, digest: str) -> bytes | None:
        """Return the listing as it lies there."""
        try:
            with opened(self.root) as top:
                return self._listing(top, digest)
        except Refusal:
            if self.root.exists():
                raise
            return None

    def files(self, digest: str) -> Mapping[str, int]:
        """Return path and size of every file in the tree; what is no regular file has the size -1."""
        found: dict[str, int] = {}
        tree = tree_name(digest)
        with opened(self.root) as top:
            try:
                with entered(top, [tree], f"{self.root}/{tree}") as folder:
                    _walk(folder, "", found)
            except FileNotFoundError:
                return {}
            except OSError as error:
                raise Refusal(f"{self.shown} can't be read: {said(error)}") from None
        return found

    def open(self, digest: str, path: str, start: int = 0) -> Iterator[Chunk]:
        """Yield the bytes of one file; no link on the way is followed."""
        trouble = path_trouble(path)
        if trouble is not None:
            raise Refusal(f"the path {visible(path)} {trouble}")
        tree = tree_name(digest)
        try:
            with FileIO(opened_file(self.root, f"{tree}/{path}", READ)) as stream:
                found = os.fstat(stream.fileno())
                if not stat.S_ISREG(found.st_mode):
                    raise Refusal(f"{self._place(tree, path)} is not a regular file", REPAIR)
                pointed = lfs_bytes(self.root, stream, found.st_size)
                if pointed is None:
                    stream.seek(start)
                    yield from whole(stream, found.st_size)
                else:
                    yield from skipping(pointed, start)
        except FileNotFoundError:
            raise Refusal(f"{self._place(tree, path)} is missing", REPAIR) from None
        except OSError as error:
            what = "is a symbolic link" if error.errno == errno.ELOOP else f"can't be read: {said(error)}"
            raise Refusal(f"{self._place(tree, path)} {what}") from None

    def _place(self, tree: str, path: str) -> str:
        return f"{self.shown}/{tree}/{visible(path, 200)}"

    def trees(self) -> Iterator[str]:
        """Yield the digests of the trees, sorted."""
        if not self.root.is_dir():
            return
        with opened(self.root) as top:
            yield from self._digests(top)

    def unlisted(self) -> Iterator[str]:
        """Yield the digests of trees that a run which was killed gave a name, and no listing; sorted."""
        with os.scandir(self.root) as entries:
            folders = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
        digests = {name.replace("-", ":", 1) for name in folders}
        yield from sorted(filter(is_digest, digests.difference(self.trees())))

    def delete(self, digest: str) -> None:
        """Remove a tree: its listing first, so that it does not exist any more."""
        with opened(self.root) as top, refusing(self.shown):
            with suppress(FileNotFoundError):
                os.unlink(tree_name(digest) + SUFFIX, dir_fd=top)
            durable.flush(top)
            discard(top, stamp(digest))
            durable.flush(top)

    def _digests(self, top: int) -> list[str]:
        with os.scandir(top) as entries:
            matches = [_LISTED.fullmatch(entry.name) for entry in entries]
        return sorted(f"sha256:{match[1]}" for match in matches if match is not None)

    def _listing(self, top: int, digest: str) -> bytes | None:
        name = tree_name(digest) + SUFFIX
        try:
            with os.fdopen(os.open(name, READ, dir_fd=top), "rb") as stream:
                if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                    raise Refusal(f"{self.shown}/{name} is not a regular file", REPAIR)
                return stream.read(LIMIT + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            what = "is a symbolic link" if error.errno == errno.ELOOP else f"can't be read: {said(error)}"
            raise Refusal(f"{self.shown}/{name} {what}") from None

    def _publish(self, top: int, stage: Stage, digest: str, listed: bytes) -> None:
        """Give the tree its name, then the listing its own; whoever does the same has equal bytes."""
        name = stamp(digest)
        try:
            os.rename(TREE, name, src_dir_fd=stage.descriptor, dst_dir_fd=top)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR) and not _is_there(top, name):
                raise
            self._settle(top, stage, digest, listed)
        durable.flush(top)
        durable.create(stage.descriptor, _NEW, listed, mode=0o444)
        durable.flush(stage.descriptor)
        os.rename(_NEW, name + SUFFIX, src_dir_fd=stage.descriptor, dst_dir_fd=top)
        durable.flush(top)

    def _settle(self, top: int, stage: Stage, digest: str, listed: bytes) -> None:
        """Keep the tree that has the name already if its bytes are right, hashed again; else replace it."""
        if not troubles(self, digest, listed):
            return
        name = stamp(digest)
        if not durable.exchange(stage.descriptor, TREE, top, name):
            os.rename(name, "old", src_dir_fd=top, dst_dir_fd=stage.descriptor)
            os.rename(TREE, name, src_dir_fd=stage.descriptor, dst_dir_fd=top)


def _is_there(folder: int, name: str) -> bool:
    """Whether a name is taken. Not every file system says so to whoever wants it: sshfs says EPERM."""
    with suppress(OSError):
        os.stat(name, dir_fd=folder, follow_symlinks=False)
        return True
    return False


def _walk(folder: int, prefix: str, found: dict[str, int]) -> None:
    with os.scandir(folder) as entries:
        here = sorted(entries, key=lambda entry: entry.name)
    for entry in here:
        if entry.is_dir(follow_symlinks=False) and prefix.count("/") < MAX_PARTS:
            with entered(folder, [entry.name]) as inner:
                _walk(inner, f"{prefix}{entry.name}/", found)
        else:
            regular = entry.is_file(follow_symlinks=False)
            found[prefix + entry.name] = (
                os.stat(entry.name, dir_fd=folder, follow_symlinks=False).st_size if regular else -1
            )
