"""What is taken from MLflow, DVC and the hub; the MLflow fixture was written by mlflow 3.17 itself."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest

from conftest import Git, Run
from modelspec.formats.mlmodel import read_mlmodel
from modelspec.tree.finding import Refusal
from modelspec.tree.yaml import read
from modelspec.world import tracking_http
from modelspec.world.tracking import read_run
from modelspec.world.tracking_http import Server
from register.conftest import MODEL, Register
from world.stores.servers import web

FIXTURES = Path(__file__).parent / "fixtures"
RUN = "ad0e3610e05d434da8559744933e40f0"
COMMIT = "9fceb02d0ae598e95dc970b74767f19372d61af8"


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


def test_a_database_that_answers_without_an_end_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modelspec.world.tracking._PATIENCE", 0.2)
    file = tmp_path / "mlflow.db"
    with closing(sqlite3.connect(file)) as opened:
        endless = "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) SELECT x FROM r"
        columns = ", ".join(f"x AS {name}" for name in ("run_uuid", "artifact_uri", "lifecycle_stage"))
        opened.execute(f"CREATE VIEW runs AS SELECT {columns} FROM ({endless})")
        opened.commit()
    with pytest.raises(Refusal, match="can't be read as MLflow's: interrupted"):
        read_run(str(file), f"runs:/{'a' * 32}/model", tmp_path / "into")


def test_mlflows_sqlite_file(tmp_path: Path, mlruns: Path) -> None:
    file = tmp_path / "mlflow.db"
    artifacts = mlruns / "1" / RUN / "artifacts"
    with sqlite3.connect(file) as opened:
        opened.executescript(
            "CREATE TABLE runs (run_uuid TEXT, artifact_uri TEXT);"
            "CREATE TABLE params (key TEXT, value TEXT, run_uuid TEXT);"
            "CREATE TABLE latest_metrics (key TEXT, value REAL, is_nan INT, run_uuid TEXT);"
            "CREATE TABLE tags (key TEXT, value TEXT, run_uuid TEXT);"
            "CREATE TABLE model_versions (name TEXT, version INT, source TEXT, run_id TEXT);"
        )
        opened.execute("INSERT INTO runs VALUES (?, ?)", (RUN, f"file://{artifacts}"))
        opened.execute("INSERT INTO params VALUES ('depth', '3', ?)", (RUN,))
        opened.execute("INSERT INTO latest_metrics VALUES ('mae', 1.5, 0, ?), ('bad', 0, 1, ?)", (RUN, RUN))
        opened.execute("INSERT INTO model_versions VALUES ('eta', 1, ?, ?)", (f"runs:/{RUN}/model", RUN))
    found = read_run(str(file), "models:/eta/1", tmp_path / "into")
    assert (found.params, found.metrics) == ({"depth": "3"}, {"mae": 1.5})
    assert found.model == artifacts / "model"
    with pytest.raises(Refusal, match="no version 2"):
        read_run(f"sqlite:///{file}", "models:/eta/2", tmp_path / "into")
    (tmp_path / "other.db").write_bytes(b"SQLite format 3\0 but no")
    with pytest.raises(Refusal, match="can't be read"):
        read_run(str(tmp_path / "other.db"), "models:/eta/1", tmp_path / "into")


class Answers(BaseHTTPRequestHandler):
    """The part of the tracking server's REST API that is asked."""

    files: ClassVar[dict[str, bytes]] = {}
    sizes: ClassVar[dict[str, int]] = {}
    """What is listed for a file in place of its own size."""
    logged: ClassVar[dict[str, tuple[str, dict[str, bytes]]]] = {}
    source: ClassVar[str] = f"runs:/{RUN}/model"
    packed: ClassVar[bool] = False

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {key: value[0] for key, value in parse_qs(url.query).items()}
        call = url.path.removeprefix("/api/2.0/mlflow/")
        data: object
        if call == "model-versions/get":
            data = {"model_version": {"source": self.source, "run_id": RUN}}
        elif call == "runs/get":
            data = {
                "run": {
                    "data": {
                        "params": [{"key": "depth", "value": "3"}],
                        "metrics": [{"key": "mae", "value": 1.5}],
                        "tags": [],
                    },
                    "outputs": {"model_outputs": [{"model_id": model} for model in self.logged]},
                }
            }
        elif call == "artifacts/list":
            data = {
                "files": [
                    {"path": path, "is_dir": False, "file_size": str(self.sizes.get(path, len(content)))}
                    for path, content in self.files.items()
                ]
            }
        elif call.startswith("logged-models/"):
            _, model, *rest = call.split("/")
            name, files = self.logged[model]
            data = {"model": {"info": {"name": name, "source_run_id": RUN}}}
            if rest:
                data = {"files": [{"path": path, "is_dir": False} for path in files]}
        elif call.startswith("/ajax-api/2.0/mlflow/logged-models/"):
            data = self.logged[call.split("/")[5]][1][query["artifact_file_path"]]
        elif call == "/get-artifact":
            data = self.files[query["path"]]
        else:
            self.send_error(404)
            return
        body = data if isinstance(data, bytes) else json.dumps(data).encode()
        self.send_response(200)
        if self.packed and isinstance(data, bytes):
            body = gzip.compress(body)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    """A server on loopback that answers as MLflow's does."""
    Answers.files, Answers.logged, Answers.source = {}, {}, f"runs:/{RUN}/model"
    Answers.packed = False
    httpd = HTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{httpd.server_port}"
    httpd.shutdown()
    httpd.server_close()


