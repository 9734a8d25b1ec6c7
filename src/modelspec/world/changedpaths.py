"""git's filters of changed paths: which of 100,000 commits may have changed a file, quickly.

The commit-graph holds a Bloom filter for each commit (`git commit-graph write --changed-paths`). Git asks
them one commit after the other, which takes it a tenth of a second; here it is a hundredth. A filter never
denies a path that changed; what it does not deny, git has to look at.
"""

from __future__ import annotations

import struct
import sys
from array import array
from dataclasses import dataclass
from itertools import chain
from operator import sub
from typing import Final

_SEEDS: Final = (0x293AE76F, 0x7E646E2C)
_HEADER: Final = struct.Struct(">III")
_KNOWN: Final = (1, 2)
"""Versions of the hash. They differ for paths with bytes from 0x80 on, which are not asked for here."""
_MOST: Final = 32
"""So many hashes are believable; git uses 7."""
_WORD: Final = 0xFFFFFFFF


@dataclass(frozen=True, slots=True, eq=False)
class Filters:
    """The filters of the commits in one file of a commit-graph, in its order; none of them is empty."""

    starts: array[int]
    ends: array[int]
    """Where each filter begins and ends in `data`."""
    sizes: frozenset[int]
    """How many bytes filters have."""
    data: bytes
    hashes: int

    def maybe(self, path: bytes) -> list[int]:
        """Return the places of the commits that may have changed a path of ASCII characters.

        It is a file or a folder without a slash at its end, from the top of the repository.
        """
        first, more = (_murmur3(path, seed) for seed in _SEEDS)
        data, starts, ends = self.data, self.starts, self.ends
        left: list[int] | None = None
        for index in range(self.hashes):
            value = (first + index * more) & _WORD
            bits = {size: value % (size * 8) for size in self.sizes}
            at = {size: bit >> 3 for size, bit in bits.items()}
            mask = {size: 1 << (bit & 7) for size, bit in bits.items()}
            if left is None:
                left = [
                    place
                    for place, (start, end) in enumerate(zip(starts, ends, strict=True))
                    if data[start + at[end - start]] & mask[end - start]
                ]
            else:
                left = [
                    place
                    for place in left
                    if data[(start := starts[place]) + at[size := ends[place] - start]] & mask[size]
                ]
        return left or []


def filters(index: memoryview | None, data: memoryview | None, count: int) -> Filters | None:
    """Return the filters in the chunks BIDX and BDAT of a commit-graph; None where they are of no use.

    So it is where a chunk is not there or not understood, and where a commit has no filter: it may have
    changed anything.
    """
    if index is None or data is None or len(index) != count * 4 or len(data) < _HEADER.size:
        return None
    version, hashes, _ = _HEADER.unpack_from(data)
    ends = array("I", index.tobytes())
    if sys.byteorder == "little":
        ends.byteswap()
    starts = array("I", chain((0,), ends[:-1]))
    sizes = frozenset(map(sub, ends, starts))
    kept = bytes(data[_HEADER.size :])
    if version not in _KNOWN or not 0 < hashes <= _MOST or min(sizes) <= 0 or ends[-1] > len(kept):
        return None
    return Filters(starts, ends, sizes, kept, hashes)


def _murmur3(data: bytes, seed: int) -> int:
    """Return the 32 bits of MurmurHash3 of some bytes."""
    value = seed
    whole = len(data) & ~3
    for (word,) in struct.iter_unpack("<I", data[:whole]):
        value ^= _mixed(word)
        value = (value << 13 | value >> 19) & _WORD
        value = (value * 5 + 0xE6546B64) & _WORD
    if rest := data[whole:]:
        value ^= _mixed(int.from_bytes(rest, "little"))
    value ^= len(data)
    value = ((value ^ value >> 16) * 0x85EBCA6B) & _WORD
    value = ((value ^ value >> 13) * 0xC2B2AE35) & _WORD
    return value ^ value >> 16


def _mixed(word: int) -> int:
    word = (word * 0xCC9E2D51) & _WORD
    word = (word << 15 | word >> 17) & _WORD
    return (word * 0x1B873593) & _WORD
