"""Reads the first-parent history of a commit from git, each question in one run of `git log`."""

from __future__ import annotations

import os
import posixpath
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import IO, Final

from modelspec.spec.history import Commit, Revision, Touch
from modelspec.tree.finding import Refusal
from modelspec.tree.snapshot import LIMIT, Blob, irregular
from modelspec.tree.text import visible
from modelspec.world.git import Repository
from modelspec.world.gittree import GitSnapshot, blob_of
from modelspec.world.objects import Objects
from modelspec.world.timeline import LATEST, Timeline

_FIELDS: Final = 6
_CHUNK: Final = 1 << 16
_AT_ONCE: Final = 8
"""How many gits may look at history at the same time."""
_MANY: Final = 80
"""For so many files one pass over all of history is quicker than a look at it for each."""
# No message can hold NUL, so nothing that a message says can pass for a field.
_FORMAT: Final = "--format=tformat:%H%x00%ct%x00%an%x00%ae%x00%s%x00%b"
_LOG: Final = ("log", "--first-parent", "--diff-merges=first-parent", "--no-renames", "--no-abbrev", "-z")
_PERSON: Final = re.compile(rb"^(.*?) ?<(.*?)>.*$", re.DOTALL)
_CLOCK: Final = re.compile(rb"> ([0-9]{1,20}) [-+][0-9]{4}$")


