"""Tensors in the bodies of requests and answers: Open Inference Protocol, other JSON, CSV.

Numbers are what JSON says, exactly: an integer stays one, and a float32 is carried as the double that equals
it. NaN and the infinities are values, as Python, Java and pandas write them; null is none.
"""

from __future__ import annotations

import array
import csv
import io
import json
import math
import re
import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final

from modelspec.tree.record import Scalar, Values
from modelspec.tree.text import visible

_KINDS: Final[dict[str, set[type]]] = {"bool": {bool}, "float": {int, float}, "int": {int}, "uint": {int}}
DTYPES: Final = {
    "BOOL": "bool", "UINT8": "uint8", "UINT16": "uint16", "UINT32": "uint32", "UINT64": "uint64",
    "INT8": "int8", "INT16": "int16", "INT32": "int32", "INT64": "int64",
    "FP16": "float16", "FP32": "float32", "FP64": "float64", "BYTES": "string",
}  # fmt: skip
"""Datatypes of the Open Inference Protocol, and numpy's names for them."""
_INTEGER: Final = re.compile(r"[-+]?[0-9]{1,4000}")
_NUMBER: Final = re.compile(
    r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?(?:nan|inf|infinity)", re.IGNORECASE
)
_LARGE: Final = re.compile(r"[eE]\+?[0-9]{3}|[0-9]{300}")
_MAX_RANK: Final = 16


class PayloadError(ValueError):
    """A body that holds no tensors; the message says why."""


def parsed(text: str | bytes) -> Any:
    """Return the value of a JSON text; NaN and Infinity are numbers. Raises PayloadError."""
    try:
        told = text.decode("utf-8-sig") if isinstance(text, bytes) else text
        # A number that no double holds becomes infinity in silence: only then each is looked at.
        hook = _finite if _LARGE.search(told) else None
        return json.loads(told, parse_float=hook)
    except UnicodeDecodeError:
        raise PayloadError("it is not UTF-8") from None
    except RecursionError:
        raise PayloadError("it is nested too deep") from None
    except json.JSONDecodeError as error:
        raise PayloadError(f"it is no whole JSON: {error.msg} at {error.pos:,}") from None
    except PayloadError:
        raise
    except ValueError as error:
        raise PayloadError(f"it is no JSON: {visible(str(error), 80)}") from None


def body(value: Any, content_type: str | None = None) -> Any:
    """Return a body that was logged as text or bytes: JSON as its value, CSV as its text."""
    if not isinstance(value, str | bytes):
        return value
    if content_type is not None and "csv" in content_type.lower():
        return _text(value)
    try:
        return parsed(value)
    except PayloadError:
        text = _text(value)
        if content_type is None and "," in text and not text.lstrip().startswith(("{", "[")):
            return text
        raise


def tensors(value: Any, *keys: str) -> tuple[Values, ...]:
    """Return the tensors of a body: what stands under one of `keys`, or the body itself.

    Raises PayloadError for what is none of the known shapes.
    """
    if isinstance(value, str):
        return _csv(value)
    if isinstance(value, Mapping):
        for key in ("dataframe_split", "input_data"):
            split = value.get(key)
            if isinstance(split, Mapping) and "columns" in split and "data" in split:
                return _split(split)
        for key in (*keys, "dataframe_records", "instances", "predictions", "data"):
            if key in value:
                return _named(value[key])
        if "columns" in value and "data" in value:
            return _split(value)
        raise PayloadError(f"it has none of {', '.join(keys)}")
    return _named(value)


def open_inference(value: Sequence[Any]) -> tuple[Values, ...]:
    """Return the tensors of an `inputs` or `outputs` list."""
    return tuple(_tensor(one) for one in value)


def _named(value: Any) -> tuple[Values, ...]:
    if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        if all("datatype" in one and "shape" in one for one in value):
            return open_inference(value)
        return _records(value)
    if isinstance(value, Mapping):
        return tuple(_dense(str(name), one) for name, one in value.items())
    return (_dense("", value),)


def _tensor(value: Mapping[str, Any]) -> Values:
    name = value.get("name")
    datatype, shape = value.get("datatype"), value.get("shape")
    told = visible(str(name), 40)
    if not isinstance(name, str) or not isinstance(datatype, str) or not isinstance(shape, list):
        raise PayloadError("a tensor has no name, datatype or shape")
    if not all(type(size) is int and size >= 0 for size in shape) or len(shape) > _MAX_RANK:
        raise PayloadError(f"the shape of {told} is no list of sizes")
    if "data" not in value:
        raise PayloadError(
            f"the values of {told} are not in the log: they were sent as bytes behind the JSON"
        )
    dtype = DTYPES.get(datatype)
    if dtype is None:
        raise PayloadError(f"{told} has the datatype {visible(datatype, 20)}, which the protocol has not")
    flat = _flat(value["data"])
    if len(flat) != math.prod(shape):
        raise PayloadError(f"{told} has {len(flat)} values, its shape {shape} has {math.prod(shape)}")
    return Values(name, dtype, tuple(shape), exact(flat, dtype, told))


