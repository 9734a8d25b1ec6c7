"""Git objects by id, through one `git cat-file --batch` that lives as long as it is needed."""

from __future__ import annotations

import binascii
import hashlib
import os
import subprocess
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Final

from modelspec.tree.finding import Refusal
from modelspec.world.git import Repository

FOLDER: Final = 0o040000
Tree = dict[str, tuple[int, str]]
"""Name -> (mode, id)."""
TREE_LIMIT: Final = 64 * 1024 * 1024
"""The most bytes of one tree object: more than a million names in one folder."""
_BATCH: Final = 256
"""How many objects are asked for at once: their ids fit into a pipe, so neither side waits for the other."""
_MODES: Final = {
    b"100644": 0o100644,
    b"100755": 0o100755,
    b"120000": 0o120000,
    b"160000": 0o160000,
    b"40000": FOLDER,
}
_CURE: Final = "run `git fsck`; in a partial clone, `git fetch --refetch --no-filter`"


@dataclass(frozen=True, slots=True)
class TooLarge:
    """An object that was not kept, since it has more bytes than were asked for."""

    size: int


class Objects:
    """Reads objects of one repository. Used by one thread; a fork starts a process of its own."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._hash = hashlib.sha256 if repository.algorithm == "sha256" else hashlib.sha1
        self._width = self._hash().digest_size
        self._trees: dict[str, Tree] = {}
        self._warm: dict[str, bytes] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = os.getpid()
        self._finalizer: weakref.finalize[[subprocess.Popen[bytes]], Objects] | None = None

    def read(self, identity: str, kind: str, limit: int) -> bytes | TooLarge:
        """Return the bytes of the object with this full id; raises Refusal when it is not what it should be.

        An object larger than `limit` is not read.
        """
        known = self._warm.pop(identity, None)
        return known if known is not None else self._ask([identity], kind, limit)[0]

    def warm(self, identities: Sequence[str], limit: int) -> None:
        """Read blobs that will be asked for next, once each: many at a time come several times as fast."""
        wanted = [identity for identity in dict.fromkeys(identities) if identity not in self._warm]
        found = self.read_all(wanted, "blob", limit)
        self._warm |= {key: data for key, data in zip(wanted, found, strict=True) if isinstance(data, bytes)}

    def read_all(self, identities: Sequence[str], kind: str, limit: int) -> list[bytes | TooLarge]:
        """Return the bytes of many objects: asked for in batches, they come several times as fast."""
        found: list[bytes | TooLarge] = []
        for start in range(0, len(identities), _BATCH):
            found += self._ask(identities[start : start + _BATCH], kind, limit)
        return found

    def _ask(self, identities: Sequence[str], kind: str, limit: int) -> list[bytes | TooLarge]:
        sink, source = self._pipes()
        found: list[bytes | TooLarge] = []
        try:
            sink.write("".join(f"{identity}\n" for identity in identities).encode())
            sink.flush()
        except (BrokenPipeError, ValueError):
            self.close()
            raise Refusal(f"the git object {identities[0]} is damaged", _CURE) from None
        for index, identity in enumerate(identities):
            one = self._answer(source, identity, kind, limit)
            found.append(one)
            if isinstance(one, TooLarge):
                # A new process is cheaper than reading all of an object that nobody wants.
                self.close()
                rest = identities[index + 1 :]
                return found + (self._ask(rest, kind, limit) if rest else [])
        return found

    def _answer(self, source: IO[bytes], identity: str, kind: str, limit: int) -> bytes | TooLarge:
        try:
            header = source.readline().split()
            if len(header) != 3 or header[0] != identity.encode():
                self.close()
                raise Refusal(f"the git object {identity} is missing", _CURE)
            found, size = header[1].decode(), int(header[2])
            if found != kind:
                self.close()
                raise Refusal(f"the git object {identity} is a {found}, not a {kind}", _CURE)
            if size > limit:
                return TooLarge(size)
            data = source.read(size + 1)[:-1]
        except (BrokenPipeError, ValueError):
            data, size = b"", -1
        whole = self._hash(b"%s %d\0" % (kind.encode(), len(data)), usedforsecurity=False)
        whole.update(data)
        if len(data) != size or whole.hexdigest() != identity:
            self.close()
            raise Refusal(f"the git object {identity} is damaged", _CURE)
        return data

    def tree(self, identity: str) -> Tree:
        """Return what the tree object with this id holds; remembered."""
        known = self._trees.get(identity)
        if known is not None:
            return known
        data = self.read(identity, "tree", TREE_LIMIT)
        if isinstance(data, TooLarge):
            raise Refusal(f"the git tree {identity} has {data.size:,} bytes", "split the folder")
        entries = self._trees[identity] = _parse(data, self._width, identity)
        return entries

    def know_trees(self, identities: Sequence[str]) -> None:
        """Read many trees in batches, so that `tree` knows them."""
        wanted = [one for one in dict.fromkeys(identities) if one not in self._trees]
        for identity, data in zip(wanted, self.read_all(wanted, "tree", TREE_LIMIT), strict=True):
            if not isinstance(data, TooLarge):
                self._trees[identity] = _parse(data, self._width, identity)

    def close(self) -> None:
        """End the process. Reading again starts another."""
        if self._finalizer is not None:
            self._finalizer()
        self._process = self._finalizer = None

    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        process = self._process
        if self._owner != os.getpid():
            # A fork: the process belongs to whoever started it.
            if self._finalizer is not None:
                self._finalizer.detach()
            process, self._owner = None, os.getpid()
        if process is None:
            process = self._process = self._repository.start("cat-file", "--batch")
            self._finalizer = weakref.finalize(self, _end, process)
        if process.stdin is None or process.stdout is None:
            raise AssertionError("both are pipes")
        return process.stdin, process.stdout


def _end(process: subprocess.Popen[bytes]) -> None:
    # It only reads, so there is nothing that a kill could leave half done.
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except BrokenPipeError:
                continue


def _parse(data: bytes, width: int, identity: str) -> Tree:
    entries: Tree = {}
    at = 0
    try:
        while at < len(data):
            space = data.index(b" ", at)
            end = data.index(b"\0", space)
            raw, mode = data[space + 1 : end], data[at:space]
            at = end + 1 + width
            name = raw.decode("utf-8", "surrogateescape")
            # A name with a slash, or one that stands twice, means one thing to us and another to git.
            if at > len(data) or not mode.isdigit() or not name or "/" in name or name in entries:
                raise ValueError
            number = _MODES.get(mode)
            entries[name] = (
                int(mode, 8) if number is None else number,
                binascii.hexlify(data[end + 1 : at]).decode("ascii"),
            )
    except ValueError:
        raise Refusal(
            f"the git tree {identity} is malformed", "run `git fsck`; do not merge what brought it"
        ) from None
    return entries
