"""Which packages of a `uv.lock` are installed somewhere: it holds those of every platform at once.

A package does not say itself where it is installed. The project does, by the markers of what it depends on,
and so on from package to package.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import product
from typing import Any, Final

from modelspec.formats.markers import Platforms

Row = dict[str, Any]
LOCAL: Final = frozenset(["virtual", "editable", "directory"])
"""Kinds of sources: the project itself, or a folder. No index has such a package."""
_NAMED: Final = ("name", "version", "source")
"""What a dependency names of a package."""


def installed(data: dict[str, Any], platforms: Platforms) -> list[Row]:
    """Return the packages that any of the platforms may install, with all extras and groups."""
    rows = maps(data.get("package"))
    own = [_any(row.get("resolution-markers"), platforms) for row in rows]
    reach = _Reach(rows, platforms)
    reached = [0] * len(rows)
    roots = [index for index, row in enumerate(rows) if _local(row.get("source"))]
    # A script has no project: what it wants stands in the manifest.
    manifest = data.get("manifest")
    asked = list(_asked(manifest)) if isinstance(manifest, dict) else []
    if not roots and not asked:
        return [row for row, here in zip(rows, own, strict=True) if here]
    open_ = [(index, platforms.all) for index in roots]
    open_ += [step for one in asked for step in reach.step(one, platforms.all)]
    while open_:
        index, here = open_.pop()
        new = here & own[index] & ~reached[index]
        if new:
            reached[index] |= new
            for one in _wanted(rows[index]):
                open_ += reach.step(one, new)
    return [row for row, here in zip(rows, reached, strict=True) if here]


def _local(source: Any) -> bool:
    """Whether a package is the project itself, or lies in a folder: it has no version of its own."""
    return isinstance(source, dict) and bool(LOCAL & source.keys())


def _any(markers: Any, platforms: Platforms) -> int:
    if not isinstance(markers, list) or not markers:
        return platforms.all
    found = 0
    for one in markers:
        found |= platforms.where(str(one))
    return found


def _wanted(row: Row) -> Iterator[Row]:
    """Yield what a package depends on, with what its extras and groups do."""
    yield from maps(row.get("dependencies"))
    for key in ("optional-dependencies", "dev-dependencies"):
        several = row.get(key)
        for one in several.values() if isinstance(several, dict) else ():
            yield from maps(one)


def _asked(manifest: Row) -> Iterator[Row]:
    yield from maps(manifest.get("requirements"))
    groups = manifest.get("dependency-groups")
    for one in groups.values() if isinstance(groups, dict) else ():
        yield from maps(one)


class _Reach:
    """From what is wanted to the packages that it may be: each is gone to once for each platform.

    A lock may come from anybody, and be thousands of packages of one name that all want that name.
    """

    def __init__(self, rows: list[Row], platforms: Platforms) -> None:
        self._platforms = platforms
        self._been: dict[tuple[str, ...], int] = {}
        self._rows: dict[tuple[str, ...], list[int]] = {}
        for index, row in enumerate(rows):
            name, version, source = (_spelled(row.get(key)) for key in _NAMED)
            for known in product((name,), (version, ""), (source, "")):
                self._rows.setdefault(known, []).append(index)

    def step(self, wanted: Row, here: int) -> Iterator[tuple[int, int]]:
        """Yield (package, platforms) that a dependency leads to: by its name, and what else it names."""
        marker = wanted.get("marker")
        where = here & (self._platforms.where(marker) if isinstance(marker, str) else self._platforms.all)
        key = tuple(_spelled(wanted[part]) if part in wanted else "" for part in _NAMED)
        new = where & ~self._been.get(key, 0)
        if new:
            self._been[key] = self._been.get(key, 0) | new
            for index in self._rows.get(key, ()):
                yield index, new


def _spelled(node: Any) -> str:
    return json.dumps(node, sort_keys=True, default=str)


def maps(node: Any) -> list[Row]:
    """Return the maps of a list; none where there is no list."""
    return [one for one in node if isinstance(one, dict)] if isinstance(node, list) else []
