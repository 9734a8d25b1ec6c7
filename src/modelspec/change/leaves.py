"""Two documents as data, leaf by leaf: what was, what is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from modelspec.tree.data import Data
from modelspec.tree.place import Route

_NAMES: Final = ("name", "view", "model", "path", "version", "slot", "from")
"""Keys that identify an item of a list, the first that all items have."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A node that differs; a side is None where it has no such node."""

    route: Route
    was: Data
    now: Data


def leaves(was: Data, now: Data, route: Route = ()) -> Iterator[Leaf]:
    """Yield what differs, down to scalars; items of a list are paired by their name where they have one."""
    if isinstance(was, dict) and isinstance(now, dict):
        for key in [*was, *(key for key in now if key not in was)]:
            yield from leaves(was.get(key), now.get(key), (*route, key))
    elif isinstance(was, list) and isinstance(now, list):
        ours, theirs = _named(was), _named(now)
        if ours is not None and theirs is not None:
            yield from leaves(ours, theirs, route)
            if list(ours) != list(theirs) and sorted(ours) == sorted(theirs):
                yield Leaf(route, list(ours), list(theirs))
        elif len(was) != len(now) or any(next(leaves(*pair), None) for pair in zip(was, now, strict=True)):
            yield Leaf(route, was, now)
    # Python takes 0 for False.
    elif was != now or isinstance(was, bool) != isinstance(now, bool):
        yield Leaf(route, was, now)


def _named(items: list[Data]) -> dict[str, Data] | None:
    """Return the items by their names, or None when they have none or share one."""
    for key in _NAMES:
        names = [item.get(key) if isinstance(item, dict) else None for item in items]
        if all(isinstance(name, str) for name in names) and len(set(map(str, names))) == len(names):
            return dict(zip(map(str, names), items, strict=True))
    return None
