"""Two versions of a model as their callers see them: inputs, outputs, classes, thresholds.

Here the column `out` is today's caller or consumer, who meets the new version; `back` is one adapted to the
new version, who meets the old one. Fields of the request are judged like a view's: the caller serves them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from modelspec.compat import describe
from modelspec.compat.change import Change
from modelspec.compat.fields import judge
from modelspec.compat.rows import TABLE
from modelspec.compat.table import Column, Verdict
from modelspec.spec.base import API
from modelspec.spec.feature import FeatureSchema, Range
from modelspec.spec.model import Input, ModelVersion, Output
from modelspec.tree.text import visible

Tensor = TypeVar("Tensor", Input, Output)


def signature_changes(old: ModelVersion, new: ModelVersion, column: Column) -> Iterator[Change]:
    """Yield what a caller or consumer of one version meets in the other one.

    A version without a signature is not judged: nobody says what it reads and answers.
    """
    if old.signature is None or new.signature is None:
        return
    yield from _inputs(_named(old.signature.inputs), _named(new.signature.inputs), column)
    yield from _outputs(_named(old.signature.outputs), _named(new.signature.outputs), column)
    yield from _decisions(old, new, column)
    yield from request_changes(old, new, column)


def request_changes(old: ModelVersion, new: ModelVersion, column: Column) -> tuple[Change, ...]:
    """Return the changes of the fields that come with the request."""
    ours, theirs = (_request(new), _request(old)) if column == "out" else (_request(old), _request(new))
    return judge(ours, theirs, column=column).changes


def _request(version: ModelVersion) -> FeatureSchema:
    return FeatureSchema(
        apiVersion=API, kind="FeatureSchema", view="request", number=1, fields=version.request
    )


def _named(tensors: tuple[Tensor, ...]) -> dict[str, Tensor]:
    return {tensor.name: tensor for tensor in tensors}


def _change(row: str, column: Column, message: str, verdict: Verdict | None = None) -> Change:
    return Change(row, TABLE[row].verdict(column) if verdict is None else verdict, message)


def _mirrored(row: str, column: Column, forward: bool, message: str) -> Change:
    """Return the change of a row that covers both ways; `forward` when old -> new is as the row says."""
    side: Column = column if forward else "back" if column == "out" else "out"
    return Change(row, TABLE[row].verdict(side), message)


def _was(old: Any, new: Any) -> str:
    return f"is now {new} (was {old})"


def _inputs(old: Mapping[str, Input], new: Mapping[str, Input], column: Column) -> Iterator[Change]:
    for name, tensor in old.items():
        if name not in new:
            if tensor.optional:
                yield _mirrored(
                    "input-optional", column, False, f"the optional input {name} is no longer taken"
                )
            else:
                yield _change("input", column, f"the input {name} is no longer taken")
        else:
            yield from _input(tensor, new[name], column)
    for name, tensor in new.items():
        if name not in old:
            if tensor.optional:
                yield _mirrored("input-optional", column, True, f"the optional input {name} is new")
            else:
                yield _change("input", column, f"the input {name} is new, and not optional")


def _input(old: Input, new: Input, column: Column) -> Iterator[Change]:
    name = old.name
    if old.dtype != new.dtype:
        yield _change("input", column, f"the input {name} {_was(old.dtype, new.dtype)}")
    if old.shape != new.shape:
        told = _was(describe.shape(old.shape), describe.shape(new.shape))
        yield _change("input", column, f"the shape of the input {name} {told}")
    if old.optional != new.optional:
        told = _was(*("optional" if one.optional else "required" for one in (old, new)))
        yield _mirrored("input-optional", column, new.optional, f"the input {name} {told}")
    if old.sources != new.sources:
        if sorted(old.sources) == sorted(new.sources):
            first = next(
                place
                for place, (one, two) in enumerate(zip(old.sources, new.sources, strict=True))
                if one != two
            )
            told = _was(visible(old.sources[first]), visible(new.sources[first]))
            yield _change("vector-order", column, f"place {first + 1} of the input {name} {told}")
        else:
            gone, come = sorted({*old.sources} - {*new.sources}), sorted({*new.sources} - {*old.sources})
            told = " and ".join(
                (*([f"no longer by {describe.names(gone)}"] if gone else ()),
                 *([f"now by {describe.names(come)}"] if come else ()))
            )  # fmt: skip
            yield _change("input", column, f"the input {name} is filled {told or 'by other fields'}")


def _outputs(old: Mapping[str, Output], new: Mapping[str, Output], column: Column) -> Iterator[Change]:
    for name in old:
        if name not in new:
            yield _change("output-removed", column, f"the output {name} is gone")
    for name in new:
        if name not in old:
            yield _change("output-added", column, f"the output {name} is new")
    both = [name for name in old if name in new]
    if both != [name for name in new if name in old]:
        yield _change("output", column, f"the outputs stand in another order: {describe.names(new)}")
    for name in both:
        yield from _output(old[name], new[name], column)


def _output(old: Output, new: Output, column: Column) -> Iterator[Change]:
    name = old.name
    if old.dtype != new.dtype:
        yield _change("output", column, f"the output {name} {_was(old.dtype, new.dtype)}")
    if old.shape != new.shape:
        told = _was(describe.shape(old.shape), describe.shape(new.shape))
        yield _change("output", column, f"the shape of the output {name} {told}")
    if old.unit != new.unit:
        row = "declared-once" if None in (old.unit, new.unit) else "output-unit"
        told = _was(describe.word(old.unit), describe.word(new.unit))
        yield _change(row, column, f"the unit of the output {name} {told}")
    if old.range != new.range:
        known, met = (old.range, new.range) if column == "out" else (new.range, old.range)
        told = _was(describe.interval(old.range), describe.interval(new.range))
        verdict = Verdict.S if _within(met, known) else TABLE["output-range"].out
        yield _change("output-range", column, f"the range of the output {name} {told}", verdict)
    yield from _classes(old, new, column)


def _within(inner: Range | None, outer: Range | None) -> bool:
    """Whether all of a range lies in another one; None has no end."""
    return outer is None or (inner is not None and outer[0] <= inner[0] and inner[1] <= outer[1])


def _classes(old: Output, new: Output, column: Column) -> Iterator[Change]:
    if old.classes == new.classes:
        return
    if not old.classes or not new.classes:
        told = _was(*(describe.names(one.classes) or describe.NOTHING for one in (old, new)))
        yield _change("declared-once", column, f"the classes of the output {old.name}: {told}")
        return
    come = [one for one in new.classes if one not in old.classes]
    gone = [one for one in old.classes if one not in new.classes]
    if come:
        yield _change(
            "class-added", column, f"the output {old.name} has the new class {describe.names(come)}"
        )
    if gone:
        yield _change("class-removed", column, f"the output {old.name} lost the class {describe.names(gone)}")
    # An index is read by position: whatever stays must stay where it was.
    if any(old.classes.index(one) != new.classes.index(one) for one in old.classes if one in new.classes):
        told = _was(describe.names(old.classes), describe.names(new.classes))
        yield _change("class-order", column, f"the order of the classes of {old.name} {told}")


def _decisions(old: ModelVersion, new: ModelVersion, column: Column) -> Iterator[Change]:
    """Thresholds by name, and the calibration that training fixed."""
    ours, theirs = ({one.name: one for one in _thresholds(version)} for version in (old, new))
    for name in sorted({*ours, *theirs}):
        first, second = ours.get(name), theirs.get(name)
        if first != second:
            told = _was(*(
                describe.NOTHING if one is None else f"{one.output} {one.op} {describe.number(one.value)}"
                for one in (first, second)
            ))  # fmt: skip
            yield _change("threshold", column, f"the threshold {name} {told}")
    if _calibration(old) != _calibration(new):
        yield _change("threshold", column, "the calibration is another one")


def _thresholds(version: ModelVersion) -> tuple[Any, ...]:
    return version.config.thresholds if version.config is not None else ()


def _calibration(version: ModelVersion) -> Any:
    captured = version.artifact.captured if version.artifact is not None else None
    return (captured or {}).get("calibration")
