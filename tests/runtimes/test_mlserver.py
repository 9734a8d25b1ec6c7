"""A real MLServer: which version answers, what it refuses, and that going back leaves no gap."""

from __future__ import annotations

import shutil
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runtimes.engine import FEATURES, START_SECONDS, Describe, Engine

pytest.importorskip("mlserver", reason="the extra `mlserver` is not installed")
pytest.importorskip("onnxruntime", reason="the extra `mlserver` is not installed")

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory, describe: Describe, store: Path) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("mlserver")
    engine = Engine(folder / "models", describe, store)
    engine.write("stable", "2.3.0")
    engine.write("standby", "2.3.1", name="eta-standby")
    process = engine.start(folder / "work")
    try:
        engine.wait(process)
        yield engine
    finally:
        process.terminate()
        process.communicate(timeout=30)


@pytest.fixture(autouse=True)
def _as_it_was(engine: Engine) -> None:
    engine.write("stable", "2.3.0")
    assert engine.reload()[0] == 200


def test_every_answer_says_who_gave_it(engine: Engine, describe: Describe) -> None:
    for model, version, slot in (("eta", "2.3.0", "stable"), ("eta-standby", "2.3.1", "standby")):
        status, answer = engine.infer(model)
        assert status == 200
        assert (answer["model_name"], answer["model_version"]) == (model, version)
        assert answer["parameters"] == {
            "model": "eta",
            "version": version,
            "digest": describe("eta", version)["digest"],
            "environment": "production",
            "slot": slot,
        }
        assert answer["outputs"][0]["name"] == "minutes"
        assert answer["outputs"][0]["shape"] == [1, 1]


def test_the_metadata_says_it_too(engine: Engine, describe: Describe) -> None:
    status, answer = engine.call("models/eta", method="GET")
    assert status == 200
    assert answer["versions"] == ["2.3.0"]
    assert answer["parameters"]["digest"] == describe("eta", "2.3.0")["digest"]
    assert answer["inputs"] == [{"name": "features", "datatype": "FP32", "shape": [-1, 4]}]


def test_an_id_is_echoed_and_else_minted_as_uuid7(engine: Engine) -> None:
    mine = str(uuid.uuid4())
    assert engine.infer(id=mine)[1]["id"] == mine
    for absent in ({}, {"id": ""}):
        assert uuid.UUID(engine.infer(**absent)[1]["id"]).version == 7


def test_grpc_says_the_same(engine: Engine, describe: Describe) -> None:
    import grpc
    from mlserver.grpc.dataplane_pb2 import InferTensorContents, ModelInferRequest
    from mlserver.grpc.dataplane_pb2_grpc import GRPCInferenceServiceStub

    contents = InferTensorContents(fp32_contents=FEATURES["data"])
    tensor = ModelInferRequest.InferInputTensor(
        name="features", datatype="FP32", shape=[1, 4], contents=contents
    )
    with grpc.insecure_channel(f"127.0.0.1:{engine.grpc}") as channel:
        stub = GRPCInferenceServiceStub(channel)
        answer = stub.ModelInfer(ModelInferRequest(model_name="eta", inputs=[tensor]))
        tensor.shape[:] = [1, 3]
        with pytest.raises(grpc.RpcError) as refused:
            stub.ModelInfer(ModelInferRequest(model_name="eta", inputs=[tensor]))
    assert uuid.UUID(answer.id).version == 7
    assert answer.parameters["digest"].string_param == describe("eta", "2.3.0")["digest"]
    assert list(answer.outputs[0].contents.fp32_contents) == engine.infer()[1]["outputs"][0]["data"]
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"inputs": []}, "the model takes 'features'"),
        ({"inputs": [{**FEATURES, "name": "x"}]}, "the model takes 'features'"),
        ({"inputs": [{**FEATURES, "datatype": "FP64"}]}, "datatype FP64"),
        ({"inputs": [{**FEATURES, "shape": [1, 3]}]}, "shape [1, 3]"),
        ({"inputs": [{**FEATURES, "data": [0.25, 1, 8, None]}]}, "no float32"),
        ({"outputs": [{"name": "label"}]}, "no such output: label"),
    ],
)
def test_a_request_that_does_not_fit_is_400_and_says_why(
    engine: Engine, change: dict[str, Any], says: str
) -> None:
    status, answer = engine.infer(**change)
    assert status == 400
    assert says in answer["error"]


def test_forth_and_back_without_a_gap_and_bit_for_bit(engine: Engine) -> None:
    before = engine.infer()[1]["outputs"]
    seen: list[tuple[int, Any]] = []
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            seen.append(engine.infer())

    client = threading.Thread(target=ask)
    client.start()
    try:
        for version in ("2.3.1", "2.3.0", "2.3.1", "2.3.0"):
            engine.write("stable", version)
            assert engine.reload()[0] == 200
            assert engine.infer()[1]["model_version"] == version
    finally:
        done.set()
        client.join()
    assert {status for status, _ in seen} == {200}
    assert {answer["model_version"] for _, answer in seen} == {"2.3.0", "2.3.1"}
    assert engine.infer()[1]["outputs"] == before
    assert engine.call("models/eta/versions/2.3.1/ready", method="GET")[0] == 404


def test_a_version_that_is_refused_never_answers(engine: Engine, describe: Describe) -> None:
    artifact = describe("eta", "3.0.0")["artifact"]
    larger = {**artifact, "files": [{**artifact["files"][0], "size": artifact["files"][0]["size"] + 1}]}
    seen: list[int] = []
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            seen.append(engine.infer()[0])

    client = threading.Thread(target=ask)
    client.start()
    try:
        for change, says in (({"artifact": larger}, "are declared"), ({"threads": 0}, "threads")):
            engine.write("stable", "3.0.0", **change)
            status, answer = engine.reload()
            assert status == 422
            assert says in answer["error"]
    finally:
        done.set()
        client.join()
    assert set(seen) == {200}
    assert engine.infer()[1]["model_version"] == "2.3.0"


def test_it_does_not_start_with_an_artifact_that_differs(
    tmp_path: Path, describe: Describe, store: Path
) -> None:
    shutil.copytree(store, tmp_path / "store")
    engine = Engine(tmp_path / "models", describe, tmp_path / "store")
    engine.write("stable", "2.3.0")
    for model in (tmp_path / "store").glob("*/model.onnx"):
        model.write_bytes(model.read_bytes()[:-1] + b"\0")
    process = engine.start(tmp_path / "work")
    try:
        log = process.communicate(timeout=START_SECONDS)[0]
    finally:
        process.kill()
    assert "'model.onnx' has sha256:" in log