def exact(values: Sequence[Any], dtype: str, what: str) -> list[Scalar]:
    """Return values in a declared type; raises PayloadError for what the type has not."""
    if None in values:
        kept = iter(exact([one for one in values if one is not None], dtype, what))
        return [None if one is None else next(kept) for one in values]
    if dtype == "string":
        if not all(isinstance(one, str) for one in values):
            raise PayloadError(f"{what} has values that are no texts")
        return list(values)
    if not {type(one) for one in values} <= _KINDS[dtype.rstrip("0123456789")]:
        raise PayloadError(f"{what} has values that are no {dtype}")
    if dtype.startswith("float"):
        return _floats(values, dtype, what)
    if dtype != "bool":
        bits = int(dtype.lstrip("uint"))
        low, high = (0, 2**bits - 1) if dtype[0] == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        if values and (min(values) < low or max(values) > high):
            raise PayloadError(f"{what} has values that no {dtype} holds")
    return list(values)


def _floats(values: Sequence[Any], dtype: str, what: str) -> list[Scalar]:
    try:
        if dtype == "float16":
            found = [struct.unpack("<e", struct.pack("<e", one))[0] for one in values]
        else:
            found = array.array("f" if dtype == "float32" else "d", values).tolist()
    except (OverflowError, struct.error):
        raise PayloadError(f"{what} has values that no {dtype} holds") from None
    if any(math.isinf(new) and not math.isinf(old) for new, old in zip(found, values, strict=True)):
        raise PayloadError(f"{what} has values that no {dtype} holds")
    return list(found)


def _dense(name: str, value: Any) -> Values:
    """Return nested lists as one tensor; a lone value is one of shape ()."""
    shape: list[int] = []
    level = value
    while isinstance(level, list):
        shape.append(len(level))
        if len(shape) > _MAX_RANK:
            raise PayloadError(f"{visible(name, 40) or 'a tensor'} is nested too deep")
        level = level[0] if level else None
    flat = _flat(value)
    if isinstance(value, list) and not _is_even(value, shape):
        raise PayloadError(f"{visible(name, 40) or 'the body'} is ragged: its rows have different lengths")
    return Values(name, "", tuple(shape), flat)


def _is_even(value: Any, shape: Sequence[int]) -> bool:
    if not shape:
        return not isinstance(value, list)
    return (
        isinstance(value, list) and len(value) == shape[0] and all(_is_even(one, shape[1:]) for one in value)
    )


def _flat(value: Any) -> list[Any]:
    level = [value] if not isinstance(value, list) else value
    for _ in range(_MAX_RANK):
        if not any(isinstance(one, list) for one in level):
            break
        level = [one for row in level for one in (row if isinstance(row, list) else [row])]
    if not all(one is None or isinstance(one, bool | int | float | str) for one in level):
        raise PayloadError("it has values that are no numbers and no texts")
    return level


def _records(rows: Sequence[Mapping[str, Any]]) -> tuple[Values, ...]:
    names = list(rows[0])
    if any(list(row) != names and set(row) != set(names) for row in rows):
        raise PayloadError("its rows have different columns")
    return tuple(_dense(str(name), [row[name] for row in rows]) for name in names)


def _split(value: Mapping[str, Any]) -> tuple[Values, ...]:
    names, rows = value["columns"], value["data"]
    if not isinstance(names, list) or not isinstance(rows, list):
        raise PayloadError("its columns or its data are no lists")
    if any(not isinstance(row, list) or len(row) != len(names) for row in rows):
        raise PayloadError(f"a row has not {len(names)} values")
    return tuple(_dense(str(name), [row[at] for row in rows]) for at, name in enumerate(names))


def _csv(text: str) -> tuple[Values, ...]:
    try:
        rows = [row for row in csv.reader(io.StringIO(text), strict=True) if row]
    except csv.Error as error:
        raise PayloadError(f"it is no CSV: {visible(str(error), 60)}") from None
    if not rows or any(len(row) != len(rows[0]) for row in rows):
        raise PayloadError("it is no CSV with the same number of values in each line")
    return (Values("", "", (len(rows), len(rows[0])), [_cell(cell) for row in rows for cell in row]),)


def _cell(cell: str) -> Scalar:
    told = cell.strip()
    if not told:
        return None
    if _INTEGER.fullmatch(told):
        return int(told)
    return _finite(told) if _NUMBER.fullmatch(told) else cell


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number) and "i" not in text.lower():
        raise PayloadError(f"the number {visible(text, 30)} is more than a double holds")
    return number


def _text(value: str | bytes) -> str:
    if isinstance(value, str):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise PayloadError("it is not UTF-8") from None
