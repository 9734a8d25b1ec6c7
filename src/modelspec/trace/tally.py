"""Many replays summed up in bounded memory: how many are equal, how far the others are off, which decisions
changed, and the worst with their ids.

Sums of parts can be merged, so that several processes may share a log.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from modelspec.trace.comparison import FAR, VERDICTS, Rows, Verdict, compare_rows, decisions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from modelspec.spec.model import Threshold

WORST: Final = 10
"""How many of the worst are kept."""
_STEPS: Final = 32
"""Steps of the histogram of differences in a decade: a quantile is exact to 7.5 %."""
_LOW: Final = -24
_HIGH: Final = 24
QUANTILES: Final = (0.5, 0.9, 0.99, 0.999)


@dataclass(frozen=True, slots=True, order=True)
class Case:
    """One request whose answer is another: sorts by how far it is off."""

    difference: float
    ulps: int
    id: str
    row: int
    output: str
    was: str
    now: str


@dataclass(slots=True)
class Decisions:
    """What one threshold decided then and now, in rows."""

    kept: int = 0
    to_true: int = 0
    to_false: int = 0
    unclear: int = 0
    """Rows whose output has no one number for it."""
    examples: list[str] = field(default_factory=list)
    """The first few ids whose decision changed."""


@dataclass(slots=True)
class Tally:
    """The sum of many comparisons, in rows; `requests` counts requests."""

    requests: int = 0
    rows: int = 0
    verdicts: list[int] = field(default_factory=lambda: [0] * len(VERDICTS))
    unlogged: int = 0
    """Rows whose answer was not logged: nothing to compare with."""
    most_ulps: int = 0
    measureless: int = 0
    """Rows that differ without a measure: another shape, a number beside NaN, texts."""
    greatest: float = 0.0
    differences: dict[int, int] = field(default_factory=dict)
    """Bin of the logarithm -> rows; rows without a difference are in none."""
    thresholds: dict[str, Decisions] = field(default_factory=dict)
    worst: list[Case] = field(default_factory=list)

    def merge(self, other: Tally) -> None:
        """Take in what was summed up elsewhere."""
        self.requests += other.requests
        self.rows += other.rows
        self.unlogged += other.unlogged
        self.measureless += other.measureless
        self.verdicts = [one + two for one, two in zip(self.verdicts, other.verdicts, strict=True)]
        self.most_ulps = max(self.most_ulps, other.most_ulps)
        self.greatest = max(self.greatest, other.greatest)
        for bin_, count in other.differences.items():
            self.differences[bin_] = self.differences.get(bin_, 0) + count
        for name, theirs in other.thresholds.items():
            mine = self.thresholds.setdefault(name, Decisions())
            mine.kept += theirs.kept
            mine.to_true += theirs.to_true
            mine.to_false += theirs.to_false
            mine.unclear += theirs.unclear
            mine.examples = [*mine.examples, *theirs.examples][:3]
        self.worst = heapq.nlargest(WORST, [*self.worst, *other.worst])

    def count(self, verdict: Verdict) -> int:
        """Return how many rows have a verdict."""
        return self.verdicts[VERDICTS.index(verdict)]

    @property
    def compared(self) -> int:
        """How many rows were compared."""
        return sum(self.verdicts)

    def quantile(self, share: float) -> float | None:
        """Return the difference that a share of the compared rows does not exceed; None: some have none.

        Exact to 7.5 %, and never more than the greatest.
        """
        total = self.compared - self.measureless
        if total <= 0:
            return None
        zeros = total - sum(self.differences.values())
        wanted = share * total
        seen = float(zeros)
        if seen >= wanted:
            return 0.0
        for bin_, count in sorted(self.differences.items()):
            seen += count
            if seen >= wanted:
                edge: float = 10.0 ** ((bin_ + 1) / _STEPS + _LOW)
                return min(edge, self.greatest)
        return self.greatest

    def add(
        self,
        ids: Sequence[str],
        owner: NDArray[Any],
        was: Mapping[str, NDArray[Any]],
        now: Mapping[str, NDArray[Any]],
        tolerance: float,
        thresholds: Sequence[Threshold] = (),
    ) -> NDArray[Any]:
        """Add rows, and return the index of each one's verdict; `owner` is the index into `ids` of each."""
        import numpy as np

        rows = len(owner)
        self.requests += len(ids)
        self.rows += rows
        both = [name for name in was if name in now]
        if not both:
            self.unlogged += rows
            return np.zeros(rows, np.uint8)
        verdicts = np.zeros(rows, np.uint8)
        worst = np.zeros(rows)
        ulps = np.zeros(rows, np.int64)
        output = np.zeros(rows, np.int64)
        for index, name in enumerate(both):
            found = _rows(was[name], now[name], tolerance, rows)
            output = np.where(found.differences > worst, index, output)
            verdicts = np.maximum(verdicts, found.verdicts)
            worst = np.maximum(worst, found.differences)
            ulps = np.maximum(ulps, found.ulps)
        for index, count in enumerate(np.bincount(verdicts, minlength=len(VERDICTS)).tolist()):
            self.verdicts[index] += count
        off = np.flatnonzero(verdicts)
        if len(off):
            self._off(worst, ulps, off)
            self._worst(ids, owner, was, now, both, output, worst, ulps, off)
        for threshold in thresholds:
            self._decide(threshold, ids, owner, was, now)
        return verdicts

    def _off(self, worst: NDArray[Any], ulps: NDArray[Any], off: NDArray[Any]) -> None:
        import numpy as np

        finite = worst[off][np.isfinite(worst[off])]
        self.measureless += len(off) - len(finite)
        finite = finite[finite > 0]
        if len(finite):
            self.greatest = max(self.greatest, float(finite.max()))
            logs = np.clip(np.log10(finite), _LOW, _HIGH)
            bins, counts = np.unique(np.floor((logs - _LOW) * _STEPS).astype(np.int64), return_counts=True)
            for bin_, count in zip(bins.tolist(), counts.tolist(), strict=True):
                self.differences[bin_] = self.differences.get(bin_, 0) + count
        measured = ulps[off][ulps[off] < FAR]
        self.most_ulps = max(self.most_ulps, int(measured.max(initial=0)))

    def _worst(
        self,
        ids: Sequence[str],
        owner: NDArray[Any],
        was: Mapping[str, NDArray[Any]],
        now: Mapping[str, NDArray[Any]],
        both: Sequence[str],
        output: NDArray[Any],
        worst: NDArray[Any],
        ulps: NDArray[Any],
        off: NDArray[Any],
    ) -> None:
        import numpy as np

        least = self.worst[-1].difference if len(self.worst) == WORST else -1.0
        off = off[worst[off] > least]
        if len(off) > WORST:
            off = off[np.argpartition(worst[off], -WORST)[-WORST:]]
        found = []
        for row in off.tolist():
            request = int(owner[row])
            name = both[int(output[row])]
            first = int(np.searchsorted(owner, request))
            found.append(
                Case(
                    float(worst[row]), int(ulps[row]), ids[request], row - first, name,
                    _shown(was[name], row), _shown(now[name], row),
                )
            )  # fmt: skip
        self.worst = heapq.nlargest(WORST, [*self.worst, *found])

    def _decide(
        self,
        threshold: Threshold,
        ids: Sequence[str],
        owner: NDArray[Any],
        was: Mapping[str, NDArray[Any]],
        now: Mapping[str, NDArray[Any]],
    ) -> None:
        import numpy as np

        told = self.thresholds.setdefault(threshold.name, Decisions())
        before, after = was.get(threshold.output), now.get(threshold.output)
        rows = len(owner)
        if before is None or after is None or before.size != rows or after.size != rows:
            told.unclear += rows
            return
        then, today = decisions(threshold, before), decisions(threshold, after)
        told.kept += int((then == today).sum())
        told.to_true += int((~then & today).sum())
        told.to_false += int((then & ~today).sum())
        for row in np.flatnonzero(then != today)[: max(0, 3 - len(told.examples))].tolist():
            told.examples.append(ids[int(owner[row])])


def _rows(was: NDArray[Any], now: NDArray[Any], tolerance: float, rows: int) -> Rows:
    """Compare, and let every row of what can't be compared be different without a measure."""
    import numpy as np

    try:
        return compare_rows(was, now, tolerance)
    except ValueError:
        return Rows(np.full(rows, 2, np.uint8), np.full(rows, FAR), np.full(rows, np.inf))


def _shown(array: NDArray[Any], row: int) -> str:
    values = array[row].reshape(-1) if array.ndim > 1 else array[row : row + 1]
    shown = ", ".join(str(value) for value in values[:4].tolist())
    return shown + (", ..." if len(values) > 4 else "")
