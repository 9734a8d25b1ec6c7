"""The values that a model got beside the contract that it was trained on; each violation marked."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from modelspec.compat.describe import interval, number, parameters
from modelspec.compat.displacement import line
from modelspec.compat.encoding import codes
from modelspec.spec.feature import Feature
from modelspec.trace.columns import Column
from modelspec.tree.record import Scalar, Values
from modelspec.tree.text import visible

ViolationKind = Literal["type", "null", "nan", "range", "category"]
KINDS: Final[tuple[ViolationKind, ...]] = ("type", "null", "nan", "range", "category")
_PACKED: Final = {"float16": "<e", "float32": "<f"}
_INTEGER: Final = frozenset(
    {"int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"}
)  # fmt: skip
_NUMBER: Final = _INTEGER | {"float16", "bfloat16", "float32", "float64", "bool"}
FACTORS: Final[tuple[tuple[float, str], ...]] = (
    (1000.0, "thousands, as metres for kilometres"),
    (1.609344, "kilometres for miles"),
    (3.6, "km/h for m/s"),
    (60.0, "minutes for hours, or seconds for minutes"),
    (3600.0, "seconds for hours"),
    (24.0, "hours for days"),
    (100.0, "hundreds, as per cent for shares"),
    (3.28084, "feet for metres"),
    (2.2046226, "pounds for kilograms"),
    (25.4, "millimetres for inches"),
    (1_000_000.0, "millions"),
)
"""Factors between units that are taken for one another, and what they are in words."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One way in which a value breaks its contract, in words."""

    kind: ViolationKind
    message: str


@dataclass(frozen=True, slots=True)
class Judged:
    """One field of one row: what the model got, what that means, and what the contract says of it.

    `value` is None where it was null or is hidden; a field of several numbers has a tuple.
    """

    row: int
    name: str
    value: Scalar | tuple[Scalar, ...]
    raw: str
    """What the value was before the transformation, where that can be told: `60 km`, `ber`."""
    feature: Feature | None
    violations: tuple[Violation, ...]
    hidden: bool = False


def judged(
    tensors: Mapping[str, Values], columns: Sequence[Column], hidden: frozenset[str] = frozenset()
) -> Iterator[Judged]:
    """Yield every field of every row, in the order of the columns; `tensors` are what `matched` returns."""
    for column in columns:
        tensor = tensors.get(column.tensor)
        if tensor is None:
            continue
        rows = tensor.shape[0] if tensor.shape else 1
        size = len(tensor.data) // rows if rows else 0
        for row in range(rows):
            start = row * size + column.start
            values = tuple(tensor.data[start : start + column.size])
            yield _judged(row, column, values, hidden)


def _judged(row: int, column: Column, values: tuple[Scalar, ...], hidden: frozenset[str]) -> Judged:
    feature = column.feature
    shown = values[0] if len(values) == 1 else values
    if column.name in hidden or column.name.rpartition(".")[2] in hidden:
        return Judged(row, column.name, None, "", feature, (), hidden=True)
    if feature is None:
        return Judged(row, column.name, shown, "", None, ())
    return Judged(
        row, column.name, shown, meaning(values, feature), feature, tuple(violations(values, feature))
    )


def violations(values: Sequence[Scalar], feature: Feature) -> Iterator[Violation]:
    """Yield how the numbers (or the text) of one field break its contract; each kind once."""
    seen: set[str] = set()
    for value in values:
        for found in _of_one(value, feature):
            if found.kind not in seen:
                seen.add(found.kind)
                yield found
    if feature.transform is not None and feature.transform.kind == "onehot" and not seen and len(values) > 1:
        ones = sum(1 for value in values if value)
        if ones != 1:
            yield Violation("category", f"{ones} of its {len(values)} columns are set, not one")


def _of_one(value: Scalar, feature: Feature) -> Iterator[Violation]:
    if value is None:
        if feature.nullable is False:
            yield Violation("null", "null, and never null is declared")
        return
    if not typed(value, feature.dtype):
        told = "a text" if isinstance(value, str) else f"{visible(str(value), 40)}"
        yield Violation("type", f"{told} is no {feature.dtype}")
        return
    if isinstance(value, str | bytes):
        text = value if isinstance(value, str) else value.decode("utf-8", "replace")
        if feature.categories and text not in feature.categories:
            yield Violation(
                "category", f"{visible(text, 40)} is none of its {len(feature.categories)} categories"
            )
        return
    if isinstance(value, float) and not math.isfinite(value):
        if not feature.nan and not (math.isnan(value) and feature.nullable):
            yield Violation("nan", f"{value}, and only finite numbers are declared")
        return
    known = code_names(feature)
    if known is not None:
        if value not in known:
            yield Violation("category", f"{number(float(value))} is no code of it ({_codes(known)})")
        return
    bounds = limits(feature)
    if bounds is not None and not bounds[0] <= value <= bounds[1]:
        hint = unit_hint(float(value), bounds)
        more = f"; {hint}" if hint else ""
        yield Violation("range", f"{number(float(value))} is outside {interval(feature.range)}{more}")


