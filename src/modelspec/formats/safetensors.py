"""The header of a safetensors file: its tensors' types and shapes. The weights are not read."""

from __future__ import annotations

from math import prod
from operator import itemgetter
from typing import BinaryIO, Final

from modelspec.formats.foreign import Unreadable
from modelspec.formats.strictjson import read_json
from modelspec.tree.data import Data
from modelspec.tree.text import visible

_LIMIT: Final = 100 * 1024 * 1024
"""The format's own limit of a header."""
_SIZES: Final = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "U16": 16, "I16": 16, "F16": 16, "BF16": 16,
    "U32": 32, "I32": 32, "F32": 32, "U64": 64, "I64": 64, "F64": 64,
}  # fmt: skip
"""Type -> bits."""
_MAX_DIMENSIONS: Final = 64


def begins(head: bytes) -> bool:
    """Whether a file begins as safetensors do: the length of a header, then a JSON map."""
    return 2 <= int.from_bytes(head[:8], "little") <= _LIMIT and head[8:9] == b"{" and len(head) > 9


def observed(stream: BinaryIO) -> dict[str, Data]:
    """Return what a version file keeps of it; raises Unreadable where header and size disagree."""
    stream.seek(0)
    length = int.from_bytes(stream.read(8), "little")
    source = stream.read(length)
    if len(source) != length:
        raise Unreadable("its header is cut off", "write it again")
    header = read_json(source)
    if not isinstance(header, dict):
        raise Unreadable("its header is no map")
    metadata = header.pop("__metadata__", None)
    places = [_tensor(name, tensor) for name, tensor in header.items()]
    total, end = 0, 0
    for count, first, last in sorted(places, key=itemgetter(1, 2)):
        if first != end:
            raise Unreadable("its tensors overlap, or have a hole between them", "write it again")
        total, end = total + count, last
    if stream.seek(0, 2) != 8 + length + end:
        raise Unreadable("its size is not what its header says", "write it again: it may be cut off")
    found: dict[str, Data] = {}
    if isinstance(metadata, dict) and isinstance(metadata.get("format"), str):
        found["producer"] = metadata["format"]
    return {**found, "parameters": total}


def _tensor(name: str, tensor: Data) -> tuple[int, int, int]:
    """Return how many numbers a tensor holds, and where its bytes begin and end."""
    shape = tensor.get("shape") if isinstance(tensor, dict) else None
    offsets = tensor.get("data_offsets") if isinstance(tensor, dict) else None
    bits = _SIZES.get(str(tensor.get("dtype"))) if isinstance(tensor, dict) else None
    if not _counts(shape) or not _counts(offsets) or not isinstance(offsets, list) or len(offsets) != 2:
        raise Unreadable(f"the tensor {visible(name)} has no shape, or no place in the file")
    if isinstance(shape, list) and len(shape) > _MAX_DIMENSIONS:
        raise Unreadable(f"the tensor {visible(name)} has more than {_MAX_DIMENSIONS} dimensions")
    count = prod(shape)  # type: ignore[arg-type]
    first, last = int(offsets[0]), int(offsets[1])  # type: ignore[arg-type]
    space = (last - first) * 8
    # Of a type that is not known here, a number takes one bit at least.
    if space < count if bits is None else space != count * bits:
        raise Unreadable(f"the tensor {visible(name)} takes another space than its shape does")
    return count, first, last


def _counts(node: Data) -> bool:
    return isinstance(node, list) and all(type(one) is int and one >= 0 for one in node)
