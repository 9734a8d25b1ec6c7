"""Logged requests asked again: the batch that they were in, texts, and what can't be asked."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper

from conftest import ROOT
from logged import columns, digest, features, minutes, record, version
from modelspec.runtimes.check_record import answers
from modelspec.runtimes.replay import Replay, doubts, opened, packed, served_as
from modelspec.runtimes.rows import Skipped, arrays_of, rows_of
from modelspec.trace.columns import Mismatch
from modelspec.tree.finding import Refusal
from modelspec.tree.record import Unreadable, Values


def store(number: str = "2.3.0") -> Path:
    artifact = version(number=number).artifact
    assert artifact is not None and artifact.digest is not None
    return ROOT / "store" / artifact.digest.replace(":", "-", 1)


@pytest.fixture(scope="module")
def replay() -> Replay:
    return opened(store(), version(), digest())


def linear(width: int) -> bytes:
    """A linear model, wide enough that one row alone takes another way than two."""
    weights = np.random.default_rng(1).normal(size=(width, 1)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])], "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, width])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 1])],
        [helper.make_tensor("w", TensorProto.FLOAT, weights.shape, weights.tobytes(), raw=True)],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return bytes(model.SerializeToString())


def test_a_request_gives_its_bits_again(replay: Replay) -> None:
    asked = arrays_of(record(), version(), columns())
    [answer] = replay.answers(asked)["minutes"].ravel().tolist()
    logged = arrays_of(record(outputs=(minutes(answer),)), version(), columns())
    _, compared = replay.again(logged, 0.0)
    assert compared is not None and compared.verdict == "bit-equal" and compared.ulps == 0


def test_another_answer_is_different_by_so_much(replay: Replay) -> None:
    asked = arrays_of(record(), version(), columns())
    answer = replay.answers(asked)["minutes"].ravel()[0]
    off = float(np.nextafter(answer, np.float32(1e9)))
    logged = arrays_of(record(outputs=(minutes(off),)), version(), columns())
    _, strict = replay.again(logged, 0.0)
    _, loose = replay.again(logged, 1e-3)
    assert strict is not None and (strict.verdict, strict.ulps) == ("different", 1)
    assert loose is not None and loose.verdict == "within tolerance"


def test_batches_are_as_large_as_they_were() -> None:
    sizes: list[int] = []

    def run(given: object) -> list[np.ndarray]:
        x = given["x"]  # type: ignore[index]
        sizes.append(len(x))
        return [x * 2]

    inputs = {"x": np.arange(7, dtype=np.float32).reshape(7, 1)}
    batch = np.array([1, 8, 8, 1, 0, 3, 8])
    [found] = answers(run, inputs, batch, 1)
    assert found.ravel().tolist() == [0, 2, 4, 6, 8, 10, 12]
    assert sorted(sizes) == [1, 1, 1, 4]
    sizes.clear()
    [found] = answers(run, inputs, batch, 2)
    assert found.ravel().tolist() == [0, 2, 4, 6, 8, 10, 12]
    assert sorted(sizes) == [1, 1, 1, 3, 8]


def test_a_lone_row_of_a_batch_is_padded() -> None:
    """In a linear model one row alone ends in other bits than in a batch: padding gives the batch's."""
    width = 37
    session = ort.InferenceSession(linear(width=width), providers=["CPUExecutionProvider"])
    rows = np.random.default_rng(0).normal(size=(400, width)).astype(np.float32)

    def run(given: object) -> list[np.ndarray]:
        return list(session.run(["y"], dict(given)))  # type: ignore[call-overload]

    [whole] = run({"x": rows})
    [padded] = answers(run, {"x": rows[5:6]}, np.array([8]), 1)
    assert padded.tobytes() == whole[5:6].tobytes()
    [each] = answers(run, {"x": rows}, np.ones(400, int), 1)
    alone = np.concatenate([run({"x": rows[i : i + 1]})[0] for i in range(400)])
    assert each.tobytes() == alone.tobytes()


