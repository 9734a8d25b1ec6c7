"""Our reader of ONNX headers against the real package, on small models, old ones, cut ones and very large ones."""

from __future__ import annotations

import io
import time
import tracemalloc
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import ROOT
from formats.fixture import FIXTURES
from modelspec.formats import protobuf
from modelspec.formats.artifact import Detected, detect
from modelspec.formats.foreign import Unreadable
from modelspec.formats.onnx import DTYPES, Graph, observed, read_graph
from modelspec.spec.kinds import VERSION
from modelspec.spec.registry import Registry
from modelspec.world.worktree import WorkTree

onnx = pytest.importorskip("onnx", reason="onnx is not installed")


def read(data: bytes) -> Graph:
    return read_graph(io.BytesIO(data))


def by_the_package(data: bytes) -> dict[str, object]:
    """What the real package says of the same bytes."""
    model = onnx.load_from_string(data)
    filled = {one.name for one in model.graph.initializer}
    filled |= {one.values.name for one in model.graph.sparse_initializer}

    def tensors(values: object) -> list[tuple[str, str, tuple[int | str, ...] | None]]:
        found = []
        for one in values:  # type: ignore[attr-defined]
            tensor = one.type.tensor_type
            kind = DTYPES.get(tensor.elem_type, "other")
            shape = None
            if tensor.HasField("shape"):
                shape = tuple(
                    dim.dim_value if dim.HasField("dim_value") else dim.dim_param or -1
                    for dim in tensor.shape.dim
                )
            found.append((one.name, kind, shape))
        return found

    return {
        "ir": model.ir_version,
        "opset": {one.domain or "ai.onnx": one.version for one in model.opset_import},
        "inputs": [one for one in tensors(model.graph.input) if one[0] not in filled],
        "outputs": tensors(model.graph.output),
    }


def by_us(graph: Graph) -> dict[str, object]:
    known = set(DTYPES.values())

    def tensors(values: object) -> list[tuple[str, str, tuple[int | str, ...] | None]]:
        return [(one.name, one.dtype if one.dtype in known else "other", one.shape) for one in values]  # type: ignore[attr-defined]

    return {
        "ir": graph.ir,
        "opset": graph.opset,
        "inputs": tensors(graph.inputs),
        "outputs": tensors(graph.outputs),
    }


@pytest.mark.parametrize(
    "path",
    [FIXTURES / "trip.onnx", *sorted((ROOT / "store").rglob("*.onnx"))],
    ids=lambda path: path.parent.name[:20],
)
def test_the_real_package_says_the_same(path: Path) -> None:
    data = path.read_bytes()
    assert by_us(read(data)) == by_the_package(data)


names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
dims = st.lists(st.one_of(st.integers(0, 2**40), st.just(None), st.sampled_from(["batch", "n"])), max_size=4)


@st.composite
def models(draw: st.DrawFn) -> bytes:
    helper = onnx.helper
    values = st.lists(
        st.builds(
            helper.make_tensor_value_info, names, st.sampled_from(sorted(DTYPES)), st.one_of(st.none(), dims)
        ),
        max_size=4,
    )
    graph = helper.make_graph([], "graph", draw(values), draw(values))
    for name in draw(st.lists(names, max_size=2)):
        graph.initializer.append(helper.make_tensor(name, 1, [1], [0.5]))
    opsets = draw(
        st.dictionaries(st.sampled_from(["", "ai.onnx.ml", "com.example"]), st.integers(1, 99), max_size=3)
    )
    model = helper.make_model(
        graph,
        ir_version=draw(st.integers(1, 20)),
        producer_name=draw(names),
        opset_imports=[helper.make_opsetid(domain, version) for domain, version in opsets.items()],
    )
    data: bytes = model.SerializeToString()
    return data


@given(models())
def test_the_real_package_says_the_same_of_any_model(data: bytes) -> None:
    assert by_us(read(data)) == by_the_package(data)


def test_what_was_observed_of_the_example_is_what_its_versions_say() -> None:
    checked = 0
    with WorkTree(ROOT) as tree:
        for entry in Registry(tree).entries(VERSION):
            artifact = entry.value.artifact
            if artifact is None or artifact.observed is None or artifact.format != "onnx":
                continue
            folder = ROOT / "store" / str(artifact.digest).replace(":", "-")
            found = observed(read((folder / artifact.files[0].path).read_bytes()))
            declared = entry.document.value(("artifact", "observed"))
            assert isinstance(declared, dict)
            for key in ("inputs", "outputs"):
                # The example writes -1 where the graph has a name.
                for tensor in found[key]:  # type: ignore[union-attr]
                    tensor["shape"] = [size if isinstance(size, int) else -1 for size in tensor["shape"]]  # type: ignore
            assert {key: found[key] for key in declared} == declared
            checked += 1
    assert checked


