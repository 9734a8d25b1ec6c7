"""Parts 1 to 6 of a field's contract: type and shape, nulls, defaults, unit, range or categories, NaN."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Final

from modelspec.compat import describe
from modelspec.compat.change import Change, Pair
from modelspec.compat.displacement import TOLERANCE, constants
from modelspec.compat.encoding import dimensions, is_symbolic
from modelspec.compat.numbers import bounds, class_of, holds, holds_range, is_number, overflows
from modelspec.compat.table import Verdict
from modelspec.spec.feature import Feature, Missing, Scalar

S, R, B = Verdict.S, Verdict.R, Verdict.B
TYPE, NULLS, DEFAULTS, UNIT, VALUES, NAN = 1, 2, 3, 4, 5, 6
_FILLS: Final = frozenset({"constant", "mean", "median", "mode", "category", "indicator"})
"""Missing policies that put a value where there is none."""
_STATISTICS: Final = frozenset({"constant", "mean", "median", "mode"})
_HALF: Final = 0.5


def type_and_shape(pair: Pair) -> Iterator[Change]:
    """Part 1: the type, the digits of a decimal, and the shape."""
    trained, served = pair.trained.dtype, pair.served.dtype
    if trained != served:
        yield _type(pair)
    elif trained == "decimal":
        yield from _decimal(pair)
    if dimensions(pair.trained) != dimensions(pair.served):
        yield from _shape(pair)


def _type(pair: Pair) -> Change:
    trained, served = pair.trained.dtype, pair.served.dtype
    ours, theirs = class_of(trained), class_of(served)
    if ours == theirs and ours in ("integer", "float"):
        fits = _fits(pair)
        if holds(pair.new.dtype, pair.old.dtype) or holds(pair.old.dtype, pair.new.dtype):
            wider = holds(pair.new.dtype, pair.old.dtype)
            unless = None if holds(trained, served) else fits
            return pair.mirrored(
                "width", TYPE, "", forward=wider, trained=trained, served=served, unless=unless
            )
        return pair.change("format", TYPE, "", trained, served, unless=fits)
    if {ours, theirs} == {"integer", "float"}:
        row = "int-float" if class_of(pair.new.dtype) == "float" else "float-int"
        exact = ours == "float" and _fits(pair) is S
        return pair.change(row, TYPE, "", trained, served, unless=S if exact else None)
    if is_number(trained) and is_number(served):
        return pair.change("decimal-scale", TYPE, "", trained, served)
    return pair.change("kind-of-type", TYPE, "", trained, served)


def _fits(pair: Pair) -> Verdict | None:
    """S when the served values fit exactly into the trained type, B when they overflow it, else None."""
    trained, served = pair.trained.dtype, pair.served.dtype
    declared = proven_range(pair.served)
    values = declared if declared is not None else bounds(served)
    if values is None:
        return None
    if holds_range(trained, served, values):
        return S
    # Without a declared range it is only the type that could overflow.
    return B if declared is not None and overflows(trained, declared) else None


def _decimal(pair: Pair) -> Iterator[Change]:
    trained, served = pair.trained, pair.served
    digits = (trained.precision, trained.scale), (served.precision, served.scale)
    if digits[0] == digits[1]:
        return
    ours, theirs = (f"decimal({describe.word(p)}, {describe.word(s)})" for p, s in digits)
    if None in digits[0] or None in digits[1]:
        yield pair.change("declared-once", TYPE, "", ours, theirs)
    elif trained.scale != served.scale:
        yield pair.change("decimal-scale", TYPE, "", ours, theirs)
    else:
        assert trained.precision is not None and trained.scale is not None and served.precision is not None
        raised = (pair.new.precision or 0) > (pair.old.precision or 0)
        values = proven_range(served)
        top = 10.0 ** (trained.precision - trained.scale)
        over = (
            served.precision > trained.precision and values is not None and max(-values[0], values[1]) >= top
        )
        yield pair.mirrored(
            "decimal-precision", TYPE, "", forward=raised, trained=ours, served=theirs,
            unless=B if over else None,
        )  # fmt: skip


def _shape(pair: Pair) -> Iterator[Change]:
    old, new = dimensions(pair.old), dimensions(pair.new)
    row: str | None = None
    for before, after in zip(old, new, strict=False):
        if is_symbolic(before) and is_symbolic(after):
            continue
        if before != after and not is_symbolic(before) and not is_symbolic(after):
            row = "shape"
            break
        if is_symbolic(before) != is_symbolic(after):
            found = "dimension-fixed" if is_symbolic(before) else "dimension-symbolic"
            # One dimension loosened and another tightened fits neither way.
            row = found if row in (None, found) else "shape"
    if len(old) != len(new):
        row = "shape"
    if row is not None:
        ours, theirs = describe.shape(dimensions(pair.trained)), describe.shape(dimensions(pair.served))
        yield pair.change(row, TYPE, "'s shape", ours, theirs)


def nullability(pair: Pair) -> Iterator[Change]:
    """Part 2: whether a value may be null."""
    trained, served = pair.trained.nullable, pair.served.nullable
    if trained == served:
        return
    words = {True: "nullable", False: "never null", None: "silent about nulls"}
    row = (
        "declared-once" if None in (trained, served) else "nullable" if pair.new.nullable else "not-nullable"
    )
    filled = trained is False and served is True and fills(pair.trained)
    yield pair.change(row, NULLS, "", words[trained], words[served], unless=R if filled else None)


def fills(field: Feature) -> bool:
    """Whether the field has a policy that puts a value where there is none."""
    return field.missing is not None and field.missing.policy in _FILLS


def defaults(pair: Pair) -> Iterator[Change]:
    """Part 3: the default, and what stands in for a missing value."""
    trained, served = pair.trained, pair.served
    if same(trained.default, served.default) and _same_policy(trained.missing, served.missing):
        return
    silent = trained.default is None and trained.missing is None
    if silent or (served.default is None and served.missing is None):
        yield pair.change(
            "declared-once", DEFAULTS, "'s default or missing policy", _defaults(trained), _defaults(served)
        )
        return
    if not same(trained.default, served.default):
        yield pair.change(
            "default", DEFAULTS, "'s default", describe.word(trained.default), describe.word(served.default)
        )
    if not _same_policy(trained.missing, served.missing):
        yield _missing(pair)


def same(first: Scalar | None, second: Scalar | None) -> bool:
    """Whether two scalars are equal as data: 1 is 1.0, and neither is true."""
    return first == second and isinstance(first, bool) == isinstance(second, bool)


def _same_policy(first: Missing | None, second: Missing | None) -> bool:
    if first is None or second is None:
        return first is second
    return first.policy == second.policy and same(first.value, second.value)


def _defaults(field: Feature) -> str:
    if field.missing is not None:
        return describe.missing(field.missing)
    return describe.word(field.default)


def _missing(pair: Pair) -> Change:
    ours, theirs = pair.trained.missing, pair.served.missing
    told = describe.missing(ours), describe.missing(theirs)
    what = "'s stand-in for a missing value"
    if ours is None or theirs is None or ours.policy != theirs.policy:
        return pair.change("default", DEFAULTS, what, *told)
    if ours.value is None or theirs.value is None:
        return pair.change("declared-once", DEFAULTS, what, *told)
    first, second = ours.value, theirs.value
    if ours.policy in _STATISTICS and _is_number(first) and _is_number(second):
        moved = constants(float(first), float(second), pair.trained)
        return pair.change(moved_row(moved), DEFAULTS, f"{what}{moved_words(moved)}", *told)
    return pair.change("default", DEFAULTS, what, *told)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def moved_row(moved: float | None) -> str:
    """Return the row of a displacement; None is one without a measure."""
    return "transform-near" if moved is not None and moved <= TOLERANCE else "transform-far"


def moved_words(moved: float | None) -> str:
    """Return a displacement in words, to stand behind what was displaced."""
    return "" if moved is None else f" (displaced by {moved * 100:.3g} % of its range)"


def unit(pair: Pair) -> Iterator[Change]:
    """Part 4: the unit, of what is served and of the raw value; on a time it is the time unit."""
    trained, served = pair.trained, pair.served
    if trained.unit != served.unit:
        told = describe.word(trained.unit), describe.word(served.unit)
        if trained.unit is None or served.unit is None:
            yield pair.change("declared-once", UNIT, "'s unit", *told)
        else:
            row = "aggregation" if class_of(trained.dtype) == "time" else "unit"
            yield pair.change(row, UNIT, "'s unit", *told)
    ours = trained.source.unit if trained.source is not None else None
    theirs = served.source.unit if served.source is not None else None
    # The raw side is described on one side only when somebody begins to describe it.
    if ours is not None and theirs is not None and ours != theirs:
        yield pair.change("unit", UNIT, "'s raw unit", describe.word(ours), describe.word(theirs))


def proven_range(field: Feature) -> tuple[float, float] | None:
    """Return the range that is promised; one that was observed in a sample proves nothing."""
    return None if field.origin == "observed" else field.range


def values(pair: Pair) -> Iterator[Change]:
    """Part 5: the range of numbers, the categories of strings."""
    if pair.trained.range != pair.served.range or pair.trained.origin != pair.served.origin:
        yield from _range(pair)
    if pair.trained.categories != pair.served.categories:
        yield from _categories(pair)


def _range(pair: Pair) -> Iterator[Change]:
    trained, served = pair.trained.range, pair.served.range
    told = describe.interval(trained), describe.interval(served)
    if trained is None or served is None:
        if trained is not served:
            row = "range-declared" if pair.old.range is None else "range-dropped"
            # What is only observed bounds nothing on the served side.
            observed = pair.trained.origin == "observed" or pair.served.origin == "observed"
            yield pair.change("range-observed" if observed else row, VALUES, "'s range", *told)
        return
    if max(trained[0], served[0]) > min(trained[1], served[1]):
        yield pair.change("range-disjoint", VALUES, "'s range", *told)
    elif "observed" in (pair.trained.origin, pair.served.origin):
        yield pair.change("range-observed", VALUES, "'s range", _seen(pair.trained), _seen(pair.served))
    elif trained != served:
        old, new = pair.old.range, pair.new.range
        assert old is not None and new is not None
        if new[0] <= old[0] and old[1] <= new[1]:
            row = "range-widened"
        elif old[0] <= new[0] and new[1] <= old[1]:
            row = "range-narrowed"
        else:
            row = "range-shifted"
        unseen = coverage(trained, served) < _HALF
        yield pair.change(row, VALUES, "'s range", *told, unless=B if unseen else None)


def _seen(field: Feature) -> str:
    return describe.interval(field.range) + (" (observed)" if field.origin == "observed" else "")


def coverage(trained: tuple[float, float], served: tuple[float, float]) -> float:
    """Return how much of what is served was trained on, from 0 to 1."""
    if trained[0] <= served[0] and served[1] <= trained[1]:
        return 1.0
    # The served range has a width (in floats it may overflow): a single point not covered is disjoint.
    shared = Fraction(min(trained[1], served[1])) - Fraction(max(trained[0], served[0]))
    return float(shared / (Fraction(served[1]) - Fraction(served[0])))


def _categories(pair: Pair) -> Iterator[Change]:
    trained, served = pair.trained.categories, pair.served.categories
    what = "'s categories"
    if not trained or not served:
        yield pair.change(
            "declared-once", VALUES, what, describe.names(trained) or describe.NOTHING,
            describe.names(served) or describe.NOTHING,
        )  # fmt: skip
        return
    mapped = pair.trained.missing is not None and pair.trained.missing.policy == "category"
    for row, extra, unseen in (
        ("categories-added", set(pair.new.categories) - set(pair.old.categories), pair.column == "back"),
        ("categories-removed", set(pair.old.categories) - set(pair.new.categories), pair.column == "out"),
    ):
        if extra:
            told = f"with {describe.names(sorted(extra))}"
            without = f"without {describe.names(sorted(extra))}"
            ours, theirs = (without, told) if unseen else (told, without)
            yield pair.change(row, VALUES, what, ours, theirs, unless=R if unseen and mapped else None)
    if set(trained) == set(served):
        yield pair.change("categories-order", VALUES, what, describe.names(trained), describe.names(served))


def nan(pair: Pair) -> Iterator[Change]:
    """Part 6: whether a float may be NaN or infinite."""
    trained, served = pair.trained.nan, pair.served.nan
    if trained == served:
        return
    words = {True: "allowed to be NaN", False: "never NaN", None: "silent about NaN"}
    row = "declared-once" if None in (trained, served) else "nan-allowed" if pair.new.nan else "nan-forbidden"
    yield pair.change(row, NAN, "", words[trained], words[served])
