"""A first-parent history held in memory, for cases that judge a change."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime

from modelspec.spec.history import Commit, Revision
from modelspec.tree.snapshot import DictSnapshot, Snapshot


class Past:
    """Commits, oldest first, each with its whole tree."""

    def __init__(self, trees: Sequence[tuple[Commit, DictSnapshot]]) -> None:
        self._trees = list(trees)

    @property
    def tip(self) -> str:
        return self._trees[-1][0].id

    def of(self, path: str) -> Sequence[Revision]:
        return self.under(path).get(path, ())

    def under(self, folder: str) -> Mapping[str, Sequence[Revision]]:
        found: dict[str, list[Revision]] = {}
        before = DictSnapshot({})
        for commit, tree in self._trees:
            for path in tree.changes(before):
                if path == folder or path.startswith(f"{folder}/"):
                    found.setdefault(path, []).append(Revision(commit, tree.get(path)))
            before = tree
        return found

    def at(self, instant: datetime) -> Commit | None:
        return next((commit for commit, _ in reversed(self._trees) if commit.time <= instant), None)

    def commits(self) -> Sequence[Commit]:
        return [commit for commit, _ in self._trees]

    def snapshot(self, commit: str) -> Snapshot:
        return next(tree for known, tree in self._trees if known.id == commit)


def commit_of(number: int, time: datetime, subject: str) -> Commit:
    """Return the commit of a case: its id follows from its place."""
    identity = hashlib.sha1(str(number).encode(), usedforsecurity=False).hexdigest()
    return Commit(identity, time, "Ada", "ada@example.com", subject)
