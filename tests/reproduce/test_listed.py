"""A version that lists other files than those of its artifact's digest: no path of its list is followed."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from conftest import Git, Run, edit
from register.conftest import MODEL


def test_no_model_outside_of_the_folder_is_asked(made: Git, invoke: Run, tmp_path: Path) -> None:
    path = "registry/models/eta/versions/3.0.1.yaml"
    edit(made.root, path, "path: model.onnx", "path: ../../other.onnx")
    shutil.copy(MODEL, tmp_path / "other.onnx")
    done = invoke(
        "reproduce", "eta@3.0.1", str(tmp_path / "out"), "--run", "--python", sys.executable, cwd=made.root
    )
    assert done.returncode == 1
    assert "not asked: the version lists other files than those of its artifact's digest" in done.stdout
    found = json.loads((tmp_path / "out/reproduce.json").read_text())
    assert found["golden"] is None and not (tmp_path / "out/check_golden.py").exists()
    assert (tmp_path / "out/artifact/model.onnx").read_bytes() == MODEL.read_bytes()
