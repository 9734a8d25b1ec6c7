"""What the number types hold: which type holds another's values, and which ranges fit exactly."""

from __future__ import annotations

import math
from typing import Final, Literal

Class = Literal["integer", "float", "decimal", "bool", "string", "bytes", "time"]

_INTEGERS: Final[dict[str, tuple[int, int]]] = {
    **{f"int{bits}": (-(1 << bits - 1), (1 << bits - 1) - 1) for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": (0, (1 << bits) - 1) for bits in (8, 16, 32, 64)},
}
# Significant bits, and the greatest finite value (IEEE 754; bfloat16 is the upper half of a float32).
_FLOATS: Final[dict[str, tuple[int, float]]] = {
    "float16": (11, 65504.0),
    "bfloat16": (8, (2 - 2**-7) * 2.0**127),
    "float32": (24, (2 - 2**-23) * 2.0**127),
    "float64": (53, math.ldexp(2 - 2**-52, 1023)),
}
_CLASSES: Final[dict[str, Class]] = {
    **dict.fromkeys(_INTEGERS, "integer"),
    **dict.fromkeys(_FLOATS, "float"),
    "decimal": "decimal",
    "bool": "bool",
    "string": "string",
    "bytes": "bytes",
    "date": "time",
    "timestamp": "time",
}

Bounds = tuple[float, float]


def class_of(dtype: str) -> Class:
    """Return the class of a type; types of one class may be compared by what they hold."""
    return _CLASSES[dtype]


def is_number(dtype: str) -> bool:
    """Whether values of this type are numbers that a transformation can scale."""
    return _CLASSES[dtype] in ("integer", "float", "decimal")


def holds(wide: str, narrow: str) -> bool:
    """Whether every value of `narrow` is a value of `wide`, bit for bit or exactly converted."""
    if wide == narrow:
        return True
    if narrow in _INTEGERS:
        low, high = _INTEGERS[narrow]
        return holds_range(wide, narrow, (low, high))
    if narrow in _FLOATS and wide in _FLOATS:
        bits, top = _FLOATS[narrow]
        wide_bits, wide_top = _FLOATS[wide]
        return wide_bits >= bits and wide_top >= top
    return False


def holds_range(wide: str, narrow: str, values: Bounds) -> bool:
    """Whether `wide` holds every value of type `narrow` within `values` (both ends inclusive) exactly."""
    if narrow not in _INTEGERS:
        # Between any two floats lie values that a narrower float rounds.
        return holds(wide, narrow)
    low, high = values
    if wide in _INTEGERS:
        least, most = _INTEGERS[wide]
        return least <= low and high <= most
    if wide in _FLOATS:
        exact = 1 << _FLOATS[wide][0]
        return -exact <= low and high <= exact
    return False


def overflows(dtype: str, values: Bounds) -> bool:
    """Whether a number within `values` lies outside of what the type can hold at all."""
    low, high = values
    if dtype in _INTEGERS:
        least, most = _INTEGERS[dtype]
        return low < least or high > most
    if dtype in _FLOATS:
        top = _FLOATS[dtype][1]
        return low < -top or high > top
    return False


def bounds(dtype: str) -> Bounds | None:
    """Return the least and greatest value of an integer type, or None."""
    return _INTEGERS.get(dtype)
