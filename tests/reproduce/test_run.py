"""`reproduce --run`: an environment from the lock, and the golden answers in it."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from conftest import Git, Run
from register.conftest import BINARIES, MODEL, Register, engine_of
from reproduce.conftest import golden_inputs
from test_ended import begun, ended


def wheel(folder: Path, name: str, files: dict[str, str]) -> str:
    """Build a wheel of one version, 1.0; return its sha256."""
    info = f"{name}-1.0.dist-info"
    rows = files | {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    for path, text in rows.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(text.encode())}\n"
    folder.mkdir(exist_ok=True)
    place = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(place, "w") as archive:
        for path, text in (rows | {f"{info}/RECORD": record + f"{info}/RECORD,,\n"}).items():
            archive.writestr(path, text)
    return hashlib.sha256(place.read_bytes()).hexdigest()


def site(module: object) -> str:
    """Return the folder that a package of this environment lies in."""
    return str(Path(str(module.__file__)).parents[1])  # type: ignore[attr-defined]


@pytest.fixture
def pip_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, shop: Git) -> Path:
    """pip as somebody without a network has it: an index in a folder, by its own configuration."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    # As seen from where the command runs.
    monkeypatch.setenv("PIP_FIND_LINKS", os.path.relpath(tmp_path / "index", shop.root))
    # pip is asked with -I, which ignores PYTHON* variables and not pip's own configuration.
    return tmp_path / "index"


def locked(shop: Git, register: Register, tmp_path: Path, lock: str) -> None:
    (tmp_path / "golden.npz").write_bytes(golden_inputs())
    (shop.root / "training/requirements.txt").write_text(lock)
    shop.commit("The lock")
    # What the environment borrows of this one is built for its Python.
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    done = register("3.0.1", golden=str(tmp_path / "golden.npz"), python=python)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_lock_that_is_not_for_pip_asks_for_an_environment_that_was_built(
    shop: Git, register: Register, invoke: Run, tmp_path: Path
) -> None:
    locked(shop, register, tmp_path, "package:\n- {name: numpy, version: 2.4.6, platform: linux-64}\n")
    done = invoke("reproduce", "eta@3.0.1", str(tmp_path / "out"), "--run", cwd=shop.root)
    assert done.returncode == 1
    assert "no lock here that pip installs: build its environment, and name its --python" in done.stdout
    built = ("--run", "--python", sys.executable)
    done = invoke("reproduce", "eta@3.0.1", str(tmp_path / "again"), *built, cwd=shop.root)
    assert done.returncode == 0 and "bit for bit" in done.stdout, done.stdout + done.stderr


def test_a_lock_with_hashes_is_installed_and_the_model_asked_in_it(
    shop: Git, register: Register, invoke: Run, pip_here: Path, tmp_path: Path
) -> None:
    # The runtime itself is large: this package brings that of the tests into the new environment.
    paths = "\n".join(sorted({site(np), site(ort)})) + "\n"
    digest = wheel(pip_here, "bridge", {"bridge.pth": paths, "bridge.py": ""})
    locked(shop, register, tmp_path, f"bridge==1.0 --hash=sha256:{digest}\n")
    place = os.path.relpath(tmp_path / "out", shop.root)
    done = invoke("reproduce", "eta@3.0.1", place, "--run", "--format", "json", cwd=shop.root)
    assert done.returncode == 0, done.stdout + done.stderr
    data = json.loads(done.stdout)
    assert data["run"]["verdict"] == "bit for bit"
    assert data["run"]["packages"] == {"onnxruntime": ort.__version__, "numpy": np.__version__}
    [lock] = [one for one in data["parts"] if one["what"] == "lock"]
    assert lock["state"] == "exact"
    container = (tmp_path / "out/Containerfile").read_text()
    assert '"--no-deps", "--require-hashes", "-r", "requirements.txt"]' in container


