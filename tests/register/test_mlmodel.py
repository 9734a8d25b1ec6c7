"""What an MLmodel says of a model, and what it can't."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from conftest import Git
from modelspec.formats.foreign import Unreadable
from modelspec.formats.mlmodel import read_mlmodel
from modelspec.tree.yaml import read
from register.brought import RUN, mlruns
from register.conftest import MODEL, Register

__all__ = ["mlruns"]


def test_an_mlmodel_tells_tensors_and_columns() -> None:
    tensors = (
        b"flavors:\n  onnx: {}\n  python_function: {python_version: 3.11.7}\nsignature:\n"
        b'  inputs: \'[{"type": "tensor", "name": "x", "tensor-spec": {"dtype": "float32", "shape": [-1, 4]}}]\'\n'
        b'  outputs: \'[{"type": "double", "name": "y"}, {"type": "object"}]\'\n'
    )
    found = read_mlmodel(tensors)
    assert (found.flavour, found.python) == ("onnx", "3.11.7")
    assert found.signature["inputs"] == [{"name": "x", "dtype": "float32", "shape": [-1, 4]}]
    assert found.signature["outputs"] == [{"name": "y", "dtype": "float64", "shape": [-1]}]
    assert len(found.notes) == 1


@pytest.mark.parametrize("kind", ["onnx", "safetensors"])
def test_one_tensor_without_a_name_is_called_as_in_the_models_bytes(
    kind: str, register: Register, shop: Git, tmp_path: Path
) -> None:
    (tmp_path / "eta").mkdir()
    (tmp_path / "eta/MLmodel").write_text(
        "flavors: {other: {}}\nsignature:\n"
        '  inputs: \'[{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 4]}}]\'\n'
        '  outputs: \'[{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 1]}}]\'\n'
    )
    weights = Path(__file__).parents[1] / "formats/fixtures/artifacts/weights.safetensors"
    shutil.copy(MODEL if kind == "onnx" else weights, tmp_path / "eta/model")
    given = {"none": "features", "feature": None, "threshold": None}
    done = register("5.0.0", artifact=str(tmp_path / "eta"), **given)
    assert done.returncode == 0, done.stdout + done.stderr
    data, _ = read((shop.root / "registry/models/eta/versions/5.0.0.yaml").read_bytes())
    names = [data["signature"][side][0]["name"] for side in ("inputs", "outputs")]  # type: ignore[call-overload, index]
    assert names == (["features", "minutes"] if kind == "onnx" else ["input", "output"])
    assert ("without a name in its MLmodel is called input here" in done.stdout) == (kind != "onnx")
    said = tmp_path / "signature.yaml"
    said.write_text(
        "inputs:\n  - {name: features, dtype: float32, shape: [-1, 4]}\n"
        "outputs:\n  - {name: minutes, dtype: float32, shape: [-1, 1]}\n"
    )
    given |= {"signature": str(said)}
    assert "without a name" not in register("6.0.0", artifact=str(tmp_path / "eta"), **given).stdout


@pytest.mark.parametrize("kind", ["onnx", "safetensors"])
def test_an_mlmodel_cannot_say_what_fills_an_input_and_the_parent_does(
    kind: str, register: Register, shop: Git, tmp_path: Path
) -> None:
    (tmp_path / "eta").mkdir()
    tensor = '{"type": "tensor", "name": "%s", "tensor-spec": {"dtype": "float32", "shape": [-1, %d]}}'
    (tmp_path / "eta/MLmodel").write_text(
        "flavors: {other: {}}\nsignature:\n"
        f"  inputs: '[{tensor % ('features', 4)}]'\n  outputs: '[{tensor % ('minutes', 1)}]'\n"
    )
    weights = Path(__file__).parents[1] / "formats/fixtures/artifacts/weights.safetensors"
    shutil.copy(MODEL if kind == "onnx" else weights, tmp_path / "eta/model")
    versions = shop.root / "registry/models/eta/versions"
    before = set(versions.glob("*.yaml"))
    parent, _ = read((versions / "3.0.0.yaml").read_bytes())
    done = register("--next", artifact=str(tmp_path / "eta"), threshold="late=minutes>=61")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "what features, minutes mean is what the parent says: look at `signature`" in done.stdout
    [new] = set(versions.glob("*.yaml")) - before
    data, _ = read(new.read_bytes())
    assert isinstance(parent, dict) and isinstance(data, dict)
    assert (data["signature"], data["request"]) == (parent["signature"], parent["request"])
    # What its author states is the whole of it.
    said = tmp_path / "signature.yaml"
    said.write_text(
        "inputs:\n  - {name: features, dtype: float32, shape: [-1, 4]}\n"
        "outputs:\n  - {name: minutes, dtype: float32, shape: [-1, 1]}\n"
    )
    done = register("8.0.0", artifact=str(tmp_path / "eta"), signature=str(said), threshold=None)
    assert done.returncode == 1 and "no input reads trip_features" in done.stdout, done.stdout + done.stderr


def test_a_table_of_another_width_is_no_table_of_the_parents(register: Register, shop: Git) -> None:
    booster = Path(__file__).parents[1] / "formats/fixtures/artifacts/booster.ubj"
    done = register("--next", artifact=str(booster))
    assert done.returncode == 1
    assert "the inputs have 4 columns together, the artifact reads 3" in done.stdout


def test_what_has_no_name_in_an_mlmodel_gets_one_and_that_is_said() -> None:
    source = (
        b"flavors: {sklearn: {}}\nsignature:\n"
        b'  inputs: \'[{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 3]}}]\'\n'
        b'  outputs: \'[{"type": "double", "required": true}, {"type": "double", "required": true}]\'\n'
    )
    found = read_mlmodel(source)
    assert found.signature["inputs"] == [{"name": "input", "dtype": "float32", "shape": [-1, 3]}]
    assert [one["name"] for one in found.signature["outputs"]] == ["output_0", "output_1"]  # type: ignore[index, call-overload]
    assert not found.notes and tuple(found.unnamed.values()) == (
        "inputs: one without a name in its MLmodel is called input here (MLServer: input-0)",
        "outputs: 2 without a name in its MLmodel are called output_0 and so on here (MLServer: output-0)",
    )


@pytest.mark.parametrize(
    "said", ["3", "[]x", "{inputs: '3'}", "{inputs: '{}'}", "{outputs: {a: b}}", "{inputs: '['}"]
)
def test_a_signature_that_is_none_is_not_passed_over(said: str) -> None:
    with pytest.raises(Unreadable):
        read_mlmodel(f"flavors: {{sklearn: {{}}}}\nsignature: {said}\n".encode())
    for none in ("{}", "null", "{inputs: null, outputs: 'null'}"):
        assert read_mlmodel(f"flavors: {{sklearn: {{}}}}\nsignature: {none}\n".encode()).signature == {}


def test_requirements_beside_an_mlmodel_that_are_no_lock_are_said(
    register: Register, shop: Git, mlruns: Path
) -> None:
    (mlruns / "1" / RUN / "artifacts/model/requirements.txt").write_text("numpy>=2\n")
    options = ("--from-mlflow", "models:/eta/1", "--mlflow", str(mlruns))
    done = register("--next", *options, artifact=None, lock=None)
    assert done.returncode == 1
    assert "runtime: its packages (--lock FILE)" in done.stderr
    assert "note: the requirements.txt beside the MLmodel is no lock: " in done.stderr
