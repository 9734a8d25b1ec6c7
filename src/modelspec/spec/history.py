"""The first-parent history of the main branch, as a value: who changed what, and when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from modelspec.tree.snapshot import Blob, DictSnapshot, Snapshot


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit of the main branch.

    `time` is the committer's time in UTC, raised to the latest of all commits before it: clocks lie, the
    order of commits does not.
    """

    id: str
    time: datetime
    author: str
    email: str
    subject: str
    body: str = ""

    @property
    def short(self) -> str:
        """The first twelve digits of the id."""
        return self.id[:12]


@dataclass(frozen=True, slots=True, eq=False)
class Revision:
    """What a file became in a commit; `blob` is None where the commit deleted it."""

    commit: Commit
    blob: Blob | None


@dataclass(frozen=True, slots=True, eq=False)
class Touch:
    """What one commit did to one file; None where the file is not there."""

    commit: Commit
    path: str
    was: Blob | None
    now: Blob | None


class History(Protocol):
    """A first-parent log, read lazily. Everything is oldest first."""

    @property
    def tip(self) -> str:
        """The commit that the history ends at."""
        ...

    def of(self, path: str) -> Sequence[Revision]:
        """Return what a file became in every commit that changed it."""
        ...

    def under(self, folder: str) -> Mapping[str, Sequence[Revision]]:
        """Return the revisions of every file that ever was below a folder."""
        ...

    def at(self, instant: datetime) -> Commit | None:
        """Return the last commit that is not later than the instant, or None before the first."""
        ...

    def commits(self) -> Sequence[Commit]:
        """Return every commit."""
        ...

    def snapshot(self, commit: str) -> Snapshot:
        """Return the tree at a commit."""
        ...


class Unrecorded:
    """The history of a tree that is in no repository: nothing ever happened."""

    tip = ""

    def of(self, path: str) -> Sequence[Revision]:
        """Return nothing."""
        return ()

    def under(self, folder: str) -> Mapping[str, Sequence[Revision]]:
        """Return nothing."""
        return {}

    def at(self, instant: datetime) -> Commit | None:
        """Return nothing."""
        return None

    def commits(self) -> Sequence[Commit]:
        """Return nothing."""
        return ()

    def snapshot(self, commit: str) -> Snapshot:
        """Return an empty tree."""
        return DictSnapshot({})
