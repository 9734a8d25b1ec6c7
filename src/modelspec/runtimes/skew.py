"""A window of requests through DuckDB: one pass, nothing read but what is handed in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any, Final

import numpy as np

from modelspec.runtimes.rows import Rows, Skipped
from modelspec.runtimes.tensors import Array
from modelspec.spec.model import ModelVersion
from modelspec.trace.columns import Column, Mismatch, inputs_of, matched
from modelspec.trace.contract import typed, violations
from modelspec.trace.measures import Measured, ks_statement, statement, stats
from modelspec.trace.skew import FeatureSkew, Sampled, Shown, feature_skew
from modelspec.tree.finding import Refusal
from modelspec.tree.record import Record, Scalar, Unreadable

_LOCKED: Final = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "lock_configuration": "true",
}
AT_ONCE: Final = 32_768


@dataclass(slots=True)
class Block:
    """Some rows: the id of each, and the values of each column; None where a text or a number is missing.

    Both are arrays of numpy, lists, or Arrow's own.
    """

    ids: Any
    columns: Sequence[Any]


@dataclass(slots=True)
class Found:
    """What a pass found: the features, the worst rows, and how many rows there were."""

    rows: int
    features: tuple[FeatureSkew, ...]
    worst: tuple[Shown, ...]


@dataclass(slots=True)
class Feed:
    """Turns requests into blocks of columns, and counts what has a wrong type."""

    version: ModelVersion
    columns: Sequence[Column]
    measured: Sequence[Measured]
    skipped: Skipped
    faults: dict[int, int] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    """The fields that the log leaves out, or keeps as hashes, on purpose."""
    sampled: Sampled = field(default_factory=Sampled)

    def records(self, records: Iterable[Record | Unreadable]) -> Iterator[Block]:
        """Yield blocks from records, one by one; what does not fit is counted and named."""
        ids: list[str] = []
        flat: dict[str, list[Scalar]] = {}
        for record in records:
            if isinstance(record, Unreadable):
                self.skipped.note(f"unreadable: {record.why}", record.place)
                continue
            self.hidden |= record.hidden
            try:
                tensors = matched(record.inputs, inputs_of(self.version), self.columns)
            except Mismatch as error:
                self.skipped.note(str(error), record.id or record.place)
                continue
            rows = {one.shape[0] if one.shape else 1 for one in tensors.values()}
            if len(rows) != 1 or (flat and flat.keys() != tensors.keys()):
                self.skipped.note("its inputs are not those of the other requests", record.id or record.place)
                continue
            for name, one in tensors.items():
                flat.setdefault(name, []).extend(one.data)
            ids += [record.id] * rows.pop()
            if len(ids) >= AT_ONCE:
                yield self._block(ids, {name: self._table(data, len(ids)) for name, data in flat.items()})
                ids, flat = [], {}
        if ids:
            yield self._block(ids, {name: self._table(data, len(ids)) for name, data in flat.items()})

    def rows(self, parts: Iterable[Rows]) -> Iterator[Block]:
        """Yield blocks from arrays: a log that was read by columns."""
        for part in parts:
            ids = part.ids if len(part.ids) == part.count else [part.ids[index] for index in part.owner]
            yield self._block(ids, {name: one.reshape(part.count, -1) for name, one in part.inputs.items()})

    def block(self, ids: Any, columns: Sequence[Any], rows: int) -> Block:
        """Return Arrow columns as a block; None stands for one that is hidden."""
        import pyarrow as pa

        kinds = [pa.string() if one.text else pa.float64() for one in self.measured]
        made = [
            pa.nulls(rows, kind) if column is None else column.cast(kind)
            for column, kind in zip(columns, kinds, strict=True)
        ]
        self._sample([column for column, one in zip(made, self.measured, strict=True) if not one.text], rows)
        return Block(ids, made)

    def _sample(self, numbers: Sequence[Any], rows: int) -> None:
        """Keep a few rows of each block; all of them are seen by DuckDB."""
        step = max(1, rows // 1024)
        if numbers:
            self.sampled.take(np.column_stack([np.asarray(one)[::step] for one in numbers]).tolist())

    def _table(self, data: list[Scalar], rows: int) -> Array:
        # A wanted dtype would take None for NaN, and "1.5" for a number.
        told = np.array(data)
        if told.dtype.kind in "fiu":
            return told.astype(np.float64, copy=False).reshape(rows, -1)
        found = np.empty(len(data), dtype=object)
        found[:] = data
        return found.reshape(rows, -1)

    def _block(self, ids: Sequence[str], tables: Mapping[str, Array]) -> Block:
        made = [self._column(index, one, tables, len(ids)) for index, one in enumerate(self.measured)]
        self._sample(
            [column for column, one in zip(made, self.measured, strict=True) if not one.text], len(ids)
        )
        return Block([_text(one) for one in ids], made)

    def _column(self, index: int, one: Measured, tables: Mapping[str, Array], rows: int) -> Array:
        """Return a column as float64, or as objects where texts or nulls are in it."""
        table = tables.get(one.column.tensor)
        if table is None:
            return np.full(rows, None if one.text else np.nan, dtype=object if one.text else np.float64)
        column = table[:, one.column.start + one.part]
        if column.dtype != object:
            return column.astype(np.float64, copy=False)
        dtype = one.feature.dtype if one.feature is not None else "string" if one.text else "float64"
        good = np.array([value is None or typed(value, dtype) for value in column.tolist()], dtype=bool)
        wrong = int((~good).sum())
        if wrong:
            self.faults[index] = self.faults.get(index, 0) + wrong
        kept = column.copy()
        kept[~good] = None
        if one.text:
            kept[:] = [_text(value) for value in kept.tolist()]
        return kept


def measure(
    measured: Sequence[Measured],
    blocks: Iterable[Block],
    feed: Feed,
    sample: Mapping[str, Array] | None = None,
) -> Found:
    """Return what one pass over the blocks says; `sample` are training values by column, for the exact KS.

    Raises Refusal when DuckDB or pyarrow is missing.
    """
    duckdb, pa = _libraries()
    fields = [(f"c{index}", pa.string() if one.text else pa.float64()) for index, one in enumerate(measured)]
    schema = pa.schema([("id", pa.string()), *fields])

    # What is hidden on purpose is null in every row, and no violation: the first block tells what is.
    rest = iter(blocks)
    first = list(islice(rest, 1))
    hidden = frozenset(one.name for one in measured if _is_hidden(one, feed.hidden))

    def batches() -> Iterator[Any]:
        for block in chain(first, rest):
            arrays = [
                column if isinstance(column, pa.Array) else pa.array(column, kind, from_pandas=False)
                for column, kind in zip((block.ids, *block.columns), schema.types, strict=True)
            ]
            yield pa.record_batch(arrays, schema=schema)

    with duckdb.connect(":memory:", config=_LOCKED) as connection:
        reader = pa.RecordBatchReader.from_batches(schema, batches())
        if sample is None:
            connection.register("served", reader)
        else:
            # The exact distance sorts every value: then the window is held.
            connection.register("stream", reader)
            connection.execute("CREATE TABLE served AS SELECT * FROM stream")
        [answers] = connection.execute(statement(measured, hidden)).fetchall()
        rows, found, worst = stats(measured, answers)
        distances = {} if sample is None else _distances(connection, pa, measured, sample)
    numbers = [index for index, one in enumerate(measured) if not one.text]
    picked = np.array(feed.sampled.kept, dtype=object) if feed.sampled.kept else np.empty((0, len(numbers)))
    values = {
        index: [float(value) for value in picked[:, place].tolist() if value is not None]
        for place, index in enumerate(numbers)
    }
    features = tuple(
        feature_skew(one, told, feed.faults.get(index, 0), values.get(index, []), distances.get(index))
        for index, (one, told) in enumerate(zip(measured, found, strict=True))
        if not _is_hidden(one, feed.hidden)
    )
    return Found(rows, features, tuple(_shown(measured, row, hidden) for row in worst))


def _distances(
    connection: Any, pa: Any, measured: Sequence[Measured], sample: Mapping[str, Array]
) -> dict[int, tuple[float, int, int]]:
    longest = max((len(one) for one in sample.values()), default=0)
    known = {
        index: sample[one.name] for index, one in enumerate(measured) if one.name in sample and not one.text
    }
    if not known:
        return {}
    table = pa.table(
        {
            f"c{index}": pa.array(np.concatenate([one, np.full(longest - len(one), np.nan)]))
            for index, one in known.items()
        }
    )
    connection.register("sample", table)
    found = {}
    for index in known:
        [(distance, one, other)] = connection.execute(ks_statement(index)).fetchall()
        if distance is not None:
            found[index] = (float(distance), int(one), int(other))
    return found


def _is_hidden(one: Measured, hidden: set[str]) -> bool:
    return one.column.name in hidden or one.column.name.rpartition(".")[2] in hidden


def _shown(measured: Sequence[Measured], row: Mapping[str, Any], hidden: frozenset[str]) -> Shown:
    values = [(one, row[f"c{index}"]) for index, one in enumerate(measured) if one.name not in hidden]
    broken = [
        (one.name, found.message)
        for one, value in values
        if one.feature is not None
        for found in violations([value], one.feature)
    ]
    return Shown(str(row["id"]), tuple((one.name, value) for one, value in values), tuple(broken))


def _text(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    # JSON can name half of a character, which no other format holds.
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def _libraries() -> tuple[Any, Any]:
    try:
        import duckdb
        import pyarrow as pa
    except ImportError:
        raise Refusal(
            "skew needs duckdb and pyarrow, which are not installed", "pip install 'modelspec-gitops[trace]'"
        ) from None
    return duckdb, pa