def typed(value: Scalar, dtype: str) -> bool:
    """Whether a value is one that the type can hold; a whole number may stand for a float."""
    if dtype in ("string", "decimal", "date", "timestamp"):
        return isinstance(value, str | bytes) or (dtype != "string" and not isinstance(value, bool))
    if dtype == "bytes":
        return isinstance(value, bytes | str)
    if isinstance(value, str | bytes):
        return False
    if dtype in _INTEGER:
        whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        return whole and not isinstance(value, bool)
    return dtype not in _NUMBER or dtype == "bool" or not isinstance(value, bool)


def limits(feature: Feature) -> tuple[float, float] | None:
    """Return the range as its type holds it: the float32 nearest to 0.1 is above 0.1, and no violation."""
    if feature.range is None:
        return None
    low, high = feature.range
    form = _PACKED.get(feature.dtype)
    return (low, high) if form is None else (min(low, rounded(low, form)), max(high, rounded(high, form)))


def rounded(value: float, form: str) -> float:
    """Return the nearest number of a narrower type; infinite where it is too large for it."""
    try:
        found: float = struct.unpack(form, struct.pack(form, value))[0]
    except OverflowError:
        return math.copysign(math.inf, value)
    return found


def code_names(feature: Feature) -> dict[int, str] | None:
    """Return code -> category of a field that holds codes; None when any number may stand there."""
    transform = feature.transform
    if transform is None:
        return None
    if transform.kind == "ordinal":
        return {code: category for category, code in codes(feature).items()} or None
    if transform.kind == "onehot":
        return {0: "not", 1: "this one"}
    if transform.kind == "bucket" and transform.edges:
        return {index: f"bucket {index}" for index in range(len(transform.edges) + 1)}
    return None


def meaning(values: Sequence[Scalar], feature: Feature) -> str:
    """Return what values were before their transformation, or "" where that can't be told."""
    transform = feature.transform
    if transform is None or any(value is None or isinstance(value, str | bytes) for value in values):
        return ""
    if transform.kind == "onehot":
        names = sorted(codes(feature).items(), key=lambda pair: pair[1])
        return ", ".join(visible(name, 40) for name, code in names if code < len(values) and values[code])
    if len(values) != 1:
        return ""
    [value] = values
    assert isinstance(value, int | float)
    if not math.isfinite(value):
        return ""
    known = code_names(feature)
    if known is not None:
        return visible(known[int(value)], 40) if value in known else ""
    straight = line(transform, feature.range)
    if straight is None or straight.slope == 0:
        return ""
    unit = feature.source.unit if feature.source is not None and feature.source.unit else ""
    at_end = "at most " if value <= straight.low else "at least " if value >= straight.high else ""
    return f"{at_end}{number(straight.before(value))} {unit}".rstrip()


def unit_hint(value: float, bounds: tuple[float, float]) -> str:
    """Return a word on units when a value that is outside would be inside, were it another unit.

    Only for a value that is too large by such a factor: a small one is inside by itself.
    """
    low, high = bounds
    for factor, words in FACTORS[:1]:
        if high > 0 and value > high * 10 and low <= value / factor <= high:
            return f"a thousandth of it would be inside ({words}?)"
    return ""


def contract_words(feature: Feature) -> str:
    """Return a field's contract on one line: type, unit, range, codes, transformation, nulls."""
    parts: list[str] = [feature.dtype]
    if feature.unit is not None and feature.unit != "1":
        parts.append(visible(feature.unit, 20))
    if feature.range is not None and code_names(feature) is None:
        parts.append(interval(feature.range) + (" (observed)" if feature.origin == "observed" else ""))
    known = code_names(feature)
    if feature.transform is not None and feature.transform.kind == "ordinal" and known:
        parts.append(f"ordinal ({_codes(known)})")
    elif feature.transform is not None and feature.transform.kind != "identity":
        parts.append(parameters(feature))
    if feature.categories:
        shown = ", ".join(visible(one, 20) for one in feature.categories[:4])
        parts.append(f"one of {shown}{', ...' if len(feature.categories) > 4 else ''}")
    parts.append({True: "may be null", False: "never null", None: ""}[feature.nullable])
    return ", ".join(part for part in parts if part)


def _codes(known: Mapping[int, str]) -> str:
    shown = [f"{code} {visible(name, 20)}" for code, name in sorted(known.items())]
    return ", ".join(shown[:5]) + (f" and {len(shown) - 5} more" if len(shown) > 5 else "")
