"""What is kept beside a version: golden answers, bins of the sample, what fitted objects hold."""

from __future__ import annotations

import io
import json
import math
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import Git, edit
from modelspec.formats.bins import LEAST, deciles, reference
from modelspec.formats.foreign import Unreadable
from modelspec.runtimes.golden import golden
from modelspec.tree.finding import Refusal
from modelspec.tree.yaml import read
from register.conftest import BINARIES, MODEL, Register, engine_of

NEW = "registry/models/eta/versions/3.0.1.yaml"


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=1, max_size=300))
def test_every_value_is_in_one_bin_and_no_bin_is_small(values: list[float]) -> None:
    edges, counts = deciles(values)
    assert len(edges) == len(counts) + 1 and edges == sorted(edges)
    assert (edges[0], edges[-1]) == (min(values), max(values))
    assert sum(counts) == len(values)
    assert len(counts) == 1 or min(counts) >= LEAST
    assert len(counts) <= 10
    for low, high, count in zip(edges[:-2], edges[1:-1], counts[:-1], strict=True):
        assert count == sum(low <= value < high for value in values)


def test_even_values_fall_into_ten_even_bins() -> None:
    edges, counts = deciles([float(value) for value in range(1001)])
    assert edges == [100.0 * tenth for tenth in range(11)]
    assert counts == [100] * 9 + [101]


@pytest.mark.parametrize(
    ("values", "edges", "counts"),
    [
        ([0] * 70 + [1] * 30, [0, 1, 1], [70, 30]),
        ([0] * 950 + list(range(1, 51)), [0, 1, 50], [950, 50]),
        ([0] * 95 + [1] * 5, [0, 1, 1], [95, 5]),
        ([0, 1, 2] * 100, [0, 1, 2, 2], [100, 100, 100]),
        ([0] * 998 + [1] * 2, [0, 1], [1000]),
    ],
)
def test_a_value_that_is_often_there_has_a_bin_of_its_own(
    values: list[float], edges: list[float], counts: list[int]
) -> None:
    assert deciles(values) == (edges, counts)


@given(st.lists(st.integers(0, 4).map(float), min_size=1, max_size=300))
def test_no_value_of_a_tenth_shares_its_bin_with_a_greater_one(values: list[float]) -> None:
    edges, counts = deciles(values)
    assert sum(counts) == len(values) and len(counts) <= 10
    for value in set(values):
        if values.count(value) >= max(LEAST, len(values) / 5) and value != max(values):
            inside = next(at for at, high in enumerate([*edges[1:-1], math.inf]) if value < high)
            others = sum(
                value < one and (one < edges[inside + 1] or inside + 2 == len(edges)) for one in values
            )
            assert others < LEAST


def test_csv_is_read_as_pandas_reads_it() -> None:
    rows = [f"2024_{month:02},{month},{month}.5" for month in range(1, 11)]
    odd = ["2024_01,n/a,-inf", "2024_01,<NA>, 1e1"]
    data, notes = reference(io.BytesIO("\n".join(["month,n,x", *rows * 5, *odd]).encode()))
    month, n, x = (json.loads(data)["features"][name] for name in ("month", "n", "x"))
    assert not notes and month["categories"]["2024_01"] == 7 and month["missing"] == 0
    assert (n["missing"], sum(n["counts"])) == (2, 50) and (x["missing"], sum(x["counts"])) == (1, 51)


def test_why_a_column_has_no_bins_is_said() -> None:
    stream = io.BytesIO()
    columns = {
        "ok": [1.0] * 200,
        "list": [[1]] * 200,
        "none": pa.nulls(200),
        "ids": [f"v{at}" for at in range(200)],
    }
    pq.write_table(pa.table(columns), stream)
    _, notes = reference(stream)
    assert notes == (
        "no bins of list: a value is a list, neither a number nor a text",
        "no bins of none: it has no value",
        "no bins of ids: it has more than 100 different texts",
    )
    with pytest.raises(Unreadable, match="no bins of a: some values are numbers, and some are texts"):
        reference(io.BytesIO(b"a\nx\n1\n"))


