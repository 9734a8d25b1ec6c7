"""Git objects by id, through a `git cat-file --batch` that lives as long as it is needed, or one for many."""

from __future__ import annotations

import binascii
import fcntl
import hashlib
import os
import re
import subprocess
import tempfile
import weakref
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Final

from modelspec.tree.finding import Refusal
from modelspec.world.git import Repository
from modelspec.world.search import Searches

FOLDER: Final = 0o040000
Tree = dict[str, tuple[int, str]]
"""Name -> (mode, id)."""
TREE_LIMIT: Final = 64 * 1024 * 1024
"""The most bytes of one tree object: more than a million names in one folder."""
_BATCH: Final = 256
"""How many objects are asked for at once: their ids fit into a pipe, so neither side waits for the other."""
_QUESTION: Final = 32 * 1024
"""How many bytes may be asked for at once: they have to fit into a pipe as well."""
_AHEAD: Final = 1024 * 1024
"""How many bytes git may be ahead of us: the most that a pipe may hold unless root says otherwise."""
_AT_ONCE: Final = 4
_MODES: Final = {
    b"100644": 0o100644,
    b"100755": 0o100755,
    b"120000": 0o120000,
    b"160000": 0o160000,
    b"40000": FOLDER,
}
_ENTRIES_20: Final = re.compile(rb"([0-7]+) ([^/\0]+)\0(.{20})", re.DOTALL)
_ENTRIES_32: Final = re.compile(rb"([0-7]+) ([^/\0]+)\0(.{32})", re.DOTALL)
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
        self._commits: dict[str, bytes] = {}
        self._warm: dict[str, bytes] = {}
        self._begun: list[tuple[tuple[str, ...], subprocess.Popen[bytes]]] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = os.getpid()
        self.searches = Searches(repository)
        self._finalizer: weakref.finalize[[subprocess.Popen[bytes]], Objects] | None = None

    def begin(self) -> None:
        """Start the process ahead of the first question, for who has something else to do meanwhile."""
        self._pipes()

    def read(self, identity: str, kind: str, limit: int) -> bytes | TooLarge:
        """Return the bytes of the object with this full id; raises Refusal when it is not what it should be.

        An object larger than `limit` is not read.
        """
        known = self._warm.pop(identity, None)
        return known if known is not None else self._ask([identity], kind, limit)[0]

    def commit(self, identity: str) -> bytes:
        """Return a commit object as it stands there; remembered. Nothing for one of unbelievable size."""
        if identity not in self._commits:
            data = self.read(identity, "commit", TREE_LIMIT)
            self._commits[identity] = data if isinstance(data, bytes) else b""
        return self._commits[identity]

    def warm(self, identities: Sequence[str], limit: int) -> None:
        """Read blobs that will be asked for next, once each: many at a time come several times as fast."""
        wanted = [identity for identity in dict.fromkeys(identities) if identity not in self._warm]
        found = self.read_all(wanted, "blob", limit)
        self._warm |= {key: data for key, data in zip(wanted, found, strict=True) if isinstance(data, bytes)}

    def ahead(self, identities: Sequence[str]) -> None:
        """Let git begin to read what `read_all` or `look` will be asked for, for who does something else."""
        self._forked()
        if len(identities) > _BATCH and len(self._begun) < _AT_ONCE:
            self._begun.append((tuple(identities), self._begin(identities)))

    def look(self, names: Sequence[str], limit: int) -> list[bytes | None]:
        """Return the bytes of many files by id, or by the id of a tree and a path in it: `<id>:<path>`.

        None where there is no file, or a larger one; for a path also where the file is missing. Where a path
        leads is git's word, and a link gives what it holds; bytes are held against their ids as always.
        """
        self._forked()
        begun = next((one for one in self._begun if _holds(one[0], names)), None)
        if begun is None and len(names) <= _BATCH and sum(map(len, names)) <= _QUESTION:
            try:
                return self._looked(self._questioned(names), names, names, limit) if names else []
            except Refusal:
                # What it says next belongs to a question that nobody asks any more.
                self.close()
                raise
        if begun is not None:
            self._begun.remove(begun)
        asked, process = begun or (names, self._begin(names))
        try:
            assert process.stdout is not None
            return self._looked(process.stdout, asked, names, limit)
        finally:
            _end(process)

    def _looked(
        self, source: IO[bytes], asked: Sequence[str], names: Sequence[str], limit: int
    ) -> list[bytes | None]:
        """Return what git says to those of the names that it was asked for; it says something to each."""
        found: list[bytes | None] = []
        for one in asked:
            data = self._blob(source, one, limit)
            if len(found) < len(names) and one == names[len(found)]:
                found.append(data)
        return found

    def _blob(self, source: IO[bytes], name: str, limit: int) -> bytes | None:
        header = source.readline()
        if header.endswith(b" missing\n"):
            if ":" in name:
                return None
            raise Refusal(f"the git object {name} is missing", _CURE)
        try:
            identity, kind, told = header.split()
            size = int(told)
        except ValueError:
            raise Refusal(f"the git object {name} is damaged", _CURE) from None
        if size > limit:
            _skip(source, size + 1)
            return None
        data = source.read(size + 1)[:-1]
        if len(data) != size or self._id(kind, data) != identity.decode():
            raise Refusal(f"the git object {name} is damaged", _CURE)
        return data if kind == b"blob" else None

    def _id(self, kind: bytes, data: bytes) -> str:
        whole = self._hash(b"%s %d\0" % (kind, len(data)), usedforsecurity=False)
        whole.update(data)
        return whole.hexdigest()

    def read_all(self, identities: Sequence[str], kind: str, limit: int) -> Iterator[bytes | TooLarge]:
        """Yield the bytes of many objects in their order, while git reads on ahead of whoever takes them."""
        self._forked()
        begun = next((one for one in self._begun if _holds(one[0], identities)), None)
        if begun is None and len(identities) <= _BATCH:
            yield from self._ask(identities, kind, limit) if identities else ()
            return
        if begun is not None:
            self._begun.remove(begun)
        at = 0
        while at < len(identities):
            asked, process = begun or (identities[at:], self._begin(identities[at:]))
            begun = None
            try:
                assert process.stdout is not None
                for identity in asked:
                    one = self._answer(process.stdout, identity, kind, limit)
                    if at < len(identities) and identity == identities[at]:
                        at += 1
                        yield one
                    if isinstance(one, TooLarge):
                        # A new process is cheaper than reading all of an object that nobody wants.
                        break
            finally:
                _end(process)

    def _begin(self, identities: Sequence[str]) -> subprocess.Popen[bytes]:
        """Start a git that reads many objects, named in a file, so that it waits for no question."""
        with tempfile.TemporaryFile() as asked:
            asked.write("".join(f"{identity}\n" for identity in identities).encode())
            asked.seek(0)
            process = self._repository.start("cat-file", "--batch", "--buffer", given=asked)
        assert process.stdout is not None
        _widen(process.stdout)
        return process

    def _ask(self, identities: Sequence[str], kind: str, limit: int) -> list[bytes | TooLarge]:
        source = self._questioned(identities)
        found: list[bytes | TooLarge] = []
        for index, identity in enumerate(identities):
            one = self._answer(source, identity, kind, limit)
            found.append(one)
            if isinstance(one, TooLarge):
                # A new process is cheaper than reading all of an object that nobody wants.
                self.close()
                rest = identities[index + 1 :]
                return found + (self._ask(rest, kind, limit) if rest else [])
        return found

    def _questioned(self, names: Sequence[str]) -> IO[bytes]:
        """Ask the process for so many objects as fit into a pipe; return where it answers."""
        sink, source = self._pipes()
        try:
            sink.write("".join(f"{name}\n" for name in names).encode())
            sink.flush()
        except (BrokenPipeError, ValueError):
            self.close()
            raise Refusal(f"the git object {names[0]} is damaged", _CURE) from None
        return source

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
        if len(data) != size or self._id(kind.encode(), data) != identity:
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

    def close(self) -> None:
        """End the process. Reading again starts another."""
        self._forked()
        self.searches.close()
        while self._begun:
            _end(self._begun.pop()[1])
        if self._finalizer is not None:
            self._finalizer()
        self._process = self._finalizer = None

    def _forked(self) -> None:
        """Forget, in a fork, the processes: they belong to whoever started them."""
        if self._owner != os.getpid():
            if self._finalizer is not None:
                self._finalizer.detach()
            self._process = self._finalizer = None
            self._begun.clear()
            self._owner = os.getpid()

    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        self._forked()
        process = self._process
        if process is None:
            process = self._process = self._repository.start("cat-file", "--batch")
            self._finalizer = weakref.finalize(self, _end, process)
        if process.stdin is None or process.stdout is None:
            raise AssertionError("both are pipes")
        return process.stdin, process.stdout


