"""One field, and one schema, judged by itself: what it promises must be possible."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Iterator

from modelspec.compat import describe
from modelspec.compat.encoding import codes, dimensions, is_symbolic, unknown_category
from modelspec.compat.flaw import Flaw, under
from modelspec.compat.numbers import class_of, is_number, overflows
from modelspec.compat.parameters import parameter_flaws
from modelspec.compat.produced import produced, tolerance
from modelspec.spec.feature import Feature, FeatureSchema, Scalar
from modelspec.tree.paths import fold
from modelspec.tree.place import Route
from modelspec.tree.text import visible


def schema_flaws(schema: FeatureSchema) -> Iterator[Flaw]:
    """Yield what is impossible in one schema, field by field."""
    folded: dict[str, tuple[int, str]] = {}
    for index, field in enumerate(schema.fields):
        other, name = folded.setdefault(fold(field.name), (index, field.name))
        if name != field.name:
            yield Flaw(
                ("fields", index, "name"),
                f"{field.name} and {name} are one name to whoever ignores case",
                "rename one of them: tables and columns of many stores ignore case",
                ("fields", other, "name"),
            )
        for flaw in field_flaws(field):
            yield under(("fields", index), flaw)


def field_flaws(field: Feature) -> Iterator[Flaw]:
    """Yield what is impossible in one field."""
    broken = list(_ranges(field))
    yield from broken
    parameters = list(parameter_flaws(field))
    yield from parameters
    yield from _applicable(field)
    yield from _names(field)
    yield from _sizes(field)
    if not broken:
        yield from _stand_ins(field)
    if not broken and not parameters:
        yield from _range_against_transform(field)


def _ranges(field: Feature) -> Iterator[Flaw]:
    """Ranges have two finite ends in order, and fit their type."""
    source = field.source
    for route, values, dtype in (
        (("range",), field.range, field.dtype),
        (("source", "range"), source.range if source is not None else None, source.dtype if source else ""),
    ):
        if values is None:
            continue
        low, high = values
        name = f"{field.name}'s {'range' if len(route) == 1 else 'raw range'}"
        if not math.isfinite(low) or not math.isfinite(high):
            yield Flaw(route, f"{name} has an end that is no finite number", "write two finite numbers")
        elif low > high:
            told = f"{name} is empty: {describe.number(low)} is above {describe.number(high)}"
            yield Flaw(route, told, f"write [{describe.number(high)}, {describe.number(low)}]")
        elif not is_number(dtype):
            yield Flaw(route, f"{name} is of a {dtype}: only numbers have one", "remove it")
        elif overflows(dtype, values):
            yield Flaw(
                route, f"{name} ({describe.interval(values)}) is more than {dtype} can hold",
                "correct the range, or widen the dtype",
            )  # fmt: skip


def _applicable(field: Feature) -> Iterator[Flaw]:
    """Keys that say nothing about values of this type."""
    kind = class_of(field.dtype)
    if field.categories and kind != "string":
        yield Flaw(
            ("categories",),
            f"{field.name} is served as {field.dtype}: categories are of what is served as strings",
            "move them to `source`",
        )
    if field.nan and kind != "float":
        yield Flaw(("nan",), f"{field.name} is {field.dtype}, which has no NaN", "write `nan: false`")
    for key, value in (("precision", field.precision), ("scale", field.scale)):
        if value is not None and kind != "decimal":
            yield Flaw((key,), f"{field.name} is {field.dtype}: only a decimal has a {key}", "remove it")
    if field.precision is not None and field.precision < max(1, field.scale or 0):
        yield Flaw(
            ("precision",),
            f"{field.name} has {field.precision} digits, {describe.word(field.scale)} of them decimals",
            "correct precision or scale",
        )
    if field.tz is not None and field.dtype != "timestamp":
        yield Flaw(("tz",), f"{field.name} is {field.dtype}: only a timestamp has a time zone", "remove it")
    identity = field.transform is None or field.transform.kind == "identity"
    raw = field.source.unit if field.source is not None else None
    if identity and field.unit is not None and raw is not None and field.unit != raw:
        yield Flaw(
            ("unit",),
            f"{field.name} is served in {describe.word(field.unit)}, its raw value is in "
            f"{describe.word(raw)}, and nothing converts it",
            "declare the `transform` that converts it, or correct the unit",
            ("source", "unit"),
        )


def _names(field: Feature) -> Iterator[Flaw]:
    """Categories and codes are told apart by everybody."""
    if field.alias == field.name:
        yield Flaw(("alias",), f"{field.name} is its own alias", "remove it")
    lists: list[tuple[Route, Iterable[str]]] = [(("categories",), field.categories)]
    if field.source is not None:
        lists.append((("source", "categories"), field.source.categories))
    for route, listed in lists:
        first: dict[str, tuple[int, str]] = {}
        for index, category in enumerate(listed):
            where, other = first.setdefault(unicodedata.normalize("NFC", category), (index, category))
            if where != index:
                yield Flaw(
                    (*route, index),
                    f"{field.name} has the category {visible(category)} twice"
                    + ("" if other == category else ", written with other code points"),
                    "remove one of them",
                )
    coded: dict[str, str] = {}
    for category in codes(field):
        other = coded.setdefault(unicodedata.normalize("NFC", category), category)
        if other != category and field.transform is not None and field.transform.codes is not None:
            yield Flaw(
                ("transform", "codes", category),
                f"{field.name} has two codes for {visible(category)}, written with other code points",
                "remove one of them",
            )


def _sizes(field: Feature) -> Iterator[Flaw]:
    """Shapes are possible, and as wide as what fills them."""
    for index, size in enumerate(field.shape):
        if isinstance(size, int) and (size == 0 or size < -1):
            yield Flaw(
                ("shape", index), f"{field.name} has a dimension of size {size}",
                "write its size, or -1 where it varies",
            )  # fmt: skip
    if not field.shape:
        return
    last = field.shape[-1]
    known = codes(field) if field.transform is not None and field.transform.kind == "onehot" else {}
    if known and not is_symbolic(last) and last != len(known):
        yield Flaw(
            ("shape",), f"{field.name} has {len(known)} codes, one-hot, in a vector of {last}",
            f"write `shape: [{len(known)}]`", ("transform",),
        )  # fmt: skip
    if field.embedding is not None and last != field.embedding.dimension:
        yield Flaw(
            ("shape",),
            f"{field.name} is an embedding of {field.embedding.dimension} dimensions in the shape "
            f"{describe.shape(dimensions(field))}",
            "correct the shape or the dimension",
            ("embedding", "dimension"),
        )


def _stand_ins(field: Feature) -> Iterator[Flaw]:
    """The default and the stand-in for a missing value are values that the field may have."""
    if field.default is not None:
        told = _foreign(field, field.default)
        if told is not None:
            yield Flaw(("default",), f"{field.name}'s default {told}", "correct the default", _limit(field))
    missing = field.missing
    if missing is None:
        return
    if missing.policy in ("constant", "category") and missing.value is None:
        yield Flaw(
            ("missing",), f"{field.name} puts a {missing.policy} where there is no value, and none is named",
            "add `value`",
        )  # fmt: skip
    elif missing.policy == "category":
        yield from _stand_in_category(field)
    elif missing.value is not None:
        told = _foreign(field, missing.value)
        if told is not None:
            fix = "correct it, or widen the range: it is served too"
            yield Flaw(("missing", "value"), f"{field.name}'s stand-in {told}", fix, _limit(field))


def _stand_in_category(field: Feature) -> Iterator[Flaw]:
    named, known = unknown_category(field), codes(field)
    listed = set(known) if known else set(field.categories)
    if not listed and not is_number(field.dtype):
        return
    if named not in listed:
        yield Flaw(
            ("missing", "value"),
            f"{field.name} maps what is missing to {describe.word(named)}, which has no code"
            if known
            else f"{field.name} maps what is missing to {describe.word(named)}, which is no category of it",
            "add it to the codes or categories",
            ("transform", "codes") if known else _limit(field),
        )


def _limit(field: Feature) -> Route | None:
    return ("range",) if field.range is not None else ("categories",) if field.categories else None


def _foreign(field: Feature, value: Scalar) -> str | None:
    """Say why a value can't be one of the field's, or None."""
    kind, told = class_of(field.dtype), describe.word(value)
    if is_number(field.dtype):
        if isinstance(value, bool) or not isinstance(value, int | float):
            return f"{told} is no number"
        if not math.isfinite(value):
            return None if field.nan else f"{told} is not finite, and NaN is not allowed"
        if kind == "integer" and value != int(value):
            return f"{told} is no whole number, as {field.dtype} has"
        if field.range is not None and not field.range[0] <= value <= field.range[1]:
            return f"{told} is outside of its range {describe.interval(field.range)}"
        return (
            f"{told} is more than {field.dtype} can hold" if overflows(field.dtype, (value, value)) else None
        )
    if kind == "bool":
        return None if isinstance(value, bool) else f"{told} is neither true nor false"
    if not isinstance(value, str):
        return f"{told} is no text, as {field.dtype} is written"
    if field.categories and value not in field.categories:
        return f"{told} is none of its categories"
    return None


def _range_against_transform(field: Feature) -> Iterator[Flaw]:
    """The declared range is what the transformation produces, up to a hundredth of its width."""
    if field.range is None or not is_number(field.dtype):
        return
    possible = produced(field)
    if possible is None:
        return
    slack = tolerance(possible.values)
    low, high = possible.values
    wide = field.range[0] < low - slack or field.range[1] > high + slack
    narrow = field.range[0] > low + slack or field.range[1] < high - slack
    kind = field.transform.kind if field.transform is not None else "identity"
    against: Route = ("transform",) if field.transform is not None else ("source", "range")
    if wide or (narrow and possible.all_of_it):
        yield Flaw(
            ("range",),
            f"{field.name}'s range is {describe.interval(field.range)}, "
            f"its transformation ({kind}) produces {describe.interval(possible.values)}",
            f"write `range: [{describe.number(low)}, {describe.number(high)}]`, or correct the transform",
            against,
        )