def test_an_unknown_batch_tries_both_ways(replay: Replay) -> None:
    calls: list[int] = []

    class Two:
        """Answers 1 to a row alone, 2 to several."""

        def run(self, given: dict[str, np.ndarray], names: object) -> list[np.ndarray]:
            rows = len(given["features"])
            calls.append(rows)
            return [np.full((rows, 1), min(rows, 2), np.float32)]

    made = Replay(version(), Two())  # type: ignore[arg-type]
    for answer in (1.0, 2.0):
        logged = arrays_of(record(outputs=(minutes(answer),)), version(), columns())
        _, compared = made.again(logged, 0.0)
        assert compared is not None and compared.verdict == "bit-equal"
    known = arrays_of(record(outputs=(minutes(2.0),), batch=1), version(), columns())
    _, compared = made.again(known, 0.0)
    assert compared is not None and compared.verdict == "different"


def test_what_can_not_be_asked_is_counted_and_named() -> None:
    skipped = Skipped()
    given = [
        record(),
        record((0.5, None, 8.0, 0.0)),
        record(inputs=(features(1, 2, name="other"),)),
        record(inputs=()),
        record(hidden=frozenset({"rain"})),
        record(inputs=(Values("features", "float32", (1, 4), ("a", 1, 2, 3)),)),
        Unreadable("log:7", "not JSON"),
    ]
    [rows] = rows_of(given, version(), columns(), skipped)
    assert rows.count == 1 and skipped.total == 6
    assert {reason.partition(":")[0] for reason in skipped.counts} >= {"unreadable"}
    assert any("null" in reason for reason in skipped.counts)


def test_nan_and_infinity_are_asked_as_they_were() -> None:
    rows = arrays_of(record((float("nan"), float("inf"), 8.0, 0.0)), version(), columns())
    assert np.isnan(rows.inputs["features"][0, 0]) and np.isinf(rows.inputs["features"][0, 1])


def test_whole_numbers_that_a_type_can_not_hold() -> None:
    from modelspec.runtimes.rows import array

    with pytest.raises(Mismatch, match="no int8 holds"):
        array(Values("x", "", (1,), (300,)), "int8")
    assert array(Values("x", "", (2,), ("a", b"b")), "string").tolist() == ["a", "b"]


def test_an_artifact_that_is_damaged_or_lost_is_refused(tmp_path: Path) -> None:
    shutil.copytree(store(), tmp_path / "a")
    model = tmp_path / "a/model.onnx"
    model.chmod(0o644)
    model.write_bytes(model.read_bytes()[:-1] + b"x")
    with pytest.raises(Refusal, match="is declared"):
        opened(tmp_path / "a", version(), digest())
    with pytest.raises(Refusal, match="no such folder"):
        opened(tmp_path / "gone", version(), digest())
    lost = version().model_copy(update={"artifact": None})
    with pytest.raises(Refusal, match="lost"):
        served_as(lost, digest())


def test_another_runtime_is_said() -> None:
    runtime = version().runtime
    assert runtime is not None
    other = runtime.model_copy(update={"packages": {"onnxruntime": "1.0.0"}, "threads": None})
    said = doubts(version().model_copy(update={"runtime": other}))
    assert any("recorded is 1.0.0" in one for one in said)
    assert any("numpy" in one for one in said) and any("threads" in one for one in said)


def test_the_script_of_a_bundle_stands_alone(replay: Replay, tmp_path: Path) -> None:
    asked = arrays_of(record(), version(), columns())
    [answer] = replay.answers(asked)["minutes"].ravel().tolist()
    logged = arrays_of(record(outputs=(minutes(answer),)), version(), columns())
    for name in ("runtimes/check_record.py", "trace/comparison.py"):
        shutil.copy(ROOT / "src/modelspec" / name, tmp_path)
    (tmp_path / "record.npz").write_bytes(packed(logged))
    model = str(store() / "model.onnx")

    def run(record_file: str) -> tuple[int, dict[str, object]]:
        done = subprocess.run(
            [sys.executable, "-I", "check_record.py", model, record_file, "1", "0.0", "answers.npz"],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)

    code, said = run("record.npz")
    assert (code, said["verdict"], said["ulps"]) == (0, "bit-equal", 0)
    with np.load(io.BytesIO((tmp_path / "answers.npz").read_bytes())) as kept:
        assert kept["minutes"].ravel().tolist() == [answer]
    off = arrays_of(record(outputs=(minutes(answer + 1),)), version(), columns())
    (tmp_path / "off.npz").write_bytes(packed(off))
    code, said = run("off.npz")
    assert (code, said["verdict"]) == (1, "different")
