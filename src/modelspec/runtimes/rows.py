"""Logged requests as arrays: what a model was given, in the types that its version declares."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from modelspec.runtimes.tensors import Array
from modelspec.spec.model import ModelVersion
from modelspec.trace.columns import Column, Mismatch, inputs_of, matched, outputs_of
from modelspec.tree.record import Record, Unreadable, Values
from modelspec.tree.text import visible

AT_ONCE: Final = 8192
"""How many records become arrays together."""
MOST_REASONS: Final = 50
OTHERS: Final = "for other reasons than these"


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of many requests. `owner` is, for each row, the index of its request in `ids`.

    `batch` is, for each row, how many rows the engine answered together; 0 where nobody knows. All arrays
    have one entry a row; an output that a log leaves out is not there.
    """

    ids: Sequence[str]
    owner: Array
    batch: Array
    inputs: Mapping[str, Array]
    outputs: Mapping[str, Array]

    @property
    def count(self) -> int:
        """How many rows."""
        return len(self.owner)


@dataclass(slots=True)
class Skipped:
    """What was not taken, by reason: how many, and the first few of each."""

    counts: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def note(self, reason: str, where: str, count: int = 1) -> None:
        """Count one more. Beyond many reasons the others are one: a damaged file has one for each line."""
        if reason not in self.counts and len(self.counts) >= MOST_REASONS:
            reason = OTHERS
        self.counts[reason] = self.counts.get(reason, 0) + count
        shown = self.examples.setdefault(reason, [])
        if len(shown) < 3:
            shown.append(where)

    def merge(self, other: Skipped) -> None:
        """Take in what was counted elsewhere."""
        for reason, count in other.counts.items():
            if reason not in self.counts and len(self.counts) >= MOST_REASONS:
                self.note(reason, other.examples[reason][0], count)
                continue
            self.counts[reason] = self.counts.get(reason, 0) + count
            self.examples[reason] = [*self.examples.get(reason, []), *other.examples[reason]][:3]

    @property
    def total(self) -> int:
        """How many in all."""
        return sum(self.counts.values())


def arrays_of(record: Record, version: ModelVersion, columns: Sequence[Column] = ()) -> Rows:
    """Return one request as arrays. Raises Mismatch when it is not one that this version can be asked."""
    if record.hidden:
        raise Mismatch(f"{len(record.hidden)} of its fields were left out of the log on purpose")
    inputs = matched(record.inputs, inputs_of(version), columns)
    outputs = (
        matched(record.outputs, outputs_of(version), what="outputs", partly=True) if record.outputs else {}
    )
    given = {name: array(one, one.dtype) for name, one in inputs.items()}
    told = {name: array(one, one.dtype) for name, one in outputs.items()}
    counts = {one.shape[0] if one.ndim else 1 for one in (*given.values(), *told.values())}
    if len(counts) != 1:
        raise Mismatch("its inputs and outputs have different numbers of rows")
    [rows] = counts
    batch = max(record.batch, rows) if record.batch is not None else rows if rows > 1 else 0
    return Rows((record.id,), np.zeros(rows, np.int64), np.full(rows, batch, np.int64), given, told)


def array(values: Values, dtype: str) -> Array:
    """Return values as an array of a declared type; raises Mismatch for what the type can't hold."""
    what = visible(values.name, 40) or "a tensor"
    if None in values.data:
        raise Mismatch(f"{what} has a null, which no tensor holds: the model got something else")
    try:
        if dtype in ("string", "bytes"):
            if not all(isinstance(value, str | bytes) for value in values.data):
                raise Mismatch(f"{what} has values that are no texts")
            texts = [value.decode() if isinstance(value, bytes) else value for value in values.data]
            return np.array(texts, dtype=object).reshape(values.shape)
        raw = np.asarray(values.data)
        if raw.dtype.kind not in "fiub":
            raise Mismatch(f"{what} has values that are no {dtype}")
        wanted = np.dtype(dtype)
        with np.errstate(over="ignore", invalid="ignore"):
            cast = raw.astype(wanted)
        if wanted.kind in "iu" and not np.array_equal(cast, raw):
            raise Mismatch(f"{what} has values that no {dtype} holds")
        return cast.reshape(values.shape)
    except (TypeError, ValueError, OverflowError) as error:
        if isinstance(error, Mismatch):
            raise
        raise Mismatch(f"{what} can't be read as {dtype}: {visible(str(error), 100)}") from None


def joined(parts: Sequence[Rows]) -> Rows:
    """Return several as one; all of them have the same tensors."""
    if len(parts) == 1:
        return parts[0]
    offsets = np.cumsum([0, *(len(part.ids) for part in parts[:-1])])

    def together(name: str, kind: str) -> Array:
        return np.concatenate([getattr(part, kind)[name] for part in parts])

    return Rows(
        [one for part in parts for one in part.ids],
        np.concatenate([part.owner + offset for part, offset in zip(parts, offsets, strict=True)]),
        np.concatenate([part.batch for part in parts]),
        {name: together(name, "inputs") for name in parts[0].inputs},
        {name: together(name, "outputs") for name in parts[0].outputs},
    )


def rows_of(
    records: Iterable[Record | Unreadable],
    version: ModelVersion,
    columns: Sequence[Column],
    skipped: Skipped,
    size: int = AT_ONCE,
) -> Iterator[Rows]:
    """Yield requests as arrays, many at once; what can't be asked is counted in `skipped`, never dropped.

    Requests with the same tensors, in the same shapes behind the first dimension, go together.
    """
    held: dict[object, list[Rows]] = {}
    count = 0
    for record in records:
        if isinstance(record, Unreadable):
            skipped.note(f"unreadable: {record.why}", record.place)
            continue
        try:
            one = arrays_of(record, version, columns)
        except Mismatch as error:
            skipped.note(str(error), record.id or record.place)
            continue
        held.setdefault(_kind(one), []).append(one)
        count += 1
        if count == size:
            yield from map(joined, held.values())
            held, count = {}, 0
    yield from map(joined, held.values())


def _kind(rows: Rows) -> object:
    named = (*rows.inputs.items(), (None, None), *rows.outputs.items())
    return tuple((name, None if one is None else one.shape[1:]) for name, one in named)
