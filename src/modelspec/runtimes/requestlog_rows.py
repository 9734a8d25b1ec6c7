"""Requests and answers as rows of a request log: which column holds what, and the columns themselves."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa

from modelspec.runtimes.served import FieldOf, Served
from modelspec.runtimes.served import Tensor as Declared
from modelspec.runtimes.tensors import Array
from modelspec.tree.requestlog import KEY, Layout, Part, Tensor, columns, is_batched, opaque

HASH: Final = 32
"""Hex digits of a keyed hash."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One request with its answer; `time` is in microseconds since 1970. An output that nobody asked for
    is not there."""

    id: str
    time: int
    inputs: Mapping[str, Array]
    outputs: Mapping[str, Array]

    @property
    def size(self) -> int:
        """About how many bytes it holds."""
        arrays = (*self.inputs.values(), *self.outputs.values())
        return 500 + 4 * len(self.id) + sum(map(_size, arrays))


def layout_for(served: Served, *, keyed: bool) -> Layout:
    """Return the layout of a slot's log; `keyed`: sensitive fields are hashed, else they are left out."""
    batched = is_batched(one.shape for one in (*served.inputs, *served.outputs))
    hidden = "hashed" if keyed else "left out"
    inputs, outputs = columns(
        [_input(one, served.fields, batched, hidden) for one in served.inputs],
        [opaque(one.name, one.dtype, one.shape, batched) for one in served.outputs],
    )
    return Layout(
        model=served.model,
        environment=served.environment,
        slot=served.slot,
        version=served.version,
        stamp=served.stamp,
        threads=served.threads,
        batched=batched,
        inputs=inputs,
        outputs=outputs,
    )


def _input(declared: Declared, fields: Sequence[FieldOf], batched: bool, hidden: Any) -> Tensor:
    own = [one for one in fields if one.input == declared.name]
    whole = opaque(declared.name, declared.dtype, declared.shape, batched)
    [part] = whole.parts
    widths = [one.width for one in own]
    if own and None not in widths and part.width == sum(one or 0 for one in widths):
        parts = tuple(Part(None, one.field, one.width, hidden if one.sensitive else "") for one in own)
        return Tensor(whole.name, whole.dtype, whole.shape, parts)
    if any(one.sensitive for one in own):
        # Nobody can tell where the sensitive one ends: the tensor is hidden as a whole.
        return Tensor(whole.name, whole.dtype, whole.shape, (Part(None, None, part.width, hidden),))
    return whole


def schema_of(layout: Layout) -> pa.Schema:
    """Return the schema of a file, with the layout in its metadata."""
    import json

    word = pa.dictionary(pa.int8(), pa.string())
    fields = [
        pa.field("request_id", pa.string(), nullable=False),
        pa.field("row", pa.int32(), nullable=False),
        pa.field("batch", pa.int32(), nullable=False),
        pa.field("time", pa.timestamp("us", tz="UTC"), nullable=False),
        *(pa.field(name, word) for name in ("stamp", "model", "environment", "version", "slot")),
    ]
    for tensor in (*layout.inputs, *layout.outputs):
        fields += [
            pa.field(part.column, _type(tensor, part)) for part in tensor.parts if part.column is not None
        ]
        if tensor.shapes is not None:
            fields.append(pa.field(tensor.shapes, pa.list_(pa.int32())))
    return pa.schema(fields, {KEY: json.dumps(layout.data(), separators=(",", ":"))})


def _type(tensor: Tensor, part: Part) -> pa.DataType:
    if part.hidden == "hashed":
        return pa.string()
    value = _value_type(tensor.dtype)
    if part.width is None:
        return pa.list_(value)
    return value if part.width == 1 else pa.list_(value, part.width)


def _value_type(dtype: str) -> pa.DataType:
    return pa.string() if dtype == "string" else pa.from_numpy_dtype(np.dtype(dtype))


def batch_of(
    entries: Sequence[Entry], layout: Layout, schema: pa.Schema, key: bytes | None
) -> pa.RecordBatch:
    """Return requests as rows. Raises ValueError for one whose tensors are not as the layout has them."""
    counts = [_rows(one, layout) for one in entries]
    rows = np.asarray(counts)
    starts = np.concatenate([[0], np.cumsum(rows)])
    total = int(starts[-1])
    batches = rows if layout.batched else np.asarray([_first(one) for one in entries])
    row = np.arange(total) - np.repeat(starts[:-1], rows)
    told: list[Any] = [
        pa.array([one.id for one in entries], pa.string()).take(
            pa.array(np.repeat(np.arange(len(entries)), rows))
        ),
        pa.array(row.astype(np.int32)),
        pa.array(np.repeat(batches, rows).astype(np.int32)),
        pa.array(np.repeat([one.time for one in entries], rows)).cast(pa.timestamp("us", tz="UTC")),
    ]
    words = (layout.stamp, layout.model, layout.environment, layout.version, layout.slot)
    zeros = pa.array(np.zeros(total, np.int8))
    told += [pa.DictionaryArray.from_arrays(zeros, pa.array([word])) for word in words]
    for tensors, kind in ((layout.inputs, "inputs"), (layout.outputs, "outputs")):
        for tensor in tensors:
            arrays = [getattr(one, kind).get(tensor.name) for one in entries]
            told += _columns(tensor, arrays, counts, layout.batched, key)
    return pa.record_batch(told, schema=schema)