class GitHistory:
    """The first-parent history that ends at a commit; paths are relative to `prefix`.

    Raises Refusal for a shallow clone: what is cut off can't be told from what never was.
    """

    def __init__(
        self, repository: Repository, commit: str, prefix: str = "", objects: Objects | None = None
    ) -> None:
        if repository.shallow:
            raise Refusal(
                "the clone is shallow: its history is incomplete",
                "git fetch --unshallow (in CI: fetch-depth: 0)",
            )
        self._repository = repository
        self._prefix = f"{prefix}/" if prefix else ""
        self._objects = objects or Objects(repository)
        self._tip = commit
        self._files: dict[str, Sequence[Revision]] = {}
        self._orders: dict[str, int] = {}
        self._started: dict[str, subprocess.Popen[bytes]] = {}
        self._owner = os.getpid()

    def __enter__(self) -> GitHistory:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._mine().values():
            _end(process)
        self._objects.close()

    def _mine(self) -> dict[str, subprocess.Popen[bytes]]:
        """Return what was started here: in a fork nothing, since two readers of one pipe would share it."""
        if self._owner != os.getpid():
            self._started, self._owner = {}, os.getpid()
        return self._started

    @property
    def tip(self) -> str:
        return self._tip

    def of(self, path: str) -> Sequence[Revision]:
        if path not in self._files:
            self.warm(self._of(path))
        return self._files[path]

    def _of(self, path: str) -> Sequence[Revision]:
        if path not in self._files:
            self._files[path] = self.under(path).get(path, ())
        return self._files[path]

    def ahead(self, paths: Sequence[str]) -> None:
        """Let git begin to look for what happened to these files, while others do something else."""
        if len(paths) > _AT_ONCE:
            # No longer a matter of waiting: so many are asked for at once.
            self.of_all(paths)
        started = self._mine()
        for path in paths[: _AT_ONCE - len(started)]:
            if path not in self._files and path not in started:
                started[path] = self._touching(path)

    def under(self, folder: str) -> Mapping[str, Sequence[Revision]]:
        found: dict[str, list[Revision]] = {}
        for touch in self.newest(folder):
            found.setdefault(touch.path, []).append(Revision(touch.commit, touch.now))
        for revisions in found.values():
            revisions.reverse()
        return found

    def of_all(self, paths: Sequence[str]) -> Mapping[str, Sequence[Revision]]:
        """Return the revisions of some files: a run of git for each, or one for many."""
        missing = [path for path in dict.fromkeys(paths) if path not in self._files]
        if len(missing) >= (2 if self.timeline.slow else _MANY):
            self._pass_over(missing)
        elif len(missing) > 1:
            from concurrent.futures import ThreadPoolExecutor

            # Whatever is made once is made here, and not by several threads.
            self.timeline.index(self._tip)
            with ThreadPoolExecutor(min(_AT_ONCE, os.cpu_count() or 1)) as pool:
                list(pool.map(self._of, missing))
        found = {path: self._of(path) for path in paths}
        self.warm(one for path in missing for one in found[path])
        return found

    def _pass_over(self, paths: Sequence[str]) -> None:
        """Find what happened to these files by looking at every commit once."""
        found: dict[str, list[Revision]] = {path: [] for path in paths}
        wanted = {_bytes(self._prefix + path) for path in paths}
        for touch in self._touches(self._every(), wanted.__contains__):
            found[touch.path].append(Revision(touch.commit, touch.now))
        for path, revisions in found.items():
            revisions.reverse()
            self._files[path] = revisions

    def resolve(self, revision: str) -> str:
        """Return the full id of the commit that any revision of the same repository names."""
        return self._repository.resolve(revision)

    def warm(self, revisions: Iterable[Revision]) -> None:
        """Read the files of these revisions at once, ahead of whoever asks for them one by one."""
        blobs = [one.blob for one in revisions if one.blob is not None and irregular(one.blob.mode) is None]
        self._objects.warm([blob.id for blob in blobs], LIMIT)

    def order(self, commit: str) -> int:
        """Return where a commit stands in the history, counted from the oldest; -1 when it does not."""
        if commit not in self._orders:
            index = self.timeline.index(commit)
            self._orders[commit] = -1 if index is None else index
        return self._orders[commit]

    def newest(self, path: str, *, whole: bool = False) -> Iterator[Touch]:
        """Yield what commits did to a file, or to the files below a folder: the newest first, as read.

        With `whole` everything will be read, which may be quicker to ask for in another way.
        """
        inside = _bytes(self._prefix + path)

        def kept(changed: bytes) -> bool:
            return changed.startswith(inside) and (not path or changed[len(inside) :][:1] in (b"", b"/"))

        process = self._mine().pop(path, None)
        if process is None:
            process = self._every() if whole else self._touching(path)
        yield from self._touches(process, kept)

    def _touches(self, process: subprocess.Popen[bytes], kept: Callable[[bytes], bool]) -> Iterator[Touch]:
        for commit, changes in self._log(process, kept):
            for changed, was, now in changes:
                yield Touch(commit, changed[len(self._prefix) :], self._blob(*was), self._blob(*now))

    def at(self, instant: datetime) -> Commit | None:
        index = self.timeline.at(instant)
        return None if index is None else self.nth(index)

    def nth(self, index: int) -> Commit:
        """Return a commit by its place in the history, counted from the oldest."""
        return self._whole(self.timeline.id(index), index)

    def commits(self) -> Sequence[Commit]:
        return [commit for commit, _ in self._log(self._start("--no-patch", "--end-of-options", self._tip))][
            ::-1
        ]

    def commit(self, identity: str) -> Commit:
        """Return one commit of this history by its full id."""
        index = self.timeline.index(identity)
        if index is None:
            raise Refusal(
                f"commit {visible(identity)} is not on the first-parent history of {self._tip[:12]}",
                "it came in with a merge: name the merge commit",
            )
        return self._whole(identity, index)

    def _whole(self, identity: str, index: int) -> Commit:
        head, message = self._raw(identity)
        lines = head.split(b"\n")
        author = next((line[7:] for line in lines if line.startswith(b"author ")), b"")
        match = _PERSON.match(author)
        name, email = match.groups() if match is not None else (author, b"")
        # As git reads a message: lines up to the first empty one are its subject.
        subject, _, body = message.strip(b"\n").partition(b"\n\n")
        texts = (name, email, b" ".join(subject.split(b"\n")), body.strip(b"\n"))
        named = next((line[9:] for line in lines if line.startswith(b"encoding ")), b"utf-8")
        try:
            decoded = [text.decode(named.decode("ascii"), "replace") for text in texts]
        except (LookupError, ValueError):
            decoded = [text.decode("utf-8", "replace") for text in texts]
        return Commit(identity, self._time(index), *decoded)

    def claimed(self, identity: str) -> datetime:
        """Return the committer's time of a commit as it stands there, whatever the commits before it say."""
        head, _ = self._raw(identity)
        lines = (line for line in head.split(b"\n") if line.startswith(b"committer "))
        match = _CLOCK.search(next(lines, b""))
        return datetime.fromtimestamp(min(int(match[1]), LATEST) if match else 0, UTC)

    def snapshot(self, commit: str) -> GitSnapshot:
        return GitSnapshot(self._repository, commit, self._prefix.rstrip("/"), self._objects)

    @cached_property
    def timeline(self) -> Timeline:
        """The commits of this history in their order, with their times."""
        return Timeline(self._repository, self._tip)

    def _raw(self, identity: str) -> tuple[bytes, bytes]:
        """Return the head of a commit object and its message."""
        head, _, message = self._objects.commit(identity).partition(b"\n\n")
        return head, message

    def _time(self, index: int) -> datetime:
        return datetime.fromtimestamp(self.timeline.time(index), UTC)

    def _spec(self, path: str) -> str:
        """Return a path as an argument: relative to where git runs, so that no magic is needed.

        With any magic but `literal`, git would not use the changed paths of a commit-graph.
        """
        return ":(literal)" + posixpath.relpath(f"/{self._prefix}{path}", f"/{self._repository.prefix}")

    def _blob(self, mode: int, identity: str) -> Blob | None:
        return blob_of(self._objects, mode, identity) if mode else None

    def _touching(self, path: str) -> subprocess.Popen[bytes]:
        """Start a git that tells what happened to a file or a folder.

        Only those commits are named to it that the filters of a commit-graph do not deny, if there are any.
        """
        commits = self.timeline.maybe(f"{self._prefix}{path}") if path else None
        if commits is None:
            return self._start("--raw", "--end-of-options", self._tip, "--", self._spec(path))
        with tempfile.TemporaryFile() as named:
            named.write("".join(f"{commit}\n" for commit in commits).encode())
            named.seek(0)
            # Without any commit git would take its HEAD. One that did nothing to the path tells nothing.
            return self._start(
                "--raw", "--no-walk=unsorted", "--stdin", *([] if commits else [self._tip]),
                "--", self._spec(path), given=named,
            )  # fmt: skip

    def _every(self) -> subprocess.Popen[bytes]:
        """Start a git that tells all that each commit changed.

        Told to look at a folder it compares each commit twice, and nearly every commit of a registry has to
        do with it. In a repository that holds other things, what they change would have to be read, too.
        """
        if self._prefix:
            return self._start("--raw", "--end-of-options", self._tip, "--", self._spec(""))
        return self._start("--raw", "--end-of-options", self._tip)

    def _start(self, *arguments: str, given: IO[bytes] | None = None) -> subprocess.Popen[bytes]:
        process = self._repository.start(*_LOG, _FORMAT, *arguments, given=given)
        if process.stdin is not None:
            process.stdin.close()
        return process

    def _log(
        self, process: subprocess.Popen[bytes], kept: Callable[[bytes], bool] | None = None
    ) -> Iterator[tuple[Commit, list[Changed]]]:
        """Yield each commit with what it changed, the newest first, while git is still looking.

        With `kept` only the changes of these paths, and only the commits that have any.
        """
        assert process.stdout is not None
        try:
            with process.stdout as stream:
                yield from self._parsed(_tokens(stream), kept)
            if process.wait() != 0:
                raise Refusal(
                    f"git can't read the history of {self._tip}",
                    "`git log` and `git fsck` say why: a damaged object, or a value in git's configuration; "
                    "in a partial clone: git fetch --refetch --no-filter",
                )
        finally:
            # Whoever has read enough does not wait for the rest.
            _end(process)

    def _parsed(
        self, tokens: Iterator[bytes], kept: Callable[[bytes], bool] | None
    ) -> Iterator[tuple[Commit, list[Changed]]]:
        token = next(tokens, None)
        while token is not None:
            fields = [token, *(next(tokens, b"") for _ in range(_FIELDS - 1))]
            changes: list[Changed] = []
            token = next(tokens, None)
            while token is not None and token.lstrip(b"\n").startswith(b":"):
                path = next(tokens, b"")
                if kept is not None and kept(path):
                    old, new, before, after, _ = token.lstrip(b"\n:").decode("ascii").split(" ")
                    shown = path.decode("utf-8", "surrogateescape")
                    changes.append((shown, (int(old, 8), before), (int(new, 8), after)))
                token = next(tokens, None)
            if changes or kept is None:
                yield self._commit([field.decode("utf-8", "replace") for field in fields]), changes

    def _commit(self, fields: list[str]) -> Commit:
        identity, _, author, email, subject, body = fields
        index = self.order(identity)
        if index < 0:
            raise Refusal(f"git lists commit {identity} twice, and differently", "run `git fsck`")
        return Commit(identity, self._time(index), author, email, subject, body.rstrip("\n"))


Changed = tuple[str, tuple[int, str], tuple[int, str]]
"""Path, and (mode, blob) before and after; mode 0 where it is not there."""


def _bytes(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _tokens(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield what stands between NULs, as it arrives; what follows the last one is no whole token."""
    left = b""
    while chunk := stream.read1(_CHUNK):  # type: ignore[attr-defined]  # a pipe is a BufferedReader
        *whole, left = (left + chunk).split(b"\0")
        yield from whole
