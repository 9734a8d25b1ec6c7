"""The seed of the project, from end to end: the merge that `check` stops, and what it would have cost.

Production's features move to the schema that stopped normalising, and the model stays. `check` names both places.
The model is then fed what either schema serves, and its error is measured: README prints the two figures.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from conftest import ROOT, Run, edit
from docs.pages import prose
from modelspec.spec.kinds import SCHEMA, VERSION
from modelspec.spec.model import ModelVersion
from modelspec.spec.registry import Registry
from modelspec.tree.snapshot import DictSnapshot

np = pytest.importorskip("numpy")
onnxruntime = pytest.importorskip("onnxruntime")

PIN = "registry/environments/production/models/eta.yaml"
FEATURE_PIN = "registry/environments/production/features/trip_features.yaml"
SEED, ROWS, SLOWNESS = 230, 4000, 1.0
"""The sample that eta 2.3.0 was trained on, as training/train.py says; its digest is in the version file."""


def loaded(name: str) -> ModuleType:
    """Import a file of training/, which is no package."""
    spec = importlib.util.spec_from_file_location(f"training_{name}", ROOT / "training" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def entry(path: str) -> Registry:
    return Registry(DictSnapshot({path: (ROOT / path).read_bytes()}))


@pytest.fixture(scope="module")
def eta() -> ModelVersion:
    """The version that production pins."""
    found = entry(VERSION.locate("eta", "2.3.0")).value(VERSION, "eta", "2.3.0")
    assert found is not None
    assert f"2.3.0@{found.digest}" in (ROOT / PIN).read_text()
    return found.value


@pytest.fixture(scope="module")
def errors(eta: ModelVersion) -> dict[int, float]:
    """The mean absolute error in minutes on the held-out trips, by the schema that is served."""
    samples, features = loaded("samples"), loaded("features")
    raw, minutes = samples.trips(SEED, ROWS, SLOWNESS)
    assert eta.signature is not None
    assert eta.dataset is not None
    sources = eta.signature.inputs[0].sources
    assert samples.data_digest(features.matrix(raw, sources, 1), minutes) == eta.dataset.digest
    held_out = slice(int(ROWS * (1 - samples.HELD_OUT)), None)
    session = _session(eta)
    found = {}
    for schema in (1, 2):
        (answers,) = session.run(None, {"features": features.matrix(raw, sources, schema)[held_out]})
        assert np.isfinite(answers).all(), "nothing fails, and no answer looks broken"
        found[schema] = float(np.abs(answers[:, 0] - minutes[held_out]).mean())
    return found


def _session(version: ModelVersion) -> Any:
    assert version.artifact is not None
    assert version.artifact.digest is not None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    path = ROOT / "store" / version.artifact.digest.replace(":", "-") / "model.onnx"
    return onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])


def test_the_model_is_the_one_that_was_recorded(eta: ModelVersion, errors: dict[int, float]) -> None:
    """On what it was trained on, it is as good as its version file says."""
    assert eta.metrics is not None
    assert errors[1] == pytest.approx(eta.metrics["mae_minutes"], abs=1e-4)


def test_the_readme_prints_what_is_measured(errors: dict[int, float]) -> None:
    told = re.findall(
        r"off by ([0-9.]+)\s+minutes\s+on\s+average.*?by\s+([0-9.]+)", prose(ROOT / "README.md"), re.DOTALL
    )
    assert told == [(f"{errors[1]:.1f}", f"{errors[2]:.1f}")]
    assert errors[2] > 50 * errors[1]


def test_check_stops_the_merge_and_names_both_places(example: Path, modelspec: Run) -> None:
    path = SCHEMA.locate("trip_features", "2")
    schema = entry(path).value(SCHEMA, "trip_features", "2")
    assert schema is not None
    assert modelspec("check", cwd=example).returncode == 0
    lines = (example / FEATURE_PIN).read_text().splitlines()
    (served,) = [number for number, line in enumerate(lines, 1) if line.startswith("  - 1@")]
    edit(example, FEATURE_PIN, lines[served - 1], f"  - 2@{schema.digest}")
    done = modelspec("check", cwd=example)
    assert done.returncode == 1
    (pinned,) = [
        number
        for number, line in enumerate((example / PIN).read_text().splitlines(), 1)
        if line.startswith("  version:")
    ]
    assert f"{PIN}:{pinned}:12: MS301 schema-served" in done.stdout
    assert f"served by {FEATURE_PIN}:{served}:5" in done.stdout
    assert "distance_norm is now raw km (was minmax, 0 to 1)" in done.stdout
