"""Our own request log by columns: a batch of rows as arrays, without a record for each.

Whatever is not plain (nulls, hidden fields, shapes of their own) goes the way of all other logs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from modelspec.runtimes.rows import Rows, Skipped, rows_of
from modelspec.runtimes.skew import Block, Feed
from modelspec.runtimes.tensors import Array
from modelspec.spec.model import Input, ModelVersion, Output
from modelspec.trace.columns import Column, inputs_of, outputs_of
from modelspec.tree.record import Unreadable
from modelspec.tree.requestlog import Layout, Part, Tensor
from modelspec.world.records.own_file import lists
from modelspec.world.records.own_rows import records_in

Batches = Iterable[tuple[Layout, Any, str] | Unreadable]
"""Arrow record batches of whole requests, with the layout and the place of their file."""


def rows_by_column(
    batches: Batches, version: ModelVersion, columns: Sequence[Column], skipped: Skipped
) -> Iterator[Rows]:
    """Yield the requests of the batches as arrays; what can't be asked is counted."""
    for one in batches:
        if isinstance(one, Unreadable):
            skipped.note(f"unreadable: {one.why}", one.place)
            continue
        layout, batch, place = one
        rows = _rows(layout, batch, version) if batch.num_rows else None
        if rows is not None:
            yield rows
        elif batch.num_rows:
            yield from rows_of(records_in(layout, lists(batch), place), version, columns, skipped)


def blocks_by_column(batches: Batches, feed: Feed) -> Iterator[Block]:
    """Yield the rows of the batches as blocks for `measure`."""
    for one in batches:
        if isinstance(one, Unreadable):
            feed.skipped.note(f"unreadable: {one.why}", one.place)
            continue
        layout, batch, place = one
        if not batch.num_rows:
            continue
        block = _block(layout, batch, feed)
        if block is not None:
            yield block
        else:
            yield from feed.records(records_in(layout, lists(batch), place))


def _rows(layout: Layout, batch: Any, version: ModelVersion) -> Rows | None:
    first = _first_rows(batch) if layout.batched and not layout.hidden else None
    if first is None:
        return None
    inputs, outputs = _tensors(layout.inputs, inputs_of(version), batch), _outputs(layout, batch, version)
    if inputs is None or outputs is None or inputs.keys() != {one.name for one in inputs_of(version)}:
        return None
    owner = np.zeros(batch.num_rows, np.int64)
    owner[first] = 1
    ids = batch["request_id"] if len(first) == batch.num_rows else batch["request_id"].take(_indices(first))
    sizes = batch["batch"].to_numpy().astype(np.int64)
    return Rows(ids.to_pylist(), np.cumsum(owner) - 1, sizes, inputs, outputs)


def _first_rows(batch: Any) -> Array | None:
    """Return where each request begins; None where not all of its rows are there, in their order."""
    if any(batch[name].null_count for name in ("request_id", "row", "batch")):
        return None
    row, sizes = (batch[name].to_numpy().astype(np.int64) for name in ("row", "batch"))
    first = np.flatnonzero(row == 0)
    if not len(first) or first[0] != 0:
        return None
    counts = np.diff(np.append(first, batch.num_rows))
    whole = np.array_equal(sizes, np.repeat(counts, counts))
    return first if whole and np.array_equal(row, np.arange(len(row)) - np.repeat(first, counts)) else None


def _indices(first: Array) -> Any:
    import pyarrow as pa

    return pa.array(first)


def _outputs(layout: Layout, batch: Any, version: ModelVersion) -> dict[str, Array] | None:
    there = [
        one
        for one in layout.outputs
        if not all(
            part.column is not None and batch[part.column].null_count == batch.num_rows for part in one.parts
        )
    ]
    return _tensors(there, outputs_of(version), batch)


def _tensors(
    tensors: Sequence[Tensor], declared: Sequence[Input | Output], batch: Any
) -> dict[str, Array] | None:
    """Return tensors by name; None for what has to be looked at record by record."""
    wanted = {one.name: one for one in declared}
    found = {}
    for tensor in tensors:
        one = wanted.get(tensor.name)
        if (
            one is None
            or _other_fields(tensor, one)
            or one.dtype != tensor.dtype
            or tuple(one.shape) != tensor.shape
            or tensor.shapes
        ):
            return None
        parts = [_part(part, batch) for part in tensor.parts]
        if any(part is None for part in parts) or -1 in tensor.shape[1:]:
            return None
        joined = np.concatenate([part for part in parts if part is not None], axis=1)
        found[tensor.name] = joined.reshape(batch.num_rows, *tensor.shape[1:])
    return found


def _other_fields(tensor: Tensor, declared: Input | Output) -> bool:
    """Whether other fields fill a tensor than the version declares: record by record it is said which."""
    return bool(tensor.fields) and isinstance(declared, Input) and tensor.fields != tuple(declared.sources)


def _part(part: Part, batch: Any) -> Array | None:
    """Return a part as (rows, width); None where it is hidden, has nulls, or is as long as it likes."""
    if part.hidden or part.column is None or part.width is None:
        return None
    column = batch[part.column]
    if column.null_count:
        return None
    if part.width != 1:
        column = column.flatten()
        if column.null_count:
            return None
    values: Array = column.to_numpy(zero_copy_only=False)
    return values.reshape(batch.num_rows, part.width)


def _block(layout: Layout, batch: Any, feed: Feed) -> Block | None:
    """Return the columns as they lie there, nulls and all; None where they are not those of the fields."""
    parts = {
        (tensor.name, part.field): part
        for tensor in layout.inputs
        for part in tensor.parts
        if part.field is not None and part.width == 1
    }
    dtypes = {tensor.name: tensor.dtype for tensor in layout.inputs}
    declared = {one.name: one for one in inputs_of(feed.version)}
    if any(
        tensor.name in declared and _other_fields(tensor, declared[tensor.name]) for tensor in layout.inputs
    ):
        return None
    if layout.batched and _first_rows(batch) is None:
        return None
    wanted = {name: one.dtype for name, one in declared.items()}
    found: list[Any] = []
    for one in feed.measured:
        part = parts.get((one.column.tensor, one.column.name))
        if part is None or one.column.size != 1 or dtypes[one.column.tensor] != wanted[one.column.tensor]:
            return None
        if part.hidden or part.column is None:
            feed.hidden.add(one.name)
            found.append(None)
        else:
            found.append(batch[part.column])
    return feed.block(batch["request_id"], found, batch.num_rows)