@pytest.mark.parametrize(("form", "name"), [("xgboost", "booster.ubj"), ("lightgbm", "booster.txt")])
def test_a_booster_is_asked_again_with_what_its_lock_installs(
    form: str, name: str, shop: Git, register: Register, invoke: Run, pip_here: Path, tmp_path: Path
) -> None:
    engine = engine_of(form)
    digest = wheel(pip_here, "bridge", {"bridge.pth": site(engine) + "\n", "bridge.py": ""})
    (shop.root / "training/requirements.txt").write_text(f"bridge==1.0 --hash=sha256:{digest}\n")
    (tmp_path / "signature.yaml").write_text(
        "inputs: [{name: rows, dtype: float32, shape: [-1, 3]}]\n"
        "outputs: [{name: predict, dtype: float32, shape: [-1]}]\n"
    )
    np.savez(tmp_path / "golden.npz", rows=np.array([[0.5, 1, 8], [40, 2, 17]], np.float32))
    shop.commit("The lock")
    given = {"feature": None, "none": "features", "threshold": None, "architecture": "trees"}
    done = register(
        "4.0.0", **given, artifact=str(BINARIES / name), signature=str(tmp_path / "signature.yaml"),
        golden=str(tmp_path / "golden.npz"), python=f"{sys.version_info.major}.{sys.version_info.minor}",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    out = tmp_path / "out"
    done = invoke("reproduce", "eta@4.0.0", str(out), "--run", "--format", "json", cwd=shop.root)
    assert done.returncode == 0, done.stdout + done.stderr
    data = json.loads(done.stdout)
    assert data["run"]["verdict"] == "bit for bit"
    assert data["run"]["packages"] == {form: engine.__version__, "numpy": np.__version__}
    command = json.loads((out / "reproduce.json").read_text())["golden"]["command"]
    assert command[1:] == ["check_golden.py", f"artifact/{name}", "golden/golden.npz", "1", "0.0", form]
    assert json.dumps(["python", *command[1:]]) in (out / "Containerfile").read_text()


def test_a_model_among_other_files_is_asked_again(
    shop: Git, register: Register, invoke: Run, pip_here: Path, tmp_path: Path
) -> None:
    """An ONNX model with its numbers in files beside it, in the folder that MLflow makes around one."""
    paths = "\n".join(sorted({site(np), site(ort)})) + "\n"
    digest = wheel(pip_here, "bridge", {"bridge.pth": paths, "bridge.py": ""})
    model, folder = onnx.load(MODEL), tmp_path / "mlflow"
    for node in model.graph.node:
        # Numbers of trees stay in the node: a scale behind them is what can lie elsewhere.
        node.output[:] = [f"{one}_" if one == "minutes" else one for one in node.output]
    scale = onnx.numpy_helper.from_array(np.full((1, 1), 3, np.float32), "scale")
    model.graph.initializer.append(scale)
    model.graph.node.append(onnx.helper.make_node("Mul", ["minutes_", "scale"], ["minutes"]))
    (folder / "data").mkdir(parents=True)
    onnx.save(
        model, folder / "data/model.onnx", save_as_external_data=True, location="b.bin", size_threshold=0
    )
    (folder / "MLmodel").write_text("flavors: {onnx: {data: data}}\n")
    lock = tmp_path / "requirements.txt"
    lock.write_text(f"bridge==1.0 --hash=sha256:{digest}\n")
    (tmp_path / "golden.npz").write_bytes(golden_inputs())
    given = {
        "artifact": str(folder), "golden": str(tmp_path / "golden.npz"), "lock": str(lock),
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
    }  # fmt: skip
    done = register("3.0.1", **given)
    assert done.returncode == 0, done.stdout + done.stderr
    out = tmp_path / "out"
    done = invoke("reproduce", "eta@3.0.1", str(out), "--run", "--format", "json", cwd=shop.root)
    assert done.returncode == 0, done.stdout + done.stderr
    data = json.loads(done.stdout)
    assert data["run"]["verdict"] == "bit for bit"
    command = data["golden"]["command"]
    assert command[2:] == ["artifact/data/model.onnx", "golden/golden.npz", "1", "0.0", "onnx", "b.bin"]
    (folder / "data/b.bin").rename(folder / "b.bin")
    done = register("3.0.2", **given)
    assert done.returncode == 1 and "keeps numbers in b.bin" in done.stderr
    shutil.copy(MODEL, folder / "other.onnx")
    (folder / "b.bin").rename(folder / "data/b.bin")
    done = register("3.0.2", **given)
    assert done.returncode == 3 and "alone or among others; this is none" in done.stderr


def test_other_bytes_than_the_lock_names_are_not_installed(
    shop: Git, register: Register, invoke: Run, pip_here: Path, tmp_path: Path
) -> None:
    wheel(pip_here, "bridge", {"bridge.py": ""})
    locked(shop, register, tmp_path, f"bridge==1.0 --hash=sha256:{'0' * 64}\n")
    done = invoke("reproduce", "eta@3.0.1", str(tmp_path / "out"), "--run", cwd=shop.root)
    assert done.returncode == 1
    assert "golden answers: not asked: the lock can't be installed" in done.stdout
    assert (tmp_path / "out/reproduce.json").is_file()


def test_an_environment_without_the_runtime_is_no_answer(
    shop: Git, register: Register, invoke: Run, pip_here: Path, tmp_path: Path
) -> None:
    wheel(pip_here, "bridge", {"bridge.py": ""})
    locked(shop, register, tmp_path, "bridge==1.0\n")
    done = invoke("reproduce", "eta@3.0.1", str(tmp_path / "out"), "--run", cwd=shop.root)
    assert done.returncode == 1
    assert "golden answers: not asked: the model could not be asked again" in done.stdout
    assert "without hashes: it names versions, and not their bytes" in done.stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_run_that_is_ended_ends_what_builds_its_environment(
    made: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """pip is installed by a child of venv, which wrote on into the folder that was being removed."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))

    def installing() -> bool:
        return any(place.glob("modelspec-run-*/venv/lib/*/site-packages/pip/_internal"))

    with begun(
        "reproduce", "eta@3.0.1", str(tmp_path / "out"), "--run", cwd=made.root, until=installing
    ) as process:
        ended(process, number)
    assert list(place.iterdir()) == []
    assert (tmp_path / "out/reproduce.json").is_file()


def test_without_golden_answers_the_model_is_loaded(
    shop: Git, register: Register, invoke: Run, pip_here: Path, tmp_path: Path
) -> None:
    paths = "\n".join(sorted({site(np), site(ort)})) + "\n"
    digest = wheel(pip_here, "bridge", {"bridge.pth": paths, "bridge.py": ""})
    (shop.root / "training/requirements.txt").write_text(f"bridge==1.0 --hash=sha256:{digest}\n")
    shop.commit("The lock")
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert register("3.0.1", python=python).returncode == 0
    out = tmp_path / "out"
    done = invoke("reproduce", "eta@3.0.1", str(out), "--run", cwd=shop.root)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "golden answers: none were recorded; the model loads (numpy " in done.stdout
    assert "COPY golden/" not in (out / "Containerfile").read_text()
    model = out / "artifact/model.onnx"
    model.chmod(0o644)
    model.write_bytes(model.read_bytes()[:2000])
    again = subprocess.run(
        [sys.executable, "check_golden.py", "artifact/model.onnx", "-", "1", "0"],
        cwd=out, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert again.returncode == 2 and "check_golden: " in again.stderr
