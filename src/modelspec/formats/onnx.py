"""An ONNX model's header and the inputs and outputs of its graph, without its weights.

Field numbers are those of the public onnx.proto; what is not asked for is skipped where it lies.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from modelspec.formats.foreign import Draft, Imported, Unreadable, words
from modelspec.formats.protobuf import BYTES, VARINT, Part, Wire, signed
from modelspec.tree.data import Data
from modelspec.tree.text import visible

DTYPES: Final = {
    1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 8: "string",
    9: "bool", 10: "float16", 11: "float64", 12: "uint32", 13: "uint64", 16: "bfloat16",
}  # fmt: skip
"""TensorProto.DataType -> our name of it."""
_OTHERS: Final = {
    14: "complex64", 15: "complex128", 17: "float8e4m3fn", 18: "float8e4m3fnuz", 19: "float8e5m2",
    20: "float8e5m2fnuz", 21: "uint4", 22: "int4", 23: "float4e2m1", 24: "float8e8m0", 25: "uint2",
    26: "int2",
}  # fmt: skip
_KINDS: Final = {4: "sequence", 5: "map", 7: "opaque", 8: "sparse tensor", 9: "optional"}
_MAX_TENSORS: Final = 10_000
_DEFAULT_DOMAIN: Final = "ai.onnx"


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or output. `kind`: `tensor`, or what it is instead; no shape: its rank is open."""

    name: str
    dtype: str
    shape: tuple[int | str, ...] | None
    kind: str = "tensor"


@dataclass(frozen=True, slots=True)
class Graph:
    """What an ONNX file says of itself. Inputs that initialisers fill are none of its inputs."""

    ir: int
    producer: str
    opset: dict[str, int] = field(default_factory=dict)
    inputs: tuple[Tensor, ...] = ()
    outputs: tuple[Tensor, ...] = ()
    beside: tuple[str, ...] = ()
    """The files, as it names them, in which it keeps numbers of its initialisers."""


def read_graph(stream: BinaryIO) -> Graph:
    """Read the header and the graph's inputs and outputs of a seekable stream; raises Unreadable."""
    wire = Wire(stream)
    ir, names, opset, graph = 0, ["", ""], dict[str, int](), None
    for part in wire.parts():
        if part.number == 1 and part.wire == VARINT:
            ir = signed(part.value)
        elif part.number in (2, 3):
            names[part.number - 2] = wire.text(part)
        elif part.number == 8:
            domain, version = _opset(wire, part)
            if opset.setdefault(domain, version) != version:
                raise Unreadable(f"it imports two versions of the operators {visible(domain)}")
        elif part.number == 7:
            if graph is not None:
                raise Unreadable("it has two graphs")
            graph = part
    if graph is None or ir <= 0:
        raise Unreadable("it is no ONNX model: it has no graph, or no version of its representation")
    producer = " ".join(name for name in names if name)
    return Graph(ir, producer, dict(sorted(opset.items())), *_graph(wire, graph))


def observed(graph: Graph) -> dict[str, Data]:
    """Return what a version file keeps under `artifact.observed`."""
    found: dict[str, Data] = {"ir": graph.ir, "opset": dict(graph.opset)}
    if graph.producer:
        found["producer"] = graph.producer
    for key, tensors in (("inputs", graph.inputs), ("outputs", graph.outputs)):
        found[key] = [
            {
                "name": one.name,
                "dtype": _typed(one),
                "shape": list(one.shape if one.shape is not None else ()),
            }
            for one in tensors
        ]
    return found


def from_onnx(stream: BinaryIO) -> Imported:
    """Return the inputs of a graph as fields, without their batch dimension."""
    graph = read_graph(stream)
    draft = Draft("an ONNX graph")
    for tensor in graph.inputs:
        if tensor.kind != "tensor":
            draft.lost(tensor.name, f"it is a {tensor.kind}, which is no field")
        elif tensor.dtype not in DTYPES.values():
            draft.lost(tensor.name, f"no field is {tensor.dtype}")
        elif tensor.shape is None:
            draft.lost(tensor.name, "its rank is open, so nothing says how wide a value is")
        else:
            _field(draft, tensor)
    if graph.outputs:
        listed = words(one.name for one in graph.outputs)
        draft.note(None, f"the outputs ({listed}) belong into a version's `signature`")
    return draft.finish()