def test_a_table_with_a_column_twice_is_refused() -> None:
    stream = io.BytesIO()
    pq.write_table(pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"]), stream)
    with pytest.raises(Unreadable, match="a column twice"):
        reference(stream)


def test_csv_and_parquet_of_one_sample_give_the_same_bins() -> None:
    rows = 40
    city = ["ams"] * 30 + ["ber"] * 7 + ["lis"] * 2 + [None]
    distance = [value / 2 for value in range(rows - 1)] + [None]
    text = "distance,city\n" + "".join(
        f"{'' if one is None else one},{two or ''}\n" for one, two in zip(distance, city, strict=True)
    )
    stream = io.BytesIO()
    pq.write_table(pa.table({"distance": distance, "city": city}), stream)
    from_csv, notes = reference(io.BytesIO(text.encode()))
    assert notes == () and reference(stream)[0] == from_csv
    data = json.loads(from_csv)
    assert data["rows"] == 40
    assert data["features"]["city"] == {"missing": 1, "categories": {"ams": 30, "ber": 7}, "other": 2}
    assert data["features"]["distance"]["missing"] == 1
    assert sum(data["features"]["distance"]["counts"]) == 39


@pytest.mark.parametrize("data", [b"", b"a,b\n", b"a,a\n1,2\n", b"a,b\n1\n", b"PAR1junk", b"a\n\n"])
def test_what_is_no_sample_is_refused(data: bytes) -> None:
    with pytest.raises(Unreadable):
        reference(io.BytesIO(data))


def npz(**arrays: object) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)  # type: ignore[arg-type]
    return stream.getvalue()


def test_golden_answers_are_the_models_and_the_same_bytes_each_time() -> None:
    inputs = npz(features=np.array([[0.5, 1, 8, 0], [0.1, 2, 17, 3]], np.float32))
    made = golden("onnx", MODEL.read_bytes(), inputs, 1)
    assert made == golden("onnx", MODEL.read_bytes(), inputs, 1)
    with np.load(io.BytesIO(made)) as found:
        assert sorted(found.files) == ["inputs/features", "outputs/minutes"]
        assert found["outputs/minutes"].shape == (2, 1)
        assert all(math.isfinite(one) for one in found["outputs/minutes"].ravel())


@pytest.mark.parametrize(
    "inputs",
    [b"junk", npz(other=np.zeros((1, 4), np.float32)), npz(features=np.zeros((1, 9), np.float32)), npz(features=np.array([{}], object))],
    ids=["junk", "name", "width", "objects"],
)  # fmt: skip
def test_golden_inputs_that_do_not_fit_are_refused(inputs: bytes) -> None:
    with pytest.raises(Refusal):
        golden("onnx", MODEL.read_bytes(), inputs, 1)


def encrypted() -> bytes:
    data = bytearray(npz(features=np.zeros((1, 4), np.float32)))
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + at] |= 1
    return bytes(data)


def vast() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        head = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 4)}\n"
        archive.writestr("features.npy", b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head)
    return stream.getvalue()


@pytest.mark.parametrize("made", [encrypted, vast])
def test_golden_inputs_that_no_library_reads_are_said(made: Callable[[], bytes]) -> None:
    with pytest.raises(Refusal, match="the golden inputs are no"):
        golden("onnx", MODEL.read_bytes(), made(), 1)


BOOSTERS = [("xgboost", "booster.json"), ("xgboost", "booster.ubj"), ("lightgbm", "booster.txt")]


@pytest.mark.parametrize(("form", "name"), BOOSTERS)
def test_a_booster_answers_as_its_own_library_does(form: str, name: str) -> None:
    engine = engine_of(form)
    rows = np.array([[0.5, 1, 8], [59, 2, 17], [np.nan, 0, 3]], np.float32)
    made = golden(form, (BINARIES / name).read_bytes(), npz(rows=rows), 1)
    assert made == golden(form, (BINARIES / name).read_bytes(), npz(rows=rows), 1)
    booster = engine.Booster(model_file=str(BINARIES / name))
    names = ["distance", "city", "rain"]
    table = engine.DMatrix(rows, feature_names=names) if form == "xgboost" else rows
    with np.load(io.BytesIO(made)) as found:
        assert sorted(found.files) == ["inputs/rows", "outputs/predict"]
        assert found["outputs/predict"].tobytes() == booster.predict(table).tobytes()


@pytest.mark.parametrize(("form", "name"), BOOSTERS)
@pytest.mark.parametrize(
    "arrays", [{"rows": np.zeros(3)}, {"rows": np.zeros((1, 9))}, {"a": np.zeros((1, 3)), "b": np.zeros((1, 3))}, {}],
    ids=["flat", "wide", "two", "none"],
)  # fmt: skip
def test_golden_inputs_that_no_booster_takes_are_refused(
    form: str, name: str, arrays: dict[str, object]
) -> None:
    engine_of(form)
    with pytest.raises(Refusal, match="does not answer"):
        golden(form, (BINARIES / name).read_bytes(), npz(**arrays), 1)