def _rows(entry: Entry, layout: Layout) -> int:
    if not layout.batched:
        return 1
    found = {one.shape[0] for one in (*entry.inputs.values(), *entry.outputs.values())}
    if len(found) != 1:
        raise ValueError("inputs and outputs have different numbers of rows")
    [count] = found
    return int(count)


def _first(entry: Entry) -> int:
    shape = next(iter(entry.inputs.values())).shape
    return int(shape[0]) if shape else 1


def _columns(
    tensor: Tensor, arrays: Sequence[Array | None], counts: Sequence[int], batched: bool, key: bytes | None
) -> list[Any]:
    known = all(part.width is not None for part in tensor.parts)
    return _fixed(tensor, arrays, counts, key) if known else _open(tensor, arrays, counts, batched, key)


def _fixed(
    tensor: Tensor, arrays: Sequence[Array | None], counts: Sequence[int], key: bytes | None
) -> list[Any]:
    """Return the columns of a tensor whose rows all have the same number of values."""
    width = sum(part.width or 0 for part in tensor.parts)
    lacking = any(one is None for one in arrays)
    dtype = np.dtype(object) if tensor.dtype == "string" else np.dtype(tensor.dtype)
    stacked = np.concatenate(
        [
            np.zeros((count, width), dtype) if one is None else one.reshape(count, width)
            for one, count in zip(arrays, counts, strict=True)
        ]
    )
    mask = np.repeat([one is None for one in arrays], counts) if lacking else None
    told = []
    start = 0
    for part in tensor.parts:
        size = part.width or 0
        values = stacked[:, start : start + size]
        start += size
        if part.column is None:
            continue
        if part.hidden:
            told.append(pa.array([_hash(key, row) for row in values], pa.string(), mask=mask))
        elif size == 1:
            told.append(pa.array(np.ascontiguousarray(values[:, 0]), _value_type(tensor.dtype), mask=mask))
        else:
            flat = pa.array(np.ascontiguousarray(values).ravel(), _value_type(tensor.dtype))
            told.append(
                pa.FixedSizeListArray.from_arrays(flat, size, mask=None if mask is None else pa.array(mask))
            )
    return told


def _open(
    tensor: Tensor, arrays: Sequence[Array | None], counts: Sequence[int], batched: bool, key: bytes | None
) -> list[Any]:
    """Return the columns of a tensor whose rows are as long as each request made them: it has one part."""
    [part] = tensor.parts
    rows: list[Array | None] = []
    shapes: list[Sequence[int] | None] = []
    for one, count in zip(arrays, counts, strict=True):
        if one is None:
            rows += [None] * count
            shapes += [None] * count
        else:
            rows += list(one.reshape(count, -1))
            shapes += [one.shape[1:] if batched else one.shape] * count
    told = []
    if part.hidden:
        if part.column is not None:
            told.append(pa.array([None if row is None else _hash(key, row) for row in rows], pa.string()))
    else:
        sizes = [0 if row is None else len(row) for row in rows]
        offsets = pa.array(np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32))
        held = [row for row in rows if row is not None]
        values = pa.array(np.concatenate(held) if held else [], _value_type(tensor.dtype))
        absent = pa.array([row is None for row in rows])
        told.append(pa.ListArray.from_arrays(offsets, values, mask=absent))
    if tensor.shapes is not None:
        told.append(pa.array(shapes, pa.list_(pa.int32())))
    return told


def _hash(key: bytes | None, values: Array) -> str:
    """Return the keyed hash of a field's values: texts each with its length before it, numbers as
    little-endian bytes."""
    if values.dtype.hasobject:
        texts = [str(value).encode() for value in values]
        data = b"".join(len(text).to_bytes(8, "little") + text for text in texts)
    else:
        data = np.ascontiguousarray(values, values.dtype.newbyteorder("<")).tobytes()
    return hmac.digest(key or b"", data, "sha256").hex()[:HASH]


def _size(array: Array) -> int:
    return array.nbytes + (sum(map(len, array.ravel())) if array.dtype.hasobject else 0)
