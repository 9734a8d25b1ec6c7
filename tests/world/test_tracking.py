"""Where a tracking store of MLflow is, as it writes it down itself."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest

from modelspec.world.tracking import Database, Folder, open_tracking, read_run
from world.trees import put

NAME = "my runs%20, all"


@pytest.mark.parametrize("form", ["{plain}", "file://{quoted}", "file:{quoted}"])
def test_a_folder_is_found_by_its_path_and_by_its_uri(form: str, tmp_path: Path) -> None:
    put(tmp_path, f"{NAME}/1/run/meta.yaml", "run_id: run\n")
    put(tmp_path, f"{NAME}/1/run/artifacts/model/model.onnx", "x")
    where = form.format(plain=tmp_path / NAME, quoted=quote(str(tmp_path / NAME)))
    assert open_tracking(where) == Folder(tmp_path / NAME)
    assert read_run(where, "runs:/run/model", tmp_path).model == tmp_path / NAME / "1/run/artifacts/model"


@pytest.mark.parametrize("form", ["{plain}", "file://{quoted}"])
def test_a_file_of_sqlite_says_where_artifacts_are_in_either_way(form: str, tmp_path: Path) -> None:
    put(tmp_path, f"{NAME}/run/artifacts/model.onnx", "x")
    folder = tmp_path / NAME / "run/artifacts"
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as opened:
        opened.execute("CREATE TABLE runs (run_uuid TEXT, artifact_uri TEXT)")
        opened.execute("CREATE TABLE model_versions (name TEXT, version INT, source TEXT, run_id TEXT)")
        uri = form.format(plain=folder, quoted=quote(str(folder)))
        opened.execute("INSERT INTO runs VALUES ('run', ?)", (uri,))
        opened.execute("INSERT INTO model_versions VALUES ('eta', 1, ?, '')", (uri,))
        opened.commit()
    tracking = open_tracking(f"sqlite:///{tmp_path}/mlflow.db")
    assert isinstance(tracking, Database)
    assert tracking.folder("run", "", tmp_path) == folder
    assert read_run(f"{tmp_path}/mlflow.db", "models:/eta/1", tmp_path).model == folder
