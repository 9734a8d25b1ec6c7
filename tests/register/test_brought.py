"""What `register` takes over from MLflow, DVC and the hub."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from conftest import Git, Run
from register.brought import RUN, brought, mlruns
from register.conftest import MODEL, Register
from world.stores.servers import web

__all__ = ["mlruns"]
COMMIT = "9fceb02d0ae598e95dc970b74767f19372d61af8"


@pytest.mark.parametrize("uri", [f"runs:/{RUN}/model", "models:/eta/1"])
def test_a_run_and_a_registered_version_of_mlflows_folders(
    uri: str, register: Register, shop: Git, mlruns: Path
) -> None:
    data = brought(
        register,
        shop,
        "--from-mlflow",
        uri,
        "--mlflow",
        str(mlruns),
        code=None,
        lock=None,
        python=None,
        param=None,
    )
    assert data["code"] == {
        "repository": "https://git.example.com/ml/eta",
        "commit": COMMIT,
        "path": "training/train.py",
    }
    assert data["metrics"] == {"mae_minutes": 1.5, "val_rmse": 2}
    assert data["config"]["hyperparameters"] == {"learning_rate": 0.1, "max_depth": 3, "objective": "mae"}  # type: ignore[index]
    assert data["runtime"]["python"] == "3.11.7"  # type: ignore[index]
    assert data["runtime"]["packages"] == {"numpy": "2.4.6", "onnxruntime": "1.32.0"}  # type: ignore[index]
    assert data["artifact"]["format"] == "onnx"  # type: ignore[index]


def test_what_mlflow_has_as_text_becomes_a_number_only_as_it_stands(
    register: Register, shop: Git, mlruns: Path
) -> None:
    texts = {"release": "1.10", "code": "007", "sha": "1e3", "flag": "yes", "none": "null", "seed": "9" * 20}
    for key, text in texts.items():
        (mlruns / "1" / RUN / "params" / key).write_text(text)
    (mlruns / "1" / RUN / "params/rate").write_text("1e-05")
    data = brought(
        register, shop, "--from-mlflow", "models:/eta/1", "--mlflow", str(mlruns), lock=None, python=None
    )
    told = data["config"]["hyperparameters"]  # type: ignore[index]
    assert {key: told[key] for key in texts} == texts and told["rate"] == 1e-05  # type: ignore[index, call-overload]


def test_what_no_version_can_hold_is_left_out_and_said(register: Register, shop: Git, mlruns: Path) -> None:
    run = mlruns / "1" / RUN
    (run / "metrics/infinite").write_text("1 1.7976931348623157e+308 0\n")
    (run / "metrics/nothing").write_text("1 nan 0\n")
    (run / "tags/mlflow.note.content").write_text("A \x1b[31m note\u202e")
    (run / "tags/mlflow.source.git.repoURL").write_text("http://me:secret@git.example.com/a")
    options = (
        "--from-mlflow",
        "models:/eta/1",
        "--mlflow",
        str(mlruns),
        "--repository",
        "https://git.example.com/a",
    )
    data = brought(register, shop, *options, lock=None, python=None)
    assert data["description"] == "A [31m note"
    assert "infinite" not in data["metrics"] and "nothing" not in data["metrics"]  # type: ignore[operator]


def test_code_that_mlflow_imports_is_taken_by_name_only(
    register: Register, shop: Git, mlruns: Path, invoke: Run
) -> None:
    model = mlruns / "1" / RUN / "artifacts/model"
    (model / "code").mkdir()
    (model / "code/onnxruntime.py").write_text("print('mine')\n")
    (model / "code/more.py").write_text("")
    options = ("--from-mlflow", "models:/eta/1", "--mlflow", str(mlruns))
    refused = register("3.0.1", *options, artifact=None, lock=None, python=None, param=None)
    assert refused.returncode == 1
    assert (
        "code/more.py (and 1 more) is code that MLflow imports when it loads the model; loading it runs what "
        "is in it: install it with the packages, or accept it by name (--unsafe pickle)" in refused.stderr
    )
    data = brought(register, shop, *options, lock=None, python=None, param=None, unsafe="pickle")
    assert data["artifact"]["unsafe"] == "pickle" and data["artifact"]["format"] == "onnx"  # type: ignore[index]
    [new] = shop("ls-files", "--others", "--exclude-standard", "registry").splitlines()
    assert invoke("verify", f"eta@{Path(new).stem}", cwd=shop.root).returncode == 0
    (shop.root / new).write_text((shop.root / new).read_text().replace("  unsafe: pickle\n", ""))
    assert "code/onnxruntime.py is code that MLflow imports" in invoke("check", cwd=shop.root).stdout
    found = invoke("verify", f"eta@{Path(new).stem}", cwd=shop.root)
    assert found.returncode == 1 and "code/more.py is code that MLflow imports" in found.stdout


def test_a_dvc_pointer_and_a_stage_of_dvc_lock(register: Register, shop: Git) -> None:
    root = shop.root
    bytes_ = MODEL.read_bytes()
    md5 = hashlib.md5(bytes_).hexdigest()
    cached = root / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
    cached.parent.mkdir(parents=True)
    cached.write_bytes(bytes_)
    (root / ".gitignore").write_text("/store/\n/model.onnx\n/.dvc/\n/trips.csv\n")
    (root / "trips.csv").write_text("distance,city\n1,ams\n")
    (root / "model.onnx.dvc").write_text(f"outs:\n- md5: {md5}\n  size: {len(bytes_)}\n  path: model.onnx\n")
    (root / "dvc.lock").write_text(
        "schema: '2.0'\nstages:\n  train:\n    cmd: python training/train.py\n    deps:\n"
        "    - path: training/train.py\n      md5: 0123\n    - path: trips.csv\n      md5: 4567\n"
        f"    params:\n      params.yaml:\n        depth: 3\n        rate: 0.1\n    outs:\n    - path: model.onnx\n      md5: {md5}\n"
        "  evil:\n    outs:\n    - path: ../../secret\n"
        "  odd:\n    outs:\n    - path: [model.onnx]\n"
    )
    shop.commit("DVC")
    data = brought(register, shop, "--from-dvc", "dvc.lock:train", code=None, param=None, snapshot=None)
    assert data["config"]["hyperparameters"] == {"depth": 3, "rate": 0.1}  # type: ignore[index]
    assert data["code"]["path"] == "training/train.py"  # type: ignore[index]
    assert data["dataset"]["digest"] == "sha256:" + hashlib.sha256(b"distance,city\n1,ams\n").hexdigest()  # type: ignore[index]
    again = register("3.0.1", "--from-dvc", "model.onnx.dvc", artifact=None, param=None, params="params.json")
    assert again.returncode == 3 and "params.json" in again.stderr
    for wrong in ("dvc.lock:evil", "dvc.lock:odd", "dvc.lock:none", "nothing.lock:x"):
        assert register("--next", "--from-dvc", wrong, artifact=None).returncode == 3


@pytest.mark.parametrize("stale", ["model.onnx", "trips/a.csv", None])
def test_what_a_stage_did_not_make_is_not_its_own(stale: str | None, register: Register, shop: Git) -> None:
    root = shop.root

    def md5(data: bytes) -> str:
        return hashlib.md5(data).hexdigest()

    (root / ".gitignore").write_text("/store/\n/model.onnx\n/trips/\n")
    (root / "trips").mkdir()
    (root / "trips/a.csv").write_text("1\n")
    (root / "trips/ü b.csv").write_text("2\n")
    (root / "training/prepare.py").write_text("")
    # As DVC 3 itself writes them down.
    listed = json.dumps(
        [{"md5": md5(b"1\n"), "relpath": "a.csv"}, {"md5": md5(b"2\n"), "relpath": "ü b.csv"}], sort_keys=True
    )
    (root / "dvc.lock").write_text(
        "schema: '2.0'\nstages:\n  train:\n    cmd: python ./training/train.py --fast\n    deps:\n"
        "    - path: training/prepare.py\n      hash: md5\n      md5: 0123\n"
        "    - path: training/train.py\n      hash: md5\n      md5: 0123\n"
        f"    - path: trips\n      hash: md5\n      md5: {md5(listed.encode())}.dir\n"
        "    params:\n      params.yaml:\n        release: '1.10'\n        note:\n        rate: 1e-3\n"
        f"    outs:\n    - path: model.onnx\n      hash: md5\n      md5: {md5(MODEL.read_bytes())}\n"
    )
    shop.commit("DVC")
    if stale is not None:
        (root / stale).write_bytes(b"other")
        done = register(
            "--next", "--from-dvc", "dvc.lock:train", artifact=None, code=None, param=None, snapshot=None
        )
        assert done.returncode == 3 and "is not what the stage train had" in done.stderr
        return
    data = brought(register, shop, "--from-dvc", "dvc.lock:train", code=None, param=None, snapshot=None)
    assert data["code"]["path"] == "training/train.py"  # type: ignore[index]
    assert data["config"]["hyperparameters"] == {"note": None, "rate": 0.001, "release": "1.10"}  # type: ignore[index]


def test_a_snapshot_that_was_cloned_has_git_beside_it(register: Register, shop: Git, tmp_path: Path) -> None:
    (tmp_path / "eta/.git").mkdir(parents=True)
    (tmp_path / "eta/.git/config").write_text("[core]")
    shutil.copy(MODEL, tmp_path / "eta/model.onnx")
    data = brought(register, shop, "--from-hf", str(tmp_path / "eta"))
    assert [file["path"] for file in data["artifact"]["files"]] == ["model.onnx"]  # type: ignore[index, call-overload]


def test_a_snapshot_of_the_hub(register: Register, shop: Git, tmp_path: Path) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    cache = tmp_path / "hub/models--acme--eta"
    snapshot = cache / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (cache / "blobs").mkdir()
    (cache / "blobs/one").write_bytes(MODEL.read_bytes())
    (cache / "blobs/two").write_text('{"architectures": ["EtaForRegression"], "torch_dtype": "float32"}')
    (snapshot / "model.onnx").symlink_to("../../blobs/one")
    (snapshot / "config.json").symlink_to("../../blobs/two")
    data = brought(register, shop, "--from-hf", str(snapshot), "--input",
                   "features=trip_features.distance_norm,trip_features.city,trip_features.departure_hour,request.rain",
                   "--request", str(_request(tmp_path)))  # fmt: skip
    artifact = data["artifact"]
    assert artifact["captured"] == {"huggingface": {"repository": "acme/eta", "revision": commit}}  # type: ignore[index]
    assert (artifact["architecture"], artifact["precision"]) == ("EtaForRegression", "float32")  # type: ignore[index]
    (snapshot / "evil").symlink_to(tmp_path / "request.yaml")
    refused = register("--next", "--from-hf", str(snapshot), artifact=None)
    assert refused.returncode == 3 and "leads out of its repository" in refused.stderr
    (snapshot / "evil").unlink()
    (snapshot / "evil").symlink_to("evil")
    refused = register("--next", "--from-hf", str(snapshot), artifact=None)
    assert refused.returncode == 3 and "leads out of its repository" in refused.stderr


def test_a_revision_on_the_hub(
    register: Register, shop: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked of a server on the loopback interface; its token is for it alone, and printed nowhere."""
    config = b'{"architectures": ["EtaForRegression"], "torch_dtype": "float32"}'
    files = {"model.onnx": MODEL.read_bytes(), "config.json": config, ".gitattributes": b"*.onnx filter=lfs"}
    for path, data in files.items():
        place = tmp_path / f"site/acme/eta/resolve/{COMMIT}/{path}"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    rows = [{"type": "file", "path": path, "size": len(data)} for path, data in files.items()]
    with web(tmp_path / "site") as hub:
        listed = f"/api/models/acme/eta/tree/{COMMIT}?recursive=true"
        hub.answers[listed] = ("application/json", json.dumps(rows).encode())
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{hub.port}")
        monkeypatch.setenv("HF_TOKEN", "hf_secret")
        data = brought(register, shop, "--from-hf", f"hf://acme/eta@{COMMIT}", "--input",
                       "features=trip_features.distance_norm,trip_features.city,trip_features.departure_hour,request.rain",
                       "--request", str(_request(tmp_path)))  # fmt: skip
        moving = register("--next", "--from-hf", "hf://acme/eta@main", artifact=None)
    artifact = data["artifact"]
    assert artifact["captured"] == {"huggingface": {"repository": "acme/eta", "revision": COMMIT}}  # type: ignore[index]
    assert [one["path"] for one in artifact["files"]] == ["config.json", "model.onnx"]  # type: ignore[index]
    assert (artifact["architecture"], artifact["precision"]) == ("EtaForRegression", "float32")  # type: ignore[index]
    assert moving.returncode == 3 and "a branch or a tag moves" in moving.stderr


def _request(folder: Path) -> Path:
    file = folder / "request.yaml"
    file.write_text("- {name: rain, dtype: float32, unit: mm, range: [0, 80], nullable: false}\n")
    return file