def test_two_gigabytes_of_weights_are_skipped(tmp_path: Path) -> None:
    """A file with a hole in it: a weight of two gigabytes that nobody reads."""
    small = onnx.load(FIXTURES / "trip.onnx")
    data = small.SerializeToString()
    size = 2**31
    name = b"\x42\x03big"
    tensor_size = len(name) + 1 + len(_varint(size)) + size
    graph_end = b"\x2a" + _varint(tensor_size) + name + b"\x4a" + _varint(size)
    (graph,) = [part for part in _top(data) if part[0] == 7]
    body = data[graph[1] : graph[2]]
    path = tmp_path / "large.onnx"
    with path.open("wb") as file:
        file.write(b"\x08\x09" + b"\x42\x02\x10\x11" + b"\x3a" + _varint(len(body) + len(graph_end) + size))
        file.write(body + graph_end)
        file.truncate(file.tell() + size)
    tracemalloc.start()
    start = time.perf_counter()
    with path.open("rb") as stream:
        found = read_graph(stream)
    took, peak = time.perf_counter() - start, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.inputs == read(data).inputs
    assert peak < 200_000
    assert took < 1


def _top(data: bytes) -> list[tuple[int, int, int]]:
    from modelspec.formats.protobuf import Wire

    return [(part.number, part.begin, part.end) for part in Wire(io.BytesIO(data)).parts()]


def _varint(value: int) -> bytes:
    found = b""
    while value > 0x7F:
        found, value = found + bytes([value & 0x7F | 0x80]), value >> 7
    return found + bytes([value])


def test_a_cut_file_is_told_from_a_whole_one() -> None:
    data = (FIXTURES / "trip.onnx").read_bytes()
    whole = read(data)
    for length in range(len(data)):
        try:
            found = read(data[:length])
        except Unreadable as error:
            assert error.message
        else:
            # What stands behind the graph may be missing, and then nothing tells; the graph is whole.
            assert (found.inputs, found.outputs) == (whole.inputs, whole.outputs)


@given(st.binary(max_size=200))
def test_any_bytes_give_a_graph_or_an_error(data: bytes) -> None:
    try:
        read(data)
    except Unreadable as error:
        assert error.message


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"\x08\x09", "no graph"),
        (b"\x08\x09\x3a\x00\x3a\x00", "two graphs"),
        (b"\x08\x09\x3a\xff\xff\xff\xff\x0f", "it is cut"),
        (b"\x08" + b"\xff" * 20, "more than 64 bits"),
        (b"\x0b\x09", "no wire type"),
        (b"\x00\x09", "no field"),
        (b"\x08\x09\x3a\x06\x5a\x04\x0a\x02\xff\xff", "no UTF-8"),
        (b"\x08\x09\x3a\x02\x58\x01", "no message"),
    ],
)
def test_what_is_wrong_is_said(data: bytes, told: str) -> None:
    with pytest.raises(Unreadable, match=told):
        read(data)


def test_a_graph_of_too_many_inputs_is_refused() -> None:
    body = b"\x5a\x03\x0a\x01x" * 10_002
    with pytest.raises(Unreadable, match="more than 10,000"):
        read(b"\x08\x09\x3a" + _varint(len(body)) + body)


def test_names_of_more_than_fits_into_memory_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protobuf, "MAX_READ", 10_000)
    body = b"\x2a\xeb\x07\x42\xe8\x07" + b"n" * 1000
    for count, refused in ((10, False), (11, True)):
        data = b"\x08\x09\x3a" + _varint(len(body) * count) + body * count
        with pytest.raises(Unreadable, match="more than 10,000 bytes") if refused else nullcontext():
            read(data)


def test_numbers_in_another_file_are_asked_for_beside_it(tmp_path: Path) -> None:
    weights = onnx.numpy_helper.from_array(np.zeros((3, 200), np.float32), "w")
    values = [
        onnx.helper.make_tensor_value_info(name, 1, ["n", size]) for name, size in (("x", 3), ("y", 200))
    ]
    node = onnx.helper.make_node("MatMul", ["x", "w"], ["y"])
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "g", values[:1], values[1:], [weights]))
    inside = model.SerializeToString()
    onnx.save_model(
        model, tmp_path / "model.onnx", save_as_external_data=True, location="w.bin", size_threshold=0
    )
    found = detect(io.BytesIO((tmp_path / "model.onnx").read_bytes()))
    assert (found.format, found.beside) == ("onnx", ("w.bin",))
    assert found.observed["inputs"] == [{"name": "x", "dtype": "float32", "shape": ["n", 3]}]
    assert found.lacking("a/model.onnx", ["a/model.onnx", "w.bin"]) == ["w.bin"]
    assert found.lacking("a/model.onnx", ["a/model.onnx", "a/w.bin"]) == []
    assert detect(io.BytesIO(inside)).beside == ()


@pytest.mark.parametrize("location", ["../w.bin", "/w.bin", "", "a/../w.bin"])
def test_numbers_outside_of_its_folder_are_never_there(location: str) -> None:
    found = Detected("onnx", beside=(location,))
    assert found.lacking("a/model.onnx", ["a/model.onnx", "w.bin", "a/w.bin"]) == [location]