def _holds(begun: Sequence[str], identities: Sequence[str]) -> bool:
    """Whether all of these are among those, in the same order."""
    rest = iter(begun)
    return bool(identities) and all(identity in rest for identity in identities)


def _skip(source: IO[bytes], size: int) -> None:
    """Read past so many bytes and keep none."""
    while size > 0:
        read = len(source.read(min(size, _AHEAD)))
        size = size - read if read else 0


def _widen(pipe: IO[bytes]) -> None:
    """Let a pipe hold more, so that git may be further ahead; where it can't, it is a little slower."""
    wider = getattr(fcntl, "F_SETPIPE_SZ", None)
    if wider is not None:
        with suppress(OSError):
            fcntl.fcntl(pipe, wider, _AHEAD)


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
    found = (_ENTRIES_20 if width == 20 else _ENTRIES_32).findall(data)
    entries: Tree = {
        name.decode("utf-8", "surrogateescape"): (
            _MODES.get(mode) or int(mode, 8),
            binascii.hexlify(child).decode(),
        )
        for mode, name, child in found
    }
    # A name with a slash, or one that stands twice, means one thing to us and another to git.
    whole = sum([len(mode) + len(name) for mode, name, _ in found]) + len(found) * (width + 2)
    if whole != len(data) or len(entries) != len(found):
        raise Refusal(f"the git tree {identity} is malformed", "run `git fsck`; do not merge what brought it")
    return entries
