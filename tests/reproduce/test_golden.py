"""The golden answers that `reproduce` writes down, asked again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from conftest import Git, Run
from register.conftest import Register


def test_the_model_gives_its_golden_answers_bit_for_bit(made: Git, invoke: Run, tmp_path: Path) -> None:
    done = invoke(
        "reproduce", "eta@3.0.1", str(tmp_path / "out"), "--run", "--python", sys.executable, cwd=made.root
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "golden answers: bit for bit (numpy " in done.stdout and "1 thread)" in done.stdout
    again = invoke(
        "reproduce", "eta@3.0.1", str(tmp_path / "two"), "--run", "--python", sys.executable,
        "--format", "json", cwd=made.root,
    )  # fmt: skip
    data = json.loads(again.stdout)
    assert data["run"]["verdict"] == "bit for bit"
    assert data["run"]["outputs"] == [{"name": "minutes", "same": True, "difference": 0.0, "within": True}]


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"inputs/features": [[0.5, 1, 8, 0]]}, "golden.npz holds no answers"),
        (
            {"inputs/features": [[0.5, 1, 8, 0]], "outputs/o\x1b[31m": [[1]]},
            "the model has no output o\\x1b[31m",
        ),
        ({"outputs/minutes": [[1]]}, "Required inputs"),
        (None, "BadZipFile"),
    ],
)
def test_golden_answers_that_fit_no_model_are_said_in_a_line(
    made: Git, invoke: Run, tmp_path: Path, arrays: dict[str, Any] | None, says: str
) -> None:
    import numpy as np

    out = tmp_path / "out"
    assert invoke("reproduce", "eta@3.0.1", str(out), cwd=made.root).returncode == 0
    golden = out / "golden/golden.npz"
    golden.unlink()
    if arrays is None:
        golden.write_bytes(b"PK\x03\x04")
    else:
        np.savez(golden, **{name: np.array(value, np.float32) for name, value in arrays.items()})  # type: ignore[arg-type]
    done = subprocess.run(
        [sys.executable, "-I", "check_golden.py", "artifact/model.onnx", "golden/golden.npz", "1", "0"],
        cwd=out, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr and "Traceback" not in done.stderr and "\x1b" not in done.stderr


def test_a_python_that_dies_is_no_answer(made: Git, invoke: Run, tmp_path: Path) -> None:
    dying = tmp_path / "python"
    dying.write_text("#!/bin/sh\nkill -SEGV $$\n")
    dying.chmod(0o755)
    done = invoke(
        "reproduce", "eta@3.0.1", str(tmp_path / "out"), "--run", "--python", str(dying), cwd=made.root
    )
    assert done.returncode == 1
    assert "golden answers: not asked: the model could not be asked again: signal 11 ended it" in done.stdout


def test_other_golden_answers_are_told_from_these(
    made: Git, register: Register, invoke: Run, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert invoke("reproduce", "eta@3.0.1", str(out), cwd=made.root).returncode == 0
    import numpy as np

    with np.load(out / "golden/golden.npz") as kept:
        arrays = {name: kept[name] for name in kept.files}
    arrays["outputs/minutes"] = arrays["outputs/minutes"] + np.float32(0.25)
    (out / "golden/golden.npz").chmod(0o644)
    np.savez(out / "golden/golden.npz", **arrays)
    for tolerance, code, verdict in (
        ("0", 1, "differs"),
        ("0.1", 1, "differs"),
        ("0.5", 0, "within tolerance"),
    ):
        done = subprocess.run(
            [sys.executable, "-I", "check_golden.py", "artifact/model.onnx", "golden/golden.npz", "1", tolerance],
            cwd=out, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (done.returncode, json.loads(done.stdout)["verdict"]) == (code, verdict)
