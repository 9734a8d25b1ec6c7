"""How far what is served lies from what a model expects, for affine transformations.

The displacement is the largest distance, over the raw values that either side declares, between what S
serves and what T expects for one raw value, over the width of T's range. Both sides are piecewise linear
(a line, cut off by `clip`), so is their difference, and the largest distance is at an end of the raw
range or where one of the two starts to be clipped.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from modelspec.spec.feature import Feature, Transform

AFFINE: Final = frozenset({"minmax", "zscore", "linear"})
"""The kinds of transformation that have a displacement."""
TOLERANCE: Final = 0.01
"""The displacement up to which a changed parameter may be revalidated; above it is breaking."""
UNBOUNDED_ZSCORE: Final = 6.0
"""The width of a z-score without a range: three standard deviations to each side."""

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Line:
    """slope * raw + intercept, cut off at `low` and `high` where it is clipped.

    Exact: a span of -1e308 to 1e308 overflows in floats, and a narrow one far from 0 is lost in rounding.
    """

    slope: Fraction
    intercept: Fraction
    low: float = -math.inf
    high: float = math.inf

    @classmethod
    def scaled(cls, origin: float, width: float | Fraction, *clip: float) -> Line:
        """Return the line that is 0 at `origin` and 1 a width further on; all finite, the width not 0."""
        slope = 1 / Fraction(width)
        return cls(slope, -Fraction(origin) * slope, *clip)

    def at(self, raw: float | Fraction) -> float:
        """Return what is served for a finite raw value; infinite where no float is so large."""
        return min(max(_float(self.slope * Fraction(raw) + self.intercept), self.low), self.high)

    def before(self, served: float) -> float:
        """Return the raw value that gives a finite one where nothing is clipped; the slope is not 0."""
        return _float((Fraction(served) - self.intercept) / self.slope)

    def bends(self) -> list[Fraction]:
        """Return the raw values at which clipping starts."""
        if self.slope == 0:
            return []
        ends = (end for end in (self.low, self.high) if math.isfinite(end))
        return [(Fraction(end) - self.intercept) / self.slope for end in ends]


def _float(exact: Fraction) -> float:
    try:
        return float(exact)
    except OverflowError:
        return math.inf if exact > 0 else -math.inf


def line(transform: Transform, served: Interval | None) -> Line | None:
    """Return the line of an affine transformation, or None when a parameter is missing or impossible.

    A minmax clips to 0..1; the others clip to the range that is served, if one is declared.
    """
    low, high = (-math.inf, math.inf) if served is None or not transform.clip else served
    if transform.kind == "minmax":
        if transform.min is None or transform.max is None or not transform.max > transform.min:
            return None
        low, high = (0.0, 1.0) if transform.clip else (-math.inf, math.inf)
        return Line.scaled(transform.min, Fraction(transform.max) - Fraction(transform.min), low, high)
    if transform.kind == "zscore":
        if transform.mean is None or transform.std is None or not transform.std > 0:
            return None
        return Line.scaled(transform.mean, transform.std, low, high)
    if transform.kind == "linear":
        if transform.slope is None or transform.intercept is None:
            return None
        return Line(Fraction(transform.slope), Fraction(transform.intercept), low, high)
    return None


def raw_range(field: Feature) -> Interval | None:
    """Return the range of the raw values: the declared one, else what the parameters suggest, or None."""
    if field.source is not None and field.source.range is not None:
        return field.source.range
    transform = field.transform
    if transform is None:
        return None
    if transform.kind == "minmax" and transform.min is not None and transform.max is not None:
        return (transform.min, transform.max)
    if transform.kind == "zscore" and transform.mean is not None and transform.std is not None:
        return (transform.mean - 3 * transform.std, transform.mean + 3 * transform.std)
    return None


def width(field: Feature) -> float | None:
    """Return the width that a displacement is measured in: that of the served range, or None."""
    if field.range is not None:
        return field.range[1] - field.range[0]
    if field.transform is not None and field.transform.kind == "zscore":
        return UNBOUNDED_ZSCORE
    return None


def displacement(trained: Feature, served: Feature) -> float | None:
    """Return the displacement of two affine transformations of one kind, or None where it has no measure.

    1.0 is the whole width of the range that the model was trained on.
    """
    if trained.transform is None or served.transform is None:
        return None
    if trained.transform.kind != served.transform.kind or trained.transform.kind not in AFFINE:
        return None
    ours, theirs = line(trained.transform, trained.range), line(served.transform, served.range)
    first, second = raw_range(trained), raw_range(served)
    if ours is None or theirs is None or first is None or second is None:
        return None
    raw = (min(first[0], second[0]), max(first[1], second[1]))
    return relative(distance(ours, theirs, raw), width(trained))


def distance(first: Line, second: Line, raw: Interval) -> float:
    """Return the largest distance of two lines over the raw values of an interval; NaN if it is infinite."""
    low, high = raw
    if not math.isfinite(low) or not math.isfinite(high):
        return math.nan
    points: list[float | Fraction] = [low, high]
    points += [at for at in (*first.bends(), *second.bends()) if low < at < high]
    return max(abs(first.at(at) - second.at(at)) for at in points)


def constants(trained: float, served: float, field: Feature) -> float | None:
    """Return the displacement of two imputed constants, over the width of the trained range."""
    return relative(abs(trained - served), width(field))


def relative(moved: float, over: float | None) -> float | None:
    """Return a distance as a share of a width, or None where the width is no measure."""
    if over is None or not math.isfinite(moved) or not math.isfinite(over) or over < 0:
        return None
    if over == 0:
        return 0.0 if moved == 0 else None
    return moved / over
