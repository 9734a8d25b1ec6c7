"""Pairs the files of base and head: one change for each file that differs in meaning."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from modelspec.spec.history import History
from modelspec.spec.kinds import Kind, classify
from modelspec.spec.reader import Broken, Entry
from modelspec.spec.registry import Registry

V = TypeVar("V", bound=BaseModel)


@dataclass(frozen=True, slots=True, eq=False)
class Change(Generic[V]):
    """One file in base and head; None where it is not there, Broken where it can't be read."""

    kind: Kind[V]
    name: tuple[str, ...]
    path: str
    was: Entry[V] | Broken[V] | None
    now: Entry[V] | Broken[V] | None

    @property
    def before(self) -> Entry[V] | None:
        """The entry of the base, if it could be read."""
        return self.was if isinstance(self.was, Entry) else None

    @property
    def after(self) -> Entry[V] | None:
        """The entry of the head, if it could be read."""
        return self.now if isinstance(self.now, Entry) else None

    @property
    def meant(self) -> bool:
        """Whether the meaning differs, not layout and comments alone."""
        if self.before is None or self.after is None:
            return True
        return self.before.document.data != self.after.document.data


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A branch whose remembered tip is gone from its history, or a tag that was moved; full commit ids.

    `aside`: the tip is there still, but not among the first parents: main was merged into what was pushed.
    """

    ref: str
    was: str
    now: str
    branch: bool = True
    aside: bool = False


@dataclass(frozen=True, slots=True)
class Ahead:
    """A first parent that was pushed and claims to be made later than the clock says that it is."""

    commit: str
    time: datetime


@dataclass(frozen=True, slots=True, eq=False)
class Against:
    """What a head is compared with: the base, its first-parent history, and the paths that differ."""

    base: Registry
    history: History
    paths: tuple[str, ...]
    """The sorted paths below registry/ and templates/ whose bytes differ."""
    changes: Sequence[Change[Any]]
    compiled: tuple[str, ...] = ()
    """The sorted paths below compiled/ whose bytes differ."""
    rewrites: tuple[Rewrite, ...] = ()
    ahead: tuple[Ahead, ...] = ()


def against(
    base: Registry,
    head: Registry,
    history: History,
    rewrites: Sequence[Rewrite] = (),
    found: tuple[str, ...] | None = None,
    ahead: Sequence[Ahead] = (),
) -> Against:
    """Compare a head with a base; `history` ends at the base; `found`: the paths that differ, if known."""
    if found is None:
        found = tuple(head.snapshot.changes(base.snapshot))
    paths = _judged(found)
    compiled = tuple(path for path in found if path.startswith("compiled/"))
    return Against(
        base, history, paths, tuple(pairs(base, head, paths)), compiled, tuple(rewrites), tuple(ahead)
    )


def touched(base: Registry, head: Registry) -> tuple[str, ...]:
    """Return the sorted paths below registry/ and templates/ whose bytes differ."""
    return _judged(head.snapshot.changes(base.snapshot))


def _judged(paths: Iterable[str]) -> tuple[str, ...]:
    return tuple(path for path in paths if path.startswith(("registry/", "templates/")))


def pairs(base: Registry, head: Registry, paths: tuple[str, ...]) -> Iterator[Change[Any]]:
    """Yield the changes of the files at these paths that a kind lives at, sorted by path."""
    for path in paths:
        found = classify(path)
        if found is not None:
            kind, name = found
            yield Change(kind, name, path, base.at(path), head.at(path))
