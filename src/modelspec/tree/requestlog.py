"""The request log that our own runtimes write: where its files lie, and what their columns hold.

    <root>/date=2026-11-02/hour=14/bucket=03of16/<environment>~<model>~<uuid>.parquet

Date and hour are UTC, of the instant at which the server had the answer. The bucket is that of the id
(`bucket_of`); the number of buckets is in the path, so that a reader needs nothing else. A file holds rows
of one slot of one version. A name that begins with `.` is not finished, and no record is in it.

Columns, in this order: `request_id` (text, with a Bloom filter), `row` (of the request, from 0), `batch` (how
many rows it had), `time` (microseconds, UTC), `stamp`, `model`, `environment`, `version`, `slot` (dictionary
columns with one value a file), then those of the inputs and of the outputs as the layout names them. The
layout is JSON under the key `modelspec` in the file's key-value metadata (`Layout.data`). All rows of a
request follow one another in one file.
"""

from __future__ import annotations

import hashlib
import math
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

FORMAT: Final = "modelspec/records/1"
KEY: Final = "modelspec"
"""The key of the layout in a Parquet file's metadata."""
FIXED: Final = ("request_id", "row", "batch", "time", "stamp", "model", "environment", "version", "slot")
"""The columns that every file has."""
MAX_BUCKETS: Final = 4096
MAX_WIDTH: Final = 1 << 24
"""The most values of a tensor in one row: a layout may name any width, also of what it left out."""
Hidden = Literal["", "left out", "hashed"]
"""Of a sensitive field: not in the file; or a keyed hash (HMAC-SHA256, 32 hex digits) in its place."""

_FILE: Final = re.compile(
    r"date=([0-9]{4}-[0-9]{2}-[0-9]{2})/hour=([0-9]{2})/bucket=([0-9]{1,4})of([0-9]{1,4})/"
    r"([a-z0-9.-]{1,63})~([a-z0-9.-]{1,63})~[0-9a-f-]{36}\.parquet"
)


@dataclass(frozen=True, slots=True)
class Part:
    """One column of a tensor: `width` values of each row. `field` is what fills it; None: it is opaque.

    `column` is None when it was left out. A width of None is a list as long as the request made it.
    """

    column: str | None
    field: str | None
    width: int | None
    hidden: Hidden = ""


@dataclass(frozen=True, slots=True)
class Tensor:
    """A declared input or output, and the columns that hold it, side by side in the order of its values.

    `shapes` is the column with the shape of a row, for tensors with more than one open dimension.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    parts: tuple[Part, ...]
    shapes: str | None = None

    @property
    def fields(self) -> tuple[str, ...]:
        """The features that fill it, in the order of its values; none where a part of it is opaque."""
        found = tuple(part.field for part in self.parts if part.field is not None)
        return found if len(found) == len(self.parts) else ()


@dataclass(frozen=True, slots=True)
class Layout:
    """What is the same for every row of a file. `batched`: the first dimension of every tensor is the batch,
    and a row of the file is one of it; else a row is a whole request, its tensors flat."""

    model: str
    environment: str
    slot: str
    version: str
    stamp: str
    threads: int
    batched: bool
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]

    @property
    def hidden(self) -> frozenset[str]:
        """The fields that were left out or hashed."""
        return frozenset(
            part.field or tensor.name
            for tensor in (*self.inputs, *self.outputs)
            for part in tensor.parts
            if part.hidden
        )

    def data(self) -> dict[str, Any]:
        """Return it as it stands in a file's metadata."""
        return {
            "format": FORMAT,
            "model": self.model,
            "environment": self.environment,
            "slot": self.slot,
            "version": self.version,
            "stamp": self.stamp,
            "threads": self.threads,
            "batched": self.batched,
            "inputs": [_tensor_data(one) for one in self.inputs],
            "outputs": [_tensor_data(one) for one in self.outputs],
        }


def layout_of(data: object) -> Layout:
    """Return the layout that metadata holds; raises ValueError, with what is wrong, for anything else."""
    if not isinstance(data, dict):
        raise ValueError("its metadata has no layout")
    if data.get("format") != FORMAT:
        raise ValueError(f"its format is not {FORMAT}")
    try:
        texts = {key: _text(data[key]) for key in ("model", "environment", "slot", "version", "stamp")}
        threads, batched = data["threads"], data["batched"]
        if not isinstance(threads, int) or not isinstance(batched, bool):
            raise TypeError
        return Layout(
            **texts,
            threads=threads,
            batched=batched,
            inputs=tuple(_tensor(one) for one in data["inputs"]),
            outputs=tuple(_tensor(one) for one in data["outputs"]),
        )
    except (KeyError, TypeError, AttributeError):
        raise ValueError("its metadata holds no layout that can be read") from None


