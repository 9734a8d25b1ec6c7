"""What is read of MLflow: its folders, its sqlite file, and a server that lies; the fixture was written by mlflow 3.17."""

from __future__ import annotations

import math
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from modelspec.tree.finding import Refusal
from modelspec.world import tracking_http
from modelspec.world.tracking import read_run
from modelspec.world.tracking_http import Server
from register.brought import RUN, mlruns
from register.conftest import Register
from register.tracking import Answers, server
from world.stores.servers import web

__all__ = ["mlruns", "server"]


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
    assert (found.params, found.metrics["mae"]) == ({"depth": "3"}, 1.5)
    assert math.isnan(found.metrics["bad"])
    assert found.model == artifacts / "model"
    with pytest.raises(Refusal, match="no version 2"):
        read_run(f"sqlite:///{file}", "models:/eta/2", tmp_path / "into")
    (tmp_path / "other.db").write_bytes(b"SQLite format 3\0 but no")
    with pytest.raises(Refusal, match="can't be read"):
        read_run(str(tmp_path / "other.db"), "models:/eta/1", tmp_path / "into")


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


@pytest.mark.parametrize(
    "lines", [b"", b"junk\n", b"\xff\xfe\x00 1 2\n", b"1 1.5 0\njunk\n", b"1 half 0\n", b"1 2 x\n"]
)
def test_a_metric_that_cannot_be_read_is_left_out_and_said(
    lines: bytes, register: Register, mlruns: Path, tmp_path: Path
) -> None:
    (mlruns / "1" / RUN / "metrics/odd").write_bytes(lines)
    assert math.isnan(read_run(str(mlruns), f"runs:/{RUN}/model", tmp_path / "into").metrics["odd"])
    options = ("--from-mlflow", "models:/eta/1", "--mlflow", str(mlruns))
    done = register("--next", *options, artifact=None, lock=None, python=None)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "note: the metric odd has no name or value that a version can have: left out" in done.stdout


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