def _field(draft: Draft, tensor: Tensor) -> None:
    shape = list(tensor.shape or ())
    fixed = bool(shape) and isinstance(shape[0], int) and shape[0] >= 0
    batch = shape.pop(0) if shape and (not fixed or shape[0] == 1) else None
    single = shape == [1]
    name = draft.add(tensor.name, tensor.dtype, shape=[] if single else [_size(size) for size in shape])
    if batch is None and shape:
        draft.note(name, f"its first dimension is {shape[0]}: it is taken for the value's, not for a batch")
    elif batch == 1:
        draft.note(name, "its first dimension, 1, is taken for the batch")
    if shape and not single:
        dims = ", ".join(visible(str(size), 20) for size in shape)
        told = f"one value has the shape [{dims}]: a graph does not name the columns of a tensor"
        draft.note(name, told)


def _size(size: int | str) -> Data:
    return size if isinstance(size, int) or size.isidentifier() else -1


def _graph(wire: Wire, graph: Part) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...], tuple[str, ...]]:
    inputs: list[Tensor] = []
    outputs: list[Tensor] = []
    filled, beside = set[str](), set[str]()
    for part in wire.inside(graph):
        if part.number == 5:
            filled.add(_initialiser(wire, part, beside))
        elif part.number == 15:
            # A sparse initialiser is named by its values.
            filled.update(_initialiser(wire, one, beside) for one in wire.inside(part) if one.number == 1)
        elif part.number in (11, 12):
            into = inputs if part.number == 11 else outputs
            into.append(_value(wire, part))
            if len(into) > _MAX_TENSORS:
                raise Unreadable(f"its graph has more than {_MAX_TENSORS:,} inputs or outputs")
    own = tuple(one for one in inputs if one.name not in filled)
    return own, tuple(outputs), tuple(sorted(beside))


def _initialiser(wire: Wire, message: Part, beside: set[str]) -> str:
    """Return the name of an initialiser; add the file that has its numbers, where they are in another one."""
    name, location, outside = "", "", False
    for part in wire.inside(message):
        if part.number == 8:
            name = wire.text(part)
        elif part.number == 13:
            pair = {one.number: wire.text(one) for one in wire.inside(part) if one.number in (1, 2)}
            location = pair.get(2, "") if pair.get(1) == "location" else location
        elif part.number == 14 and part.wire == VARINT:
            outside = part.value == 1
    if outside and len(beside) < _MAX_TENSORS:
        beside.add(location)
    return name


def _opset(wire: Wire, message: Part) -> tuple[str, int]:
    domain, version = "", 0
    for part in wire.inside(message):
        if part.number == 1:
            domain = wire.text(part)
        elif part.number == 2:
            version = signed(part.value)
    return domain or _DEFAULT_DOMAIN, version


def _value(wire: Wire, message: Part) -> Tensor:
    name, types = "", list[Part]()
    for part in wire.inside(message):
        if part.number == 1:
            name = wire.text(part)
        elif part.number == 2:
            types += [one for one in wire.inside(part) if one.number != 6]
    if not types:
        return Tensor(name, "undefined", None, "value without a type")
    last = types[-1]
    if last.number != 1:
        return Tensor(name, "undefined", None, _KINDS.get(last.number, "value of an unknown kind"))
    dtype, shape = "undefined", None
    for part in wire.inside(last):
        if part.number == 1 and part.wire == VARINT:
            dtype = DTYPES.get(part.value) or _OTHERS.get(part.value) or f"type {part.value}"
        elif part.number == 2:
            shape = tuple(_dimensions(wire, part))
    return Tensor(name, dtype, shape)


def _dimensions(wire: Wire, shape: Part) -> Iterator[int | str]:
    for number, one in enumerate(wire.inside(shape)):
        if number > 64:
            raise Unreadable("a tensor of more than 64 dimensions")
        if one.number != 1:
            continue
        size: int | str = -1
        for part in wire.inside(one):
            if part.number == 1 and part.wire == VARINT:
                size = max(signed(part.value), -1)
            elif part.number == 2 and part.wire == BYTES:
                size = wire.text(part) or -1
        yield size


def _typed(tensor: Tensor) -> str:
    return tensor.dtype if tensor.kind == "tensor" else tensor.kind
