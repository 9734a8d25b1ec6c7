"""What tests of other registries share: a run of MLflow, and a register that takes from one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from conftest import Git
from modelspec.tree.yaml import read
from register.conftest import MODEL, Register

FIXTURES = Path(__file__).parent / "fixtures"
RUN = "ad0e3610e05d434da8559744933e40f0"


@pytest.fixture
def mlruns(tmp_path: Path) -> Path:
    """The file store of mlflow, with the model in its place."""
    root = tmp_path / "mlruns"
    shutil.copytree(FIXTURES / "mlruns", root)
    shutil.copy(MODEL, root / "1" / RUN / "artifacts/model/model.onnx")
    return root


def brought(register: Register, shop: Git, *arguments: str, **changed: str | None) -> dict[str, object]:
    done = register("--next", *arguments, artifact=None, **changed)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "secret" not in done.stdout + done.stderr
    [new] = shop("ls-files", "--others", "--exclude-standard", "registry").splitlines()
    data, faults = read((shop.root / new).read_bytes())
    assert not faults and isinstance(data, dict)
    return data
