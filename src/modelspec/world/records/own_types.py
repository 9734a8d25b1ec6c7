"""Whether the columns of our own Parquet have the types that its layout says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from modelspec.tree.requestlog import Layout


def misfits(schema: Any, layout: Layout) -> list[str]:
    """Return in words which columns of an Arrow schema are of another kind than the layout says.

    Numbers of one kind may be wider or narrower, as other writers of the same rows have them.
    """
    found = []
    for name, kind in _wanted(layout):
        held = schema.field(name).type
        if not _is(held, kind):
            found.append(f"{name} is {held}, not {kind}")
    return found


def _wanted(layout: Layout) -> Iterator[tuple[str, str]]:
    yield from (
        ("request_id", "text"),
        ("row", "integer"),
        ("batch", "integer"),
        ("time", "timestamp in UTC"),
    )
    for tensor in (*layout.inputs, *layout.outputs):
        kind = _kind(tensor.dtype)
        for part in tensor.parts:
            if part.column is not None and not part.hidden:
                yield part.column, kind if part.width == 1 else f"list of {kind}"
        if tensor.shapes is not None:
            yield tensor.shapes, "list of integer"


def _kind(dtype: str) -> str:
    kinds = {"string": "text", "bool": "bool", "float": "float", "int": "integer", "uint": "integer"}
    return kinds.get(dtype.rstrip("0123456789"), "float")


def _is(held: Any, kind: str) -> bool:
    import pyarrow as pa

    if kind.startswith("list of "):
        lists = pa.types.is_list(held) or pa.types.is_large_list(held) or pa.types.is_fixed_size_list(held)
        return lists and _is(held.value_type, kind.removeprefix("list of "))
    if kind == "text":
        plain = held.value_type if pa.types.is_dictionary(held) else held
        return bool(pa.types.is_string(plain) or pa.types.is_large_string(plain))
    if kind == "timestamp in UTC":
        return bool(pa.types.is_timestamp(held)) and held.tz is not None
    named = {"integer": pa.types.is_integer, "float": pa.types.is_floating, "bool": pa.types.is_boolean}
    return bool(named[kind](held))