def test_they_are_stored_as_trees_and_recorded_by_digest(
    register: Register, shop: Git, tmp_path: Path
) -> None:
    (tmp_path / "in.npz").write_bytes(npz(features=np.zeros((1, 4), np.float32)))
    (tmp_path / "sample.csv").write_text("distance_norm,city\n" + "0.5,ams\n" * 20)
    done = register("--next", golden=str(tmp_path / "in.npz"), reference=str(tmp_path / "sample.csv"))
    assert done.returncode == 0, done.stdout + done.stderr
    data, _ = read((shop.root / NEW).read_bytes())
    assert isinstance(data, dict)
    for key, name in (("golden", "golden.npz"), ("reference", "reference.json")):
        tree = shop.root / "store" / str(data[key]).replace(":", "-")
        assert [file.name for file in tree.iterdir()] == [name]
    bare = register("--next", golden=str(tmp_path / "in.npz"), threads=None)
    assert bare.returncode == 1 and "--threads" in bare.stderr
    bare = register("--next", golden=str(tmp_path / "in.npz"), artifact=None, threads=None, python=None)
    assert bare.returncode == 1
    assert all(f"({one}" in bare.stderr for one in ("--artifact", "--threads", "--python")), bare.stderr


def test_capture_reads_the_authors_object_and_says_that_it_runs_it(register: Register, shop: Git) -> None:
    (shop.root / "mymodel.py").write_text(
        "import numpy as np\n"
        "class Scaler:\n    mean_ = np.array([1.0, 2.0])\n    scale_ = np.array([0.5, 2.0])\n"
        "class Encoder:\n    categories_ = [np.array(['ams', 'ber'])]\n"
        "class Pipeline:\n    steps = [('scale', Scaler()), ('encode', Encoder())]\n"
        "pipeline = Pipeline()\nplain = 3\n"
    )
    shop.commit("The pipeline")
    done = register("--next", capture="mymodel:pipeline")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "imports and RUNS mymodel:pipeline" in done.stderr
    data, _ = read((shop.root / NEW).read_bytes())
    assert data["artifact"]["captured"]["steps"] == {  # type: ignore[call-overload, index]
        "scale": {"kind": "Scaler", "mean": [1.0, 2.0], "scale": [0.5, 2.0]},
        "encode": {"kind": "Encoder", "categories": [["ams", "ber"]]},
    }
    for wrong in ("mymodel:plain", "mymodel:nothing", "nomodule:x", "mymodel"):
        assert register("--next", capture=wrong).returncode == 3


def test_what_capture_leaves_out_is_said_and_recorded(register: Register, shop: Git) -> None:
    (shop.root / "oddmodel.py").write_text(
        "import numpy as np\n"
        "class Odd:\n"
        "    mean_ = np.zeros(10_001)\n    scale_ = np.zeros(10_000)\n    quantiles_ = np.zeros((200, 200))\n"
        "    categories_ = [np.array(['a', None], dtype=object)]\n    classes_ = [1 + 2j]\n    steps = 5\n"
        "    @property\n    def var_(self): raise RuntimeError('no')\n"
        "class Pipeline:\n    steps = [('scale', Odd()), 'odd', ('a',)]\n"
        "pipeline = Pipeline()\n"
    )
    shop.commit("The pipeline")
    done = register("--next", capture="oddmodel:pipeline")
    assert done.returncode == 0, done.stdout + done.stderr
    data, _ = read((shop.root / NEW).read_bytes())
    step = data["artifact"]["captured"]["steps"]["scale"]  # type: ignore[call-overload, index]
    many = "values, where 10,000 are the most"
    assert step["mean"] == {"unknown": {"reason": f"10,001 {many}"}}
    assert step["quantiles"] == {"unknown": {"reason": f"40,000 {many}"}}
    assert step["classes"] == {"unknown": {"reason": "no file here holds a complex"}}
    assert len(step["scale"]) == 10_000 and step["categories"] == [["a", None]] and "var" not in step
    for said in (
        f"--capture: scale.mean is not recorded: 10,001 {many}",
        f"--capture: scale.quantiles is not recorded: 40,000 {many}",
        "--capture: scale.classes is not recorded",
        "--capture: scale.var can't be read: RuntimeError",
    ):
        assert said in done.stdout


@pytest.mark.parametrize("code", ["import sys; sys.exit(0)\n", "raise ValueError('no')\n"])
def test_a_module_that_stops_is_said(code: str, register: Register, shop: Git) -> None:
    (shop.root / "stops.py").write_text(code)
    shop.commit("a module")
    done = register("--next", "--capture", "stops:pipeline")
    assert done.returncode == 3 and "stops:pipeline can't be imported" in done.stderr


def test_a_store_whose_folder_is_not_here_is_said_to_be_elsewhere(register: Register, shop: Git) -> None:
    """Else somebody who meant the folder reads of a network that fails."""
    edit(
        shop.root,
        "registry/modelspec.yaml",
        '{path: store, uri: "s3://example-models/store"}',
        "{path: depot, uri: https://127.0.0.1:1/depot}",
    )
    done = register("3.0.1")
    assert done.returncode == 3
    assert (
        "modelspec: the folder depot is not here: the bytes go to https://127.0.0.1:1/depot (make"
        in done.stderr
    )
