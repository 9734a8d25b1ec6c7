"""Parts 7 and 8 of a field's contract: transformation and encoding; aggregation and time zone."""

from __future__ import annotations

from collections.abc import Iterator

from modelspec.compat import describe
from modelspec.compat.change import Change, Pair
from modelspec.compat.displacement import AFFINE, displacement
from modelspec.compat.encoding import codes
from modelspec.compat.numbers import is_number
from modelspec.compat.parts import moved_row, moved_words
from modelspec.compat.table import Verdict
from modelspec.spec.feature import Feature, Transform

TRANSFORM, AGGREGATION = 7, 8
IDENTITY = Transform(kind="identity")


def declared(field: Feature) -> Transform | None:
    """Return the transformation; a numeric field without one declares `identity`, none clips unasked."""
    if field.transform is None:
        return IDENTITY if is_number(field.dtype) else None
    return field.transform if field.transform.clip is not False else _unclipped(field.transform)


def _unclipped(transform: Transform) -> Transform:
    return transform.model_copy(update={"clip": None})


def transformation(pair: Pair) -> Iterator[Change]:
    """Part 7: how the raw value becomes the served one."""
    trained, served = declared(pair.trained), declared(pair.served)
    if trained is None or served is None:
        if trained is not served:
            told = describe.parameters(pair.trained), describe.parameters(pair.served)
            yield pair.change("declared-once", TRANSFORM, "'s transformation", *told)
        return
    if trained.kind != served.kind:
        told = describe.served(pair.trained), describe.served(pair.served)
        yield pair.change("transform-kind", TRANSFORM, "", *told)
    elif trained.kind in ("ordinal", "onehot"):
        yield from _codes(pair)
    elif trained.kind == "hash":
        yield from _hash(pair, trained, served)
    elif trained.kind == "code":
        yield from _code(pair, trained, served)
    elif trained != served or (trained.kind in AFFINE and _clips_elsewhere(pair)):
        moved = displacement(pair.trained, pair.served)
        told = describe.parameters(pair.trained), describe.parameters(pair.served)
        yield pair.change(moved_row(moved), TRANSFORM, f"'s transformation{moved_words(moved)}", *told)


def _clips_elsewhere(pair: Pair) -> bool:
    """Whether equal parameters clip at different ends: a z-score and a line clip at the served range."""
    transform = pair.trained.transform
    return (
        transform is not None
        and transform.kind != "minmax"
        and bool(transform.clip)
        and pair.trained.range != pair.served.range
    )


def _codes(pair: Pair) -> Iterator[Change]:
    old, new = codes(pair.old), codes(pair.new)
    if old == new:
        return
    what = "'s codes"
    if not old or not new:
        told = pair.both(lambda side: describe.names(codes(side)) or describe.NOTHING)
        yield pair.change("declared-once", TRANSFORM, what, *told)
        return
    kept = {category: code for category, code in old.items() if new.get(category) == code}
    added = {category: code for category, code in new.items() if category not in old}
    dropped = {category: code for category, code in old.items() if category not in new}
    moved = [category for category in old if category in new and new[category] != old[category]]
    top = max(kept.values(), default=-1)
    at_end = not moved and kept and all(code > top for code in (*added.values(), *dropped.values()))
    if not at_end or (added and dropped):
        yield pair.change("codes-moved", TRANSFORM, what, _codes_said(pair.trained), _codes_said(pair.served))
        return
    extra = f"with {describe.names(added or dropped)}"
    without = f"without {describe.names(added or dropped)}"
    ours, theirs = (extra, without) if (pair.new is pair.trained) == bool(added) else (without, extra)
    transform = pair.trained.transform
    if transform is not None and transform.kind == "onehot":
        yield pair.change("onehot-width", TRANSFORM, what, ours, theirs)
        return
    unseen = ours is without
    mapped = pair.trained.missing is not None and pair.trained.missing.policy == "category"
    row = "codes-appended" if added else "codes-dropped"
    yield pair.change(row, TRANSFORM, what, ours, theirs, unless=Verdict.R if unseen and mapped else None)


def _codes_said(field: Feature) -> str:
    ordered = sorted(codes(field).items(), key=lambda item: item[1])
    return describe.names(f"{category} {code}" for category, code in ordered)


def _hash(pair: Pair, trained: Transform, served: Transform) -> Iterator[Change]:
    ours, theirs = (
        side.source.dtype if side.source is not None else None for side in (pair.trained, pair.served)
    )
    if trained != served:
        told = describe.parameters(pair.trained), describe.parameters(pair.served)
        yield pair.change("hash", TRANSFORM, "'s hash", *told)
    elif ours != theirs:
        row = "declared-once" if None in (ours, theirs) else "hash"
        yield pair.change(row, TRANSFORM, "'s hashed type", describe.word(ours), describe.word(theirs))


def _code(pair: Pair, trained: Transform, served: Transform) -> Iterator[Change]:
    if trained.digest == served.digest and trained != served:
        told = describe.parameters(pair.trained), describe.parameters(pair.served)
        yield pair.change("transform-far", TRANSFORM, "'s transformation", *told)
    elif trained.digest != served.digest:
        told = describe.word(trained.digest), describe.word(served.digest)
        row = "transform-code" if trained.digest and served.digest else "declared-once"
        yield pair.change(row, TRANSFORM, "'s transformation code", *told)


def aggregation(pair: Pair) -> Iterator[Change]:
    """Part 8: function, window and time of an aggregate, and the time zone."""
    trained, served = pair.trained.aggregation, pair.served.aggregation
    if trained is None or served is None:
        if trained is not served:
            told = pair.both(lambda side: describe.word(side.aggregation and side.aggregation.function))
            yield pair.change("declared-once", AGGREGATION, "'s aggregation", *told)
    else:
        for name in ("function", "length", "time"):
            ours, theirs = getattr(trained, name), getattr(served, name)
            yield from _facet(pair, "aggregation", AGGREGATION, f"'s aggregation {name}", ours, theirs)
    yield from _facet(pair, "aggregation", AGGREGATION, "'s time zone", pair.trained.tz, pair.served.tz)
    zones = [side.source.tz if side.source is not None else None for side in (pair.trained, pair.served)]
    if None not in zones:
        yield from _facet(pair, "aggregation", AGGREGATION, "'s raw time zone", *zones)


def _facet(pair: Pair, row: str, part: int, what: str, trained: object, served: object) -> Iterator[Change]:
    """Compare one key of a part: another value is the row's change, silence on one side is unproven."""
    if trained == served:
        return
    found = "declared-once" if trained is None or served is None else row
    yield pair.change(found, part, what, describe.word(trained), describe.word(served))
