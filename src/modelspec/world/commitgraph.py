"""git's commit-graph: the times and first parents of 100,000 commits in a twentieth of a second.

Asking `git rev-list` for the same takes five times as long, most of it spent on writing and reading ids.
What is not understood is left to git: a file of another version, a damaged one, commits that are not in it.
A time beyond the year 2514 does not fit the format, so git cuts it there; we see what git sees.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise, repeat
from operator import itemgetter
from pathlib import Path
from typing import Final

from modelspec.world.changedpaths import Filters, filters
from modelspec.world.git import Algorithm

_WIDTHS: Final = {"sha1": (1, 20), "sha256": (2, 32)}
_NONE: Final = 0x70000000
"""The position of a parent that is not there."""
_FEW: Final = 1000
"""After so many searches a table of all commits is quicker."""
_EARLY: Final = bytes(byte for byte in range(256) if not byte & 3)
"""The last byte of the word before the time, where the time is before the year 2106."""


@dataclass(frozen=True, slots=True, eq=False)
class _Layer:
    """One file of a chain; positions of commits count on from the layers below it."""

    first: int
    count: int
    width: int
    ids: memoryview
    data: memoryview
    index: memoryview | None
    filters: memoryview | None

    def find(self, identity: bytes) -> int | None:
        """Return the position of a commit in this file, by halving."""
        low, high = 0, self.count
        while low < high:
            middle = (low + high) // 2
            found = bytes(self.ids[middle * self.width : (middle + 1) * self.width])
            if found == identity:
                return middle
            low, high = (middle + 1, high) if found < identity else (low, middle)
        return None


class CommitGraph:
    """The commits that the graph knows, by position."""

    def __init__(self, layers: list[_Layer]) -> None:
        self._layers = layers
        self._searched = 0
        self._parents: array[int] = array("I")
        self._times: list[int] | array[int] = array("I")
        late: dict[int, int] = {}
        for layer in layers:
            # An id, then two parents, the generation with two bits of the time, and the rest of the time.
            words, size, parent = layer.data.cast("I"), layer.width // 4 + 4, layer.width // 4
            self._parents += _native(words[parent::size])
            self._times += _native(words[parent + 3 :: size])
            ends = bytes(layer.data[layer.width + 11 :: layer.width + 16])
            if ends.translate(None, _EARLY):
                late |= {layer.first + at: end & 3 for at, end in enumerate(ends) if end & 3}
        if late:
            self._times = [time | late.get(at, 0) << 32 for at, time in enumerate(self._times)]

    def position(self, commit: str) -> int | None:
        """Return the position of a commit, or None when the graph does not know it."""
        identity = bytes.fromhex(commit)
        self._searched += 1
        if self._searched > _FEW:
            return self._table.get(identity)
        for layer in self._layers:
            found = layer.find(identity)
            if found is not None:
                return layer.first + found
        return None

    @cached_property
    def _table(self) -> dict[bytes, int]:
        """The positions of all commits, for who asks for many."""
        found: dict[bytes, int] = {}
        for layer in reversed(self._layers):
            ids, width = bytes(layer.ids), layer.width
            for at in range(layer.count):
                found[ids[at * width : (at + 1) * width]] = layer.first + at
        return found

    def id(self, position: int) -> str:
        """Return the id of the commit at a position."""
        for layer in self._layers:
            at = position - layer.first
            if at < layer.count:
                return bytes(layer.ids[at * layer.width : (at + 1) * layer.width]).hex()
        raise IndexError(position)

    def maybe(self, path: str) -> frozenset[int] | None:
        """Return the positions of the commits that may have changed a path.

        None where the graph has no filters of changed paths, or they can't tell.
        """
        if not path.isascii():
            # There the two versions of the filters' hash differ.
            return None
        found: set[int] = set()
        for layer, known in zip(self._layers, self._filters, strict=True):
            if known is None:
                return None
            found.update(layer.first + place for place in known.maybe(path.encode("ascii")))
        return frozenset(found)

    @cached_property
    def _filters(self) -> list[Filters | None]:
        return [filters(layer.index, layer.filters, layer.count) for layer in self._layers]

    def line(self, position: int) -> tuple[list[int], list[int]]:
        """Return positions and committer times (seconds) of a commit and its first parents, newest first."""
        parents = self._parents
        positions = [position]
        append = positions.append
        for _ in repeat(None, len(parents)):
            position = parents[position]
            if position == _NONE:
                break
            append(position)
        else:
            # A graph with a circle would be no history.
            raise ValueError("the commit-graph goes round in circles")
        if len(positions) == 1:
            return positions, [self._times[positions[0]]]
        return positions, list(itemgetter(*positions)(self._times))


def _native(words: memoryview) -> array[int]:
    """Return big-endian words as this machine's numbers."""
    found = array("I", words.tobytes())
    if sys.byteorder == "little":
        found.byteswap()
    return found


def read_graph(info: Path, algorithm: Algorithm) -> CommitGraph | None:
    """Return the commit-graph in a repository's `objects/info`, or None when there is none to be used."""
    try:
        layers: list[_Layer] = []
        for file in _files(info):
            layers.append(_layer(file.read_bytes(), algorithm, layers))
        return CommitGraph(layers) if layers else None
    except (OSError, ValueError, struct.error):
        return None


def _files(info: Path) -> Iterator[Path]:
    """Yield the files of the graph, the base of a chain first."""
    single = info / "commit-graph"
    if single.is_file():
        yield single
        return
    folder = info / "commit-graphs"
    for name in (folder / "commit-graph-chain").read_text("ascii").split():
        if not name.isalnum():
            raise ValueError(name)
        yield folder / f"graph-{name}.graph"


def _layer(raw: bytes, algorithm: Algorithm, below: list[_Layer]) -> _Layer:
    version, width = _WIDTHS[algorithm]
    signature, form, hashed, chunks, bases = struct.unpack_from(">4sBBBB", raw)
    if (signature, form, hashed, bases) != (b"CGPH", 1, version, len(below)):
        raise ValueError("another version of the commit-graph")
    table = [struct.unpack_from(">4sQ", raw, 8 + 12 * index) for index in range(chunks + 1)]
    view = memoryview(raw)
    found = {name: view[at:end] for (name, at), (_, end) in pairwise(table)}
    if not {b"OIDL", b"CDAT"} <= found.keys():
        raise ValueError("the commit-graph lacks a chunk")
    ids, data = found[b"OIDL"], found[b"CDAT"]
    count = len(ids) // width
    if not count or len(ids) != count * width or len(data) != count * (width + 16):
        raise ValueError("the commit-graph is cut off")
    first = below[-1].first + below[-1].count if below else 0
    return _Layer(first, count, width, ids, data, found.get(b"BIDX"), found.get(b"BDAT"))