def columns(inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> tuple[tuple[Tensor, ...], ...]:
    """Return tensors with names for their columns that no two readers can mix up.

    A part is called as its field is, an opaque one as its tensor; where that is taken (DuckDB asks for no
    case) a number follows.
    """
    taken = {name.casefold() for name in FIXED}

    def named(name: str) -> str:
        found, count = name, 1
        while found.casefold() in taken:
            count += 1
            found = f"{name}_{count}"
        taken.add(found.casefold())
        return found

    def tensor(one: Tensor) -> Tensor:
        parts = tuple(
            Part(
                None if part.hidden == "left out" else named(part.field or one.name),
                part.field,
                part.width,
                part.hidden,
            )
            for part in one.parts
        )
        return Tensor(one.name, one.dtype, one.shape, parts, one.shapes and named(one.shapes))

    return tuple(tuple(tensor(one) for one in tensors) for tensors in (inputs, outputs))


def is_batched(shapes: Iterable[Sequence[int]]) -> bool:
    """Whether tensors of these declared shapes share a first dimension that is open: the batch."""
    return all(shape and shape[0] == -1 for shape in shapes)


def opaque(name: str, dtype: str, shape: Sequence[int], batched: bool) -> Tensor:
    """Return a tensor that is one column, or a column and one of shapes. Its column is still to be named."""
    row = tuple(shape[1:]) if batched else tuple(shape)
    free = sum(size < 0 for size in row)
    return Tensor(
        name,
        dtype,
        tuple(shape),
        (Part(None, None, math.prod(row) if not free else None),),
        f"{name}.shape" if free > 1 else None,
    )


def bucket_of(request: str, buckets: int) -> int:
    """Return the bucket of a request: the last two bytes of its id, if that is a UUID, modulo the buckets.

    Of any other id it is the last two bytes of the sha256 of its UTF-8.
    """
    known = uuid_of(request)
    tail = (
        known.bytes
        if known is not None
        else hashlib.sha256(request.encode("utf-8", "surrogatepass")).digest()
    )
    return int.from_bytes(tail[-2:], "big") % buckets


def uuid_of(request: str) -> uuid.UUID | None:
    """Return an id as the UUID that it is, written with hyphens, or None."""
    if len(request) != 36 or request[8] != "-":
        return None
    try:
        return uuid.UUID(request)
    except ValueError:
        return None


def time_of(request: str) -> datetime | None:
    """Return the instant in an id that is a UUIDv7, or None."""
    known = uuid_of(request)
    if known is None or known.version != 7:
        return None
    try:
        return datetime.fromtimestamp((known.int >> 80) / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def folder_of(hour: datetime, bucket: int, buckets: int) -> str:
    """Return the folder of an hour (UTC) and a bucket, below the root."""
    return f"{hour_folder(hour)}/bucket={bucket:0{len(str(buckets - 1))}d}of{buckets}"


def hour_folder(hour: datetime) -> str:
    """Return the folder of an hour (UTC), below the root."""
    return f"date={hour:%Y-%m-%d}/hour={hour:%H}"


@dataclass(frozen=True, slots=True)
class Found:
    """What a path says of a file: its hour, its bucket of how many, environment and model."""

    hour: datetime
    bucket: int
    buckets: int
    environment: str
    model: str

    def within(self, since: datetime | None, until: datetime | None) -> bool:
        """Whether rows of the hour may lie in the window."""
        return (since is None or self.hour + timedelta(hours=1) > since) and (
            until is None or self.hour <= until
        )


def file_of(path: str) -> Found | None:
    """Return what a path below the root says, or None when no file of ours is called so."""
    match = _FILE.fullmatch(path)
    if match is None:
        return None
    date, hour, bucket, buckets, environment, model = match.groups()
    try:
        when = datetime.fromisoformat(f"{date}T{hour}:00:00+00:00")
    except ValueError:
        return None
    if not 0 <= int(bucket) < int(buckets) <= MAX_BUCKETS:
        return None
    return Found(when, int(bucket), int(buckets), environment, model)


def _tensor_data(one: Tensor) -> dict[str, Any]:
    parts = [
        {"column": part.column, "field": part.field, "width": part.width, "hidden": part.hidden}
        for part in one.parts
    ]
    return {
        "name": one.name, "dtype": one.dtype, "shape": list(one.shape), "columns": parts, "shapes": one.shapes
    }  # fmt: skip


def _tensor(data: Mapping[str, Any]) -> Tensor:
    shape = data["shape"]
    if not all(type(size) is int for size in shape):
        raise TypeError
    shapes = data["shapes"]
    parts = tuple(_part(one) for one in data["columns"])
    if sum(part.width or 0 for part in parts) > MAX_WIDTH:
        raise ValueError(f"a tensor of its layout has more than {MAX_WIDTH:,} values in a row")
    return Tensor(
        _text(data["name"]),
        _text(data["dtype"]),
        tuple(shape),
        parts,
        None if shapes is None else _text(shapes),
    )


def _part(data: Mapping[str, Any]) -> Part:
    column, field, width, hidden = data["column"], data["field"], data["width"], data["hidden"]
    if hidden not in ("", "left out", "hashed") or not (width is None or (type(width) is int and width >= 0)):
        raise TypeError
    if (column is None) != (hidden == "left out"):
        raise TypeError
    return Part(
        None if column is None else _text(column), None if field is None else _text(field), width, hidden
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value