def test_a_tracking_server_that_packs_unasked_or_answers_without_end_is_refused(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Answers.files, Answers.packed = {"model/MLmodel": b"flavors: {}\n"}, True
    with pytest.raises(Refusal, match="compresses its files unasked"):
        read_run(server, f"runs:/{RUN}/model", tmp_path / "into")
    monkeypatch.setattr(tracking_http, "_ANSWER", 10)
    with pytest.raises(Refusal, match="answers with more than 10 bytes"):
        read_run(server, f"runs:/{RUN}/model", tmp_path / "other")


def test_a_tracking_server(server: str, tmp_path: Path) -> None:
    Answers.files = {"model/MLmodel": b"flavors: {}\n", "model/data/model.onnx": b"bytes"}
    found = read_run(server, "models:/eta/1", tmp_path / "into")
    assert (found.params, found.metrics) == ({"depth": "3"}, {"mae": 1.5})
    assert (found.model / "data/model.onnx").read_bytes() == b"bytes"


@pytest.mark.parametrize("uri", ["models:/eta/1", f"runs:/{RUN}/model", "models:/m-1"])
def test_a_model_that_mlflow_3_keeps_apart(uri: str, server: str, tmp_path: Path) -> None:
    Answers.logged = {
        "m-1": ("model", {"MLmodel": b"one", "data/a": b"a"}),
        "m-2": ("other", {"MLmodel": b"two"}),
    }
    Answers.source = "models:/m-1"
    found = read_run(server, uri, tmp_path / "into")
    assert (found.model / "MLmodel").read_bytes() == b"one"
    assert (found.model / "data/a").read_bytes() == b"a"
    assert (found.params, found.metrics) == ({"depth": "3"}, {"mae": 1.5})


def test_a_logged_model_has_what_the_run_was_told_that_made_it(mlruns: Path, tmp_path: Path) -> None:
    """Its own record has neither parameters nor a commit, unless somebody gave them to it."""
    kept = mlruns / "1/models/m-1"
    shutil.copytree(mlruns / "1" / RUN / "artifacts/model", kept / "artifacts")
    (kept / "meta.yaml").write_text(f"name: model\nsource_run_id: {RUN}\n")
    found = read_run(str(mlruns), "models:/m-1", tmp_path / "into")
    assert found.model == kept / "artifacts"
    assert found.params == read_run(str(mlruns), f"runs:/{RUN}/model", tmp_path / "into").params != {}
    file = tmp_path / "mlflow.db"
    with sqlite3.connect(file) as opened:
        opened.executescript(
            "CREATE TABLE logged_models (model_id TEXT, artifact_location TEXT, source_run_id TEXT);"
            "CREATE TABLE params (key TEXT, value TEXT, run_uuid TEXT);"
            "CREATE TABLE latest_metrics (key TEXT, value REAL, is_nan INT, run_uuid TEXT);"
            "CREATE TABLE tags (key TEXT, value TEXT, run_uuid TEXT);"
        )
        opened.execute("INSERT INTO params VALUES ('depth', '3', ?)", (RUN,))
        for model, run in (("m-1", RUN), ("m-2", None)):
            row = (model, str(kept / "artifacts"), run)
            opened.execute("INSERT INTO logged_models VALUES (?, ?, ?)", row)
    assert read_run(str(file), "models:/m-1", tmp_path / "into").params == {"depth": "3"}
    assert read_run(str(file), "models:/m-2", tmp_path / "into").params == {}


def test_a_run_with_several_models_is_asked_which(server: str, tmp_path: Path) -> None:
    Answers.logged = {"m-1": ("model", {"MLmodel": b"one"}), "m-2": ("other", {"MLmodel": b"two"})}
    with pytest.raises(Refusal, match=r"has 2 models: model \(m-1\), other \(m-2\)"):
        read_run(server, f"runs:/{RUN}", tmp_path / "into")
    with pytest.raises(Refusal, match="has no artifact third"):
        read_run(server, f"runs:/{RUN}/third", tmp_path / "into")
    Answers.logged = {"m-1": ("", {"../escaped": b"evil"})}
    with pytest.raises(Refusal, match=r"`\.\.`"):
        read_run(server, f"runs:/{RUN}", tmp_path / "into")
    assert not [file for file in tmp_path.rglob("*") if file.is_file()]


def test_a_server_that_wrote_down_where_it_keeps_a_model(server: str, tmp_path: Path) -> None:
    Answers.files = {"sub/model/MLmodel": b"one"}
    Answers.source = f"mlflow-artifacts:/0/{RUN}/artifacts/sub/model"
    found = read_run(server, "models:/eta/1", tmp_path / "into")
    assert (found.model / "MLmodel").read_bytes() == b"one"


def test_a_metric_is_that_of_its_last_step(mlruns: Path, tmp_path: Path) -> None:
    lines = [f"{1_000 + step} {step / 10} {step}\n" for step in range(50_000)]
    # A model that is logged later writes its metrics once more, as they were.
    (mlruns / "1" / RUN / "metrics/mae").write_text("".join([*lines, "1000 0.0 0\n"]))
    assert read_run(str(mlruns), f"runs:/{RUN}/model", tmp_path / "into").metrics["mae"] == 4999.9


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


@pytest.mark.parametrize("path", ["model/../../escaped", "/etc/escaped", "model/a\\b", "model/.."])
def test_a_server_that_names_paths_outside_is_refused(path: str, server: str, tmp_path: Path) -> None:
    Answers.files = {path: b"evil"}
    with pytest.raises(Refusal):
        read_run(server, f"runs:/{RUN}/model", tmp_path / "into")
    assert not [file for file in tmp_path.rglob("*") if file.is_file()]


@pytest.mark.parametrize(
    "answer",
    [
        "<html>",
        "[]",
        "3",
        '{"run": null}',
        '{"run": {"data": {"params": [{}]}}}',
        '{"run": {"data": {"metrics": 3}}}',
    ],
)
def test_an_answer_that_no_server_of_mlflow_gives_is_said(answer: str, tmp_path: Path) -> None:
    with web(tmp_path) as server:
        paths = (f"runs/get?run_id={RUN}", f"artifacts/list?run_id={RUN}&path=model")
        for path in paths:
            server.answers[f"/api/2.0/mlflow/{path}"] = ("application/json", answer.encode())
        with pytest.raises(Refusal, match="something else than a tracking server does"):
            Server(f"http://127.0.0.1:{server.port}").run(RUN)
        server.answers[f"/api/2.0/mlflow/{paths[1]}"] = ("application/json", b'{"files": [{}]}')
        with pytest.raises(Refusal, match="something else than a tracking server does"):
            read_run(f"http://127.0.0.1:{server.port}", f"runs:/{RUN}/model", tmp_path / "into")


def test_an_answer_without_end_is_not_taken(tmp_path: Path) -> None:
    with web(tmp_path) as server:
        server.endless.add(f"/api/2.0/mlflow/runs/get?run_id={RUN}")
        with pytest.raises(Refusal, match="more than 16,777,216 bytes"):
            Server(f"http://127.0.0.1:{server.port}").run(RUN)
        assert server.sent < 100_000_000


@pytest.mark.parametrize(("listed", "says"), [(3, "more"), (5, "less")])
def test_a_file_of_another_size_than_was_listed_is_refused(
    listed: int, says: str, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Answers.files = {"model/x": b"four"}
    monkeypatch.setattr(Answers, "sizes", {"model/x": listed})
    with pytest.raises(Refusal, match=f"sends {says} of model/x than the {listed} bytes"):
        read_run(server, f"runs:/{RUN}/model", tmp_path / "into")
    monkeypatch.setattr(Answers, "sizes", {"model/x": 4})
    assert read_run(server, f"runs:/{RUN}/model", tmp_path / "again").model is not None


def test_a_server_that_names_a_file_twice_is_refused(server: str, tmp_path: Path) -> None:
    Answers.files = {"model/x": b"", "x": b""}
    with pytest.raises(Refusal, match="stands twice"):
        read_run(server, f"runs:/{RUN}/model", tmp_path / "into")


@pytest.mark.parametrize(
    "uri", ["runs:/../../x", "models:/../1", "models:/eta/latest", "http://x/y", f"runs:/{RUN}/../../tags", "runs:/0000", "models:/eta/9"]
)  # fmt: skip
def test_what_names_no_run_is_refused(uri: str, mlruns: Path, tmp_path: Path) -> None:
    with pytest.raises(Refusal):
        read_run(str(mlruns), uri, tmp_path / "into")


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


@pytest.mark.parametrize("kind", ["onnx", "xgboost"])
def test_one_tensor_without_a_name_is_called_as_in_the_models_bytes(
    kind: str, register: Register, shop: Git, tmp_path: Path
) -> None:
    (tmp_path / "eta").mkdir()
    (tmp_path / "eta/MLmodel").write_text(
        "flavors: {other: {}}\nsignature:\n"
        '  inputs: \'[{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 4]}}]\'\n'
        '  outputs: \'[{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 1]}}]\'\n'
    )
    booster = Path(__file__).parents[1] / "formats/fixtures/artifacts/booster.ubj"
    shutil.copy(MODEL if kind == "onnx" else booster, tmp_path / "eta/model")
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


@pytest.mark.parametrize("kind", ["onnx", "xgboost"])
def test_an_mlmodel_cannot_say_what_fills_an_input_and_the_parent_does(
    kind: str, register: Register, shop: Git, tmp_path: Path
) -> None:
    (tmp_path / "eta").mkdir()
    tensor = '{"type": "tensor", "name": "%s", "tensor-spec": {"dtype": "float32", "shape": [-1, %d]}}'
    (tmp_path / "eta/MLmodel").write_text(
        "flavors: {other: {}}\nsignature:\n"
        f"  inputs: '[{tensor % ('features', 4)}]'\n  outputs: '[{tensor % ('minutes', 1)}]'\n"
    )
    booster = Path(__file__).parents[1] / "formats/fixtures/artifacts/booster.ubj"
    shutil.copy(MODEL if kind == "onnx" else booster, tmp_path / "eta/model")
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
