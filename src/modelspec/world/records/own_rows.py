"""Rows of our own Parquet as records; what the columns mean is in tree/requestlog."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from modelspec.tree.record import Record, Scalar, Unreadable, Values
from modelspec.tree.requestlog import FIXED, Layout, Part, Tensor
from modelspec.tree.text import visible

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Columns = Mapping[str, Sequence[Any]]
"""Values by column; `time` in microseconds since 1970."""


def needed(layout: Layout) -> list[str]:
    """Return the columns that records are made of."""
    names = list(FIXED[:4])
    for tensor in (*layout.inputs, *layout.outputs):
        names += [part.column for part in tensor.parts if part.column is not None and not part.hidden]
        names += [tensor.shapes] if tensor.shapes is not None else []
    return names


def records_in(layout: Layout, columns: Columns, place: str) -> Iterator[Record | Unreadable]:
    """Yield the requests whose rows these are, all rows of each; a row 0 begins the next one."""
    rows = columns["row"]
    for start, stop in spans(rows):
        yield record_of(layout, columns, start, stop, place)


def spans(rows: Sequence[Any]) -> Iterator[tuple[int, int]]:
    """Yield (start, stop) of each request among the numbers of its rows."""
    starts = [at for at, row in enumerate(rows) if row == 0 or at == 0]
    yield from zip(starts, [*starts[1:], len(rows)][: len(starts)], strict=True)


def record_of(layout: Layout, columns: Columns, start: int, stop: int, place: str) -> Record | Unreadable:
    """Return the request of these rows, or why they are none."""
    request, batch = columns["request_id"][start], columns["batch"][start]
    where = f"{place}: {visible(str(request))}"
    if not isinstance(request, str) or not isinstance(batch, int):
        return Unreadable(place, "a row has no request_id or no batch")
    if list(columns["row"][start:stop]) != list(range(stop - start)):
        return Unreadable(where, "its rows do not follow one another")
    if layout.batched and batch != stop - start:
        return Unreadable(where, f"{stop - start} of its {batch} rows are there")
    if any(one != request for one in columns["request_id"][start:stop]):
        return Unreadable(where, "its rows have different ids")
    try:
        when = _EPOCH + timedelta(microseconds=columns["time"][start])
        inputs = tuple(_values(one, layout, columns, start, stop) for one in layout.inputs)
        outputs = tuple(
            _values(one, layout, columns, start, stop)
            for one in layout.outputs
            if not _absent(one, columns, start)
        )
    except (TypeError, ValueError, OverflowError) as error:
        return Unreadable(where, f"its values are not as the file's layout says: {visible(str(error))}")
    return Record(
        id=request,
        place=where,
        time=when,
        model=layout.model,
        environment=layout.environment,
        stamp=layout.stamp,
        label=layout.version,
        slot=layout.slot,
        batch=batch,
        inputs=inputs,
        outputs=outputs,
        hidden=layout.hidden,
    )


def _absent(tensor: Tensor, columns: Columns, start: int) -> bool:
    """Whether the request did not ask for this output."""
    return all(
        part.hidden == "" and part.column is not None and columns[part.column][start] is None
        for part in tensor.parts
    )


def _values(tensor: Tensor, layout: Layout, columns: Columns, start: int, stop: int) -> Values:
    count = stop - start
    parts = [_part(part, columns, start, stop) for part in tensor.parts]
    if len(parts) == 1:
        data = parts[0]
    elif all(part.width == 1 for part in tensor.parts):
        data = [value for row in zip(*parts, strict=True) for value in row]
    else:
        data = []
        for row in range(count):
            for part, values in zip(tensor.parts, parts, strict=True):
                size = part.width or 0
                data += values[row * size : (row + 1) * size]
    shape = _shape(tensor, layout, columns, start, count, len(data))
    return Values(tensor.name, tensor.dtype, shape, data, tensor.fields)


def _part(part: Part, columns: Columns, start: int, stop: int) -> list[Scalar]:
    if part.hidden or part.column is None:
        return [None] * ((part.width or 0) * (stop - start))
    values = columns[part.column][start:stop]
    if part.width == 1:
        return list(values)
    flat: list[Scalar] = []
    for value in values:
        if part.width is not None and (value is None or len(value) != part.width):
            raise ValueError(f"{part.column} has not {part.width} values")
        flat += value
    return flat


def _shape(
    tensor: Tensor, layout: Layout, columns: Columns, start: int, count: int, size: int
) -> tuple[int, ...]:
    row = list(tensor.shape[1:] if layout.batched else tensor.shape)
    front = (count,) if layout.batched else ()
    if any(part.hidden and part.width is None for part in tensor.parts):
        return (0,)
    if tensor.shapes is not None:
        row = list(columns[tensor.shapes][start])
    elif -1 in row:
        at = row.index(-1)
        known = math.prod(front) * math.prod(row[:at]) * math.prod(row[at + 1 :])
        row[at] = size // known if known else 0
    if any(type(one) is not int or one < 0 for one in row) or math.prod((*front, *row)) != size:
        raise ValueError(f"{tensor.name} has {size} values, which fill no {list(tensor.shape)}")
    return (*front, *row)
