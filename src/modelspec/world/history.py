"""Reads the first-parent history of a commit from git, each question in one run of `git log`."""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Final

from modelspec.spec.history import Commit, Revision
from modelspec.tree.finding import Refusal
from modelspec.tree.snapshot import Snapshot
from modelspec.tree.text import visible
from modelspec.world.git import Repository
from modelspec.world.gittree import GitSnapshot, blob_of
from modelspec.world.objects import Objects

_FIELDS: Final = 6
# No message can hold NUL, so nothing that a message says can pass for a field.
_FORMAT: Final = "--format=tformat:%H%x00%ct%x00%an%x00%ae%x00%s%x00%b"
_LOG: Final = ("log", "--first-parent", "--diff-merges=first-parent", "--no-renames", "--no-abbrev", "-z")
_LATEST: Final = 253402300799
"""The last second of the year 9999: git allows later ones, datetime does not."""


class GitHistory:
    """The first-parent history that ends at a commit; paths are relative to `prefix`.

    Raises Refusal for a shallow clone: what is cut off can't be told from what never was.
    """

    def __init__(self, repository: Repository, commit: str, prefix: str = "") -> None:
        if repository.shallow:
            raise Refusal(
                "the clone is shallow: its history is incomplete",
                "git fetch --unshallow (in CI: fetch-depth: 0)",
            )
        self._repository = repository
        self._prefix = f"{prefix}/" if prefix else ""
        self._objects = Objects(repository)
        self._tip = commit

    def __enter__(self) -> GitHistory:
        return self

    def __exit__(self, *_: object) -> None:
        self._objects.close()

    @property
    def tip(self) -> str:
        return self._tip

    def of(self, path: str) -> Sequence[Revision]:
        return self.under(path).get(path, ())

    def under(self, folder: str) -> Mapping[str, Sequence[Revision]]:
        found: dict[str, list[Revision]] = {}
        for commit, changes in self._log(
            "--raw", "--end-of-options", self._tip, "--", f":(top,literal){self._prefix}{folder}"
        ):
            for path, mode, blob in changes:
                if path.startswith(self._prefix):
                    found.setdefault(path[len(self._prefix) :], []).append(
                        Revision(commit, blob_of(self._objects, mode, blob) if mode else None)
                    )
        for revisions in found.values():
            revisions.reverse()
        return found

    def at(self, instant: datetime) -> Commit | None:
        times, ids = self._times
        found = bisect.bisect_right(times, instant.timestamp()) - 1
        return None if found < 0 else self.commit(ids[found])

    def commits(self) -> Sequence[Commit]:
        return [commit for commit, _ in self._log("--end-of-options", self._tip)][::-1]

    def commit(self, identity: str) -> Commit:
        """Return one commit of this history by its full id."""
        found = next(self._log("--max-count=1", "--end-of-options", identity), None)
        if found is None:
            raise Refusal(f"commit {visible(identity)} is missing", "run `git fsck`")
        return found[0]

    def snapshot(self, commit: str) -> Snapshot:
        return GitSnapshot(self._repository, commit, self._prefix.rstrip("/"), self._objects)

    @cached_property
    def _times(self) -> tuple[list[int], list[str]]:
        """Committer times, each raised to the latest before it, with the commits; oldest first."""
        done = self._repository.run(
            "rev-list", "--first-parent", "--timestamp", "--end-of-options", self._tip
        )
        if done.code != 0:
            raise Refusal(f"git can't list the history of {self._tip}", "run `git fsck`")
        times: list[int] = []
        ids: list[str] = []
        latest = 0
        for line in reversed(done.out.split(b"\n")):
            if line:
                stamp, _, identity = line.partition(b" ")
                latest = max(latest, min(int(stamp), _LATEST))
                times.append(latest)
                ids.append(identity.decode("ascii"))
        return times, ids

    @cached_property
    def _raised(self) -> dict[str, int]:
        times, ids = self._times
        return dict(zip(ids, times, strict=True))

    def _log(self, *arguments: str) -> Iterator[tuple[Commit, list[tuple[str, int, str]]]]:
        """Yield (commit, [(path, mode, blob)]), the newest first; mode 0 where the file went."""
        done = self._repository.run(*_LOG, _FORMAT, *arguments)
        if done.code != 0:
            raise Refusal(
                f"git can't read the history of {self._tip}: {visible(done.err, 200)}", "run `git fsck`"
            )
        tokens = done.out.split(b"\0")
        at = 0
        while at + _FIELDS <= len(tokens):
            fields = [token.decode("utf-8", "replace") for token in tokens[at : at + _FIELDS]]
            at += _FIELDS
            changes = []
            while at + 1 < len(tokens) and tokens[at].lstrip(b"\n").startswith(b":"):
                _, mode, _, blob, _ = tokens[at].lstrip(b"\n").decode("ascii").split(" ")
                changes.append((tokens[at + 1].decode("utf-8", "surrogateescape"), int(mode, 8), blob))
                at += 2
            yield self._commit(fields), changes

    def _commit(self, fields: list[str]) -> Commit:
        identity, _, author, email, subject, body = fields
        time = datetime.fromtimestamp(self._raised[identity], UTC)
        return Commit(identity, time, author, email, subject, body.rstrip("\n"))
