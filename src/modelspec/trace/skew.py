"""A window of requests beside the contract and the training sample of a version: what `skew` found."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from modelspec.spec.feature import Feature
from modelspec.trace.bins import Bins, chance, ks_chance, psi, quantile
from modelspec.trace.contract import FACTORS, ViolationKind, code_names, limits
from modelspec.trace.measures import Measured, Stats
from modelspec.tree.record import Scalar

LOOK: Final = 0.1
WORRY: Final = 0.25
"""A PSI from which people begin to look, and to worry: the usual bounds."""
_DECILES: Final = tuple(tenth / 10 for tenth in range(1, 10))
_NEAR: Final = 0.1
"""How far quantiles may lie from those of another unit, as a share of their spread."""
_MOST: Final = 0.95


@dataclass(frozen=True, slots=True)
class Drift:
    """How far a feature moved from the training sample. `chance` is the PSI of no movement at all."""

    psi: float
    chance: float
    labels: tuple[str, ...]
    sample: tuple[float, ...]
    """The share of each bin in the training sample; the last one is that of missing values."""
    served: tuple[float, ...]
    ks: float | None = None
    ks_chance: float | None = None

    @property
    def word(self) -> str:
        """What people make of it."""
        if self.psi <= 3 * self.chance:
            return "none beyond chance"
        return "large" if self.psi >= WORRY else "moderate" if self.psi >= LOOK else "small"


@dataclass(frozen=True, slots=True)
class Shown:
    """One of the worst rows: its id, its values by field, and the violations in words by field."""

    id: str
    values: tuple[tuple[str, Scalar], ...]
    violations: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class FeatureSkew:
    """One feature of a window: its numbers, its violations by kind, its drift, and a word on units."""

    name: str
    feature: Feature | None
    stats: Stats
    violations: Mapping[ViolationKind, int]
    drift: Drift | None
    unit: str = ""

    @property
    def broken(self) -> int:
        """How many values break the contract."""
        return sum(self.violations.values())

    @property
    def share(self) -> float:
        """Which share of the rows breaks it."""
        return self.broken / self.stats.rows if self.stats.rows else 0.0


@dataclass(frozen=True, slots=True)
class Skew:
    """What a window of requests looks like to one version."""

    model: str
    version: str
    digest: str
    environment: str
    log: str
    since: datetime | None
    until: datetime | None
    rows: int
    features: tuple[FeatureSkew, ...]
    worst: tuple[Shown, ...]
    left_out: Mapping[str, int]
    """Reason -> records that were not judged."""
    examples: Mapping[str, Sequence[str]]
    notes: tuple[str, ...] = ()
    crossed: tuple[str, ...] = ()
    """The bounds that the caller set and that were crossed, in words."""


@dataclass(slots=True)
class Sampled:
    """Values of a column, picked evenly over the window: enough for quantiles, few enough to be held."""

    most: int = 20_000
    every: int = 1
    kept: list[list[float]] = field(default_factory=list)
    _seen: int = 0

    def take(self, rows: Sequence[Sequence[float]]) -> None:
        """Take in rows; of many, every second is dropped again, so that they lie evenly."""
        for row in rows[-self._seen % self.every :: self.every]:
            self.kept.append(list(row))
        self._seen += len(rows)
        while len(self.kept) > self.most:
            self.kept = self.kept[::2]
            self.every *= 2


def feature_skew(
    column: Measured,
    stats: Stats,
    typed: int,
    values: Sequence[float],
    ks: tuple[float, int, int] | None = None,
) -> FeatureSkew:
    """Return what one column says.

    `typed` counts values of a wrong type, which the table has as nulls; `values` are some of its finite
    numbers; `ks` is the exact distance with both sizes.
    """
    counted = Stats(
        stats.rows, max(0, stats.nulls - typed), stats.infinite, stats.outside, stats.uncoded,
        stats.least, stats.greatest, stats.mean, stats.deviation, stats.counts,
    )  # fmt: skip
    violations: dict[ViolationKind, int] = {"type": typed} if typed else {}
    violations |= counted.violations(column.feature)
    drift = _drift(column.bins, counted, ks)
    return FeatureSkew(
        column.name, column.feature, counted, violations, drift, unit_shift(column, values, drift)
    )


def _drift(bins: Bins | None, stats: Stats, ks: tuple[float, int, int] | None) -> Drift | None:
    if bins is None or not stats.rows:
        return None
    sample, served = bins.sample, stats.counts
    labels = bins.labels
    missing = stats.rows - sum(served)
    if bins.missing or missing:
        labels, sample, served = (*labels, "missing"), (*sample, bins.missing), (*served, missing)
    total, rows = sum(sample), sum(served)
    distance, one, other = ks if ks is not None else (None, 0, 0)
    return Drift(
        psi(sample, served), chance(len(sample), total, rows), labels,
        tuple(count / max(total, 1) for count in sample), tuple(count / max(rows, 1) for count in served),
        distance, None if distance is None else ks_chance(distance, one, other),
    )  # fmt: skip


def unit_shift(column: Measured, values: Sequence[float], drift: Drift | None) -> str:
    """Return which other unit the values look like, or "" where they look like none.

    By the deciles of the training sample: another unit multiplies all of them by one factor. Without a
    sample, by the range: nearly all of the values are outside, and would be inside. Codes have no unit.
    """
    feature = column.feature
    finite = sorted(value for value in values if math.isfinite(value))
    if len(finite) < 20 or feature is None or code_names(feature) is not None:
        return ""
    if drift is not None and column.bins is not None:
        if drift.psi < WORRY:
            return ""
        wanted = [quantile(column.bins, share) for share in _DECILES]
        if None in wanted:
            return ""
        return _scaled([one for one in wanted if one is not None], finite)
    bounds = limits(feature)
    return _inside(finite, bounds) if bounds is not None else ""


def _candidates() -> list[tuple[float, float, str]]:
    """Return (factor, term, words): what was served is factor * expected + term."""
    found = [
        (1.8, 32.0, "degrees Fahrenheit for Celsius"),
        (1 / 1.8, -32 / 1.8, "degrees Celsius for Fahrenheit"),
    ]
    for factor, words in FACTORS:
        found.append((factor, 0.0, f"{factor:g} times too large: {words}"))
        found.append((1 / factor, 0.0, f"{factor:g} times too small: the other way round than {words}"))
    return found


def _scaled(wanted: Sequence[float], finite: Sequence[float]) -> str:
    have = [finite[min(len(finite) - 1, int(share * len(finite)))] for share in _DECILES]
    spread = max(wanted) - min(wanted)
    if spread <= 0:
        return ""

    def off(factor: float, term: float) -> float:
        apart = [abs(value - (factor * one + term)) for value, one in zip(have, wanted, strict=True)]
        return sum(apart) / len(apart) / (spread * factor)

    unchanged = off(1.0, 0.0)
    best, words = min((off(factor, term), words) for factor, term, words in _candidates())
    return words if best < _NEAR and best < unchanged / 4 else ""


def _inside(finite: Sequence[float], bounds: tuple[float, float]) -> str:
    def share(factor: float, term: float) -> float:
        return sum(bounds[0] <= (value - term) / factor <= bounds[1] for value in finite) / len(finite)

    if share(1.0, 0.0) > 1 - _MOST:
        return ""
    fitting = [
        (abs(math.log(factor)), words)
        for factor, term, words in _candidates()
        if share(factor, term) >= _MOST
    ]
    # Of several the smallest step explains it.
    return min(fitting)[1] if fitting else ""


def crossed(features: Sequence[FeatureSkew], bounds: Mapping[str, float]) -> tuple[str, ...]:
    """Return the bounds that were crossed: `psi`, `violations` (a share of the rows), `ks`, by feature."""
    found = []
    for one in features:
        measures = {
            "psi": one.drift.psi if one.drift is not None and one.drift.psi > 3 * one.drift.chance else None,
            "violations": one.share,
            "ks": one.drift.ks if one.drift is not None else None,
        }
        for name, bound in bounds.items():
            value = measures[name]
            if value is not None and value > bound:
                found.append(f"{one.name}: {name} {value:.4g} is above {bound:g}")
    return tuple(found)
