"""Request tensors against the declared inputs: exactly these names, types and shapes, or a refusal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from modelspec.runtimes.served import Tensor

Array = NDArray[Any]

DATATYPES: Final[dict[str, str]] = {
    "bool": "BOOL",
    "uint8": "UINT8",
    "uint16": "UINT16",
    "uint32": "UINT32",
    "uint64": "UINT64",
    "int8": "INT8",
    "int16": "INT16",
    "int32": "INT32",
    "int64": "INT64",
    "float16": "FP16",
    "float32": "FP32",
    "float64": "FP64",
    "string": "BYTES",
}
"""Our dtypes as the Open Inference Protocol names them."""

# What numpy may infer for a list of JSON values, by the kind of the wanted dtype.
_ACCEPTS: Final[dict[str, str]] = {"b": "b", "u": "iu", "i": "iu", "f": "fiu"}


class RequestError(ValueError):
    """The request does not fit the model's declared inputs; the message is for the caller."""


@dataclass(frozen=True)
class Given:
    """One tensor of a request, as the protocol carries it."""

    name: str
    datatype: str
    shape: Sequence[int]
    data: Any


def arrays(given: Sequence[Given], declared: Sequence[Tensor]) -> Mapping[str, Array]:
    """Return the request's tensors as arrays, by name."""
    wanted = {tensor.name: tensor for tensor in declared}
    names = [tensor.name for tensor in given]
    unknown = sorted(set(names) - wanted.keys())
    missing = sorted(wanted.keys() - set(names))
    if unknown or missing or len(names) != len(set(names)):
        raise RequestError(f"inputs are {_list(names)}, the model takes {_list(wanted)}, each once")
    return {tensor.name: _array(tensor, wanted[tensor.name]) for tensor in given}


def fits(shape: Sequence[int], declared: Sequence[int]) -> bool:
    """Whether a shape is one that the declared shape allows."""
    return len(shape) == len(declared) and all(
        have == want if want >= 0 else have >= 1 for have, want in zip(shape, declared, strict=True)
    )


def _array(given: Given, tensor: Tensor) -> Array:
    what = f"input {tensor.name!r}"
    if given.datatype != DATATYPES[tensor.dtype]:
        raise RequestError(f"{what} has datatype {given.datatype}, the model takes {DATATYPES[tensor.dtype]}")
    if not fits(given.shape, tensor.shape):
        raise RequestError(f"{what} has shape {list(given.shape)}, the model takes {list(tensor.shape)}")
    flat = (
        _strings(given.data, what) if tensor.dtype == "string" else _numbers(given.data, tensor.dtype, what)
    )
    count = math.prod(given.shape)
    if flat.size != count:
        raise RequestError(f"{what} has {flat.size} values, shape {list(given.shape)} has {count}")
    return flat.reshape(tuple(given.shape))


def _numbers(data: Any, dtype: str, what: str) -> Array:
    wanted = np.dtype(dtype)
    try:
        raw = np.array(data)
    except (ValueError, OverflowError) as error:
        raise RequestError(f"{what} is ragged or out of range: {error}") from error
    if raw.dtype.kind not in _ACCEPTS[wanted.kind]:
        raise RequestError(f"{what} has values that are no {dtype}")
    if wanted.kind in "iu" and raw.size:
        bounds = np.iinfo(wanted)
        if int(raw.min()) < bounds.min or int(raw.max()) > bounds.max:
            raise RequestError(f"{what} has values outside {dtype}: {bounds.min} to {bounds.max}")
    with np.errstate(over="ignore"):
        cast = raw.astype(wanted).ravel()
    if wanted.kind == "f" and bool(np.any(np.isinf(cast) & np.isfinite(raw.ravel()))):
        raise RequestError(f"{what} has values too large for {dtype}")
    return cast


def _strings(data: Any, what: str) -> Array:
    values = data if isinstance(data, list) else list(data)
    if not all(isinstance(value, str | bytes) for value in values):
        raise RequestError(f"{what} has values that are no strings, or is not flat")
    try:
        texts = [value.decode() if isinstance(value, bytes) else value for value in values]
    except UnicodeDecodeError as error:
        raise RequestError(f"{what} has bytes that are not UTF-8") from error
    return np.array(texts, dtype=object)


def _list(names: Any) -> str:
    return ", ".join(map(repr, names)) or "none"
