"""Which served values a transformation can produce."""

from __future__ import annotations

import math
from dataclasses import dataclass

from modelspec.compat.displacement import AFFINE, Interval, line
from modelspec.compat.encoding import codes
from modelspec.spec.feature import Feature

_SLACK = 0.01
_EXACT = 1e-9


@dataclass(frozen=True, slots=True)
class Produced:
    """The least and greatest value; `all_of_it`: the raw range is declared, so both are really reached."""

    values: Interval
    all_of_it: bool


def produced(field: Feature) -> Produced | None:
    """Return what the transformation and the stand-ins produce, or None where nothing limits it."""
    found = _transformed(field)
    if found is None:
        return None
    low, high = found.values
    missing = field.missing.value if field.missing is not None else None
    for value in (field.default, missing):
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            low, high = min(low, value), max(high, value)
    return Produced((low, high), found.all_of_it)


def _transformed(field: Feature) -> Produced | None:
    transform = field.transform
    raw = field.source.range if field.source is not None else None
    kind = transform.kind if transform is not None else "identity"
    if transform is None or kind == "identity":
        return None if raw is None else Produced(raw, all_of_it=True)
    if kind in AFFINE:
        drawn = line(transform, field.range)
        if drawn is None:
            return None
        if raw is None:
            bounded = kind == "minmax" and bool(transform.clip)
            return Produced((0.0, 1.0), all_of_it=False) if bounded else None
        ends = drawn.at(raw[0]), drawn.at(raw[1])
        return Produced((min(ends), max(ends)), all_of_it=True)
    if kind == "log":
        return _logarithm(field, raw)
    if kind == "bucket":
        return Produced((0.0, float(len(transform.edges))), all_of_it=True)
    if kind == "hash" and transform.buckets is not None:
        return Produced((0.0, transform.buckets - 1.0), all_of_it=True)
    known = codes(field).values()
    if kind == "ordinal" and known:
        return Produced((float(min(known)), float(max(known))), all_of_it=True)
    if kind == "onehot" and known:
        return Produced((0.0, 1.0), all_of_it=True)
    return None


def _logarithm(field: Feature, raw: Interval | None) -> Produced | None:
    if raw is None or field.transform is None:
        return None
    offset = field.transform.offset or 0.0
    base = field.transform.base if field.transform.base is not None else math.e
    if raw[0] + offset <= 0 or base <= 0 or base == 1:
        return None
    ends = (math.log(raw[0] + offset) / math.log(base), math.log(raw[1] + offset) / math.log(base))
    return Produced((min(ends), max(ends)), all_of_it=True)


def tolerance(values: Interval) -> float:
    """Return how far a written end may lie from a computed one: people round."""
    low, high = values
    return max(high * _SLACK - low * _SLACK, _EXACT * max(1.0, abs(low), abs(high)))
