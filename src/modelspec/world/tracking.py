"""Reads a run or a registered version of MLflow: its folders, its sqlite file, or a server by its REST API.

MLflow itself is never imported and nothing is unpickled. What the store says is hostile: identifiers and
paths are checked before they become paths or addresses.
"""

from __future__ import annotations

import math
import re
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import quote, unquote

from modelspec.tree.finding import Refusal
from modelspec.tree.paths import path_trouble
from modelspec.tree.text import visible

_RUN: Final = re.compile(r"runs:/([A-Za-z0-9_-]{1,64})(?:/(.+))?")
_MODEL: Final = re.compile(r"models:/([^/\\:]{1,200})/([0-9]{1,9})")
_LOGGED: Final = re.compile(r"models:/(m-[A-Za-z0-9]{1,64})")
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TEXT: Final = 1024 * 1024
_LINE: Final = 4096
_MANY: Final = 10_000
_PATIENCE: Final = 20.0
"""Seconds that a query of a file may take; what MLflow writes takes none."""
ELSEWHERE: Final = "look it up in MLflow, and see that --mlflow names the place that has it"


@dataclass(frozen=True, slots=True)
class Run:
    """A run: what it was told, what it measured, its tags, and the folder of its model on this disk.

    A metric is not a number where it was measured as none, or can't be read.
    """

    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    model: Path


@dataclass(frozen=True, slots=True)
class Version:
    """A registered version: where its files are, and the run that made it ("" when none is named)."""

    source: str
    run: str


class Tracking(Protocol):
    """A place that keeps runs."""

    def version(self, name: str, number: str) -> Version:
        """Return a registered version; raises Refusal."""
        ...

    def run(self, run: str) -> tuple[Mapping[str, str], Mapping[str, float], Mapping[str, str]]:
        """Return params, metrics and tags of a run; raises Refusal."""
        ...

    def folder(self, run: str, path: str, into: Path) -> Path:
        """Return the folder of a run's artifact on this disk; a server's is downloaded below `into`."""
        ...

    def logged(self, model: str, into: Path) -> Path:
        """Return the folder of a logged model (MLflow 3)."""
        ...

    def maker(self, model: str) -> str:
        """Return the run that made a logged model, whose own record has neither parameters nor commit."""
        ...


def open_tracking(where: str) -> Tracking:
    """Return the tracking store at a folder, a sqlite file (`sqlite:///PATH` or a path), or a server."""
    if where.startswith(("http://", "https://")):
        from modelspec.world.tracking_http import Server

        return Server(where)
    path = _path(where.removeprefix("sqlite:///"))
    if path.is_dir():
        return Folder(path)
    if path.is_file():
        return Database(path)
    raise Refusal(
        f"{visible(where, 200)} is no folder, sqlite file or server of MLflow",
        "name it: --mlflow mlruns, --mlflow mlflow.db, --mlflow https://host",
    )


def read_run(where: str, uri: str, into: Path) -> Run:
    """Return the run or registered version that a `runs:/` or `models:/` URI names."""
    tracking = open_tracking(where)
    registered = _MODEL.fullmatch(uri)
    if registered is not None:
        version = tracking.version(*registered.groups())
        run, source = version.run, version.source
    else:
        run, source = "", uri
    if run and (within := re.search(rf"/{re.escape(run)}/artifacts/(.+)", source)) is not None:
        # A server that keeps the artifacts itself has written down where; it is asked by the run.
        source = f"runs:/{run}/{within[1]}"
    named, logged = _RUN.fullmatch(source), _LOGGED.fullmatch(source)
    if named is not None:
        run = named[1]
        folder = tracking.folder(run, _clean(named[2] or ""), into)
    elif logged is not None:
        folder = tracking.logged(logged[1], into)
        run = run or tracking.maker(logged[1])
    elif registered is not None:
        folder = _local(source)
    else:
        raise Refusal(
            f"{visible(uri, 200)} is no address of a run or a model of MLflow",
            "write runs:/ID[/PATH], models:/NAME/VERSION or models:/m-ID",
        )
    told = tracking.run(run) if _ID.fullmatch(run) else ({}, {}, {})
    return Run(*told, folder)


def _clean(path: str) -> str:
    trouble = path_trouble(path) if path else None
    if trouble is not None:
        raise Refusal(f"the path {visible(path)} of the run {trouble}")
    return path


def the_one(run: str, path: str, models: Sequence[tuple[str, str]]) -> str | None:
    """Return which logged model a path of a run names, of (name, id); raises Refusal for several."""
    found = sorted({(name, model) for name, model in models if path in ("", name)})
    if len(found) > 1:
        several = ", ".join(visible(f"{name} ({model})") for name, model in found[:8])
        raise Refusal(
            f"the run {visible(run)} has {len(found)} models: {several}",
            "name the one: runs:/ID/NAME, or models:/ and the id in brackets",
        )
    return found[0][1] if found else None


def _path(uri: str) -> Path:
    """Return the place on this disk that a path names, or a URI of a file, in which a space is `%20`."""
    match = re.fullmatch(r"file:(?://)?(/.*)", uri, re.DOTALL)
    return Path(uri) if match is None else Path(unquote(match[1]))


def _local(uri: str) -> Path:
    path = _path(uri)
    if not path.is_dir():
        raise Refusal(
            f"the model's files are not on this disk: {visible(uri, 200)}",
            "download them, and name the folder: --artifact",
        )
    return path


@dataclass(frozen=True, slots=True)
class Folder:
    """`mlruns/<experiment>/<run>/`, and `mlruns/models/<name>/version-<n>/`."""

    root: Path

    def version(self, name: str, number: str) -> Version:
        """Read `meta.yaml` of a registered version."""
        for top in (self.root / "models", self.root.parent / "models"):
            meta = top / name / f"version-{number}" / "meta.yaml"
            if name not in (".", "..") and meta.is_file():
                told = _meta(meta)
                return Version(told.get("storage_location") or told.get("source", ""), told.get("run_id", ""))
        raise Refusal(
            f"there is no version {number} of {visible(name)} in {visible(str(self.root), 200)}", ELSEWHERE
        )

    def run(self, run: str) -> tuple[Mapping[str, str], Mapping[str, float], Mapping[str, str]]:
        """Read the folders of params, metrics and tags."""
        folder = self._folder(run)
        metrics = dict(_latest(folder / "metrics"))
        return dict(_texts(folder / "params")), metrics, dict(_texts(folder / "tags"))

    def folder(self, run: str, path: str, into: Path) -> Path:
        """Return a folder below the run's artifacts; a model of MLflow 3 lies beside the runs."""
        folder = self._folder(run)
        found = folder / "artifacts" / path
        if found.is_dir() and any(found.iterdir()):
            return found
        # MLflow 3 keeps models apart, each with the run that made it in its `meta.yaml`.
        models = [
            (told.get("name", ""), meta.parent.name)
            for meta in sorted((folder.parent / "models").glob("*/meta.yaml"))
            if (told := _meta(meta)).get("source_run_id") == run
        ]
        if (model := the_one(run, path, models)) is not None:
            return folder.parent / "models" / model / "artifacts"
        raise Refusal(f"the run {run} has no artifact {visible(path) or 'at all'}", ELSEWHERE)

    def logged(self, model: str, into: Path) -> Path:
        """Return the artifacts of a logged model."""
        for found in sorted(self.root.glob(f"*/models/{model}/artifacts")):
            return found
        raise Refusal(f"there is no logged model {model} in {visible(str(self.root), 200)}", ELSEWHERE)

    def maker(self, model: str) -> str:
        """Read `source_run_id` in the `meta.yaml` of a logged model."""
        metas = sorted(self.root.glob(f"*/models/{model}/meta.yaml"))
        return _meta(metas[0]).get("source_run_id", "") if metas else ""

    def _folder(self, run: str) -> Path:
        for found in sorted(self.root.glob(f"*/{run}")) if _ID.fullmatch(run) else ():
            if (found / "meta.yaml").is_file():
                return found
        raise Refusal(f"there is no run {visible(run)} in {visible(str(self.root), 200)}", ELSEWHERE)


def _meta(file: Path) -> dict[str, str]:
    """Read the `key: value` lines of a meta.yaml: all that is asked for stands on a line of its own."""
    found: dict[str, str] = {}
    for line in _text(file).splitlines():
        key, colon, value = line.partition(": ")
        if colon and not key.startswith((" ", "-")):
            found[key] = value.strip().strip("'\"")
    return {key: "" if value == "null" else value for key, value in found.items()}


def _texts(folder: Path) -> Iterator[tuple[str, str]]:
    for key, file in _files(folder):
        yield key, _text(file)


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    files = sorted(file for file in folder.rglob("*") if file.is_file() and not file.is_symlink())
    for file in files[:_MANY]:
        yield file.relative_to(folder).as_posix(), file


def _latest(folder: Path) -> Iterator[tuple[str, float]]:
    """Yield each metric at its last step, as MLflow has it: lines of time, value, step, in no order.

    Not a number where a line is none of these, or none is there: which is the last can't be told.
    """
    for key, file in _files(folder):
        last: tuple[float, float, float] | None = None
        clear = True
        with file.open("rb") as stream:
            while line := stream.readline(_LINE):
                words = [*line.decode("utf-8", "replace").split(), "0"]
                time, value, step = map(_number, words[:3] if len(words) > 2 else ["", "", ""])
                clear = clear and not (math.isnan(time) or math.isnan(step))
                last = max(last or (step, time, value), (step, time, value))
        yield key, last[2] if last is not None and clear else math.nan


def _text(file: Path) -> str:
    with file.open("rb") as stream:
        return stream.read(_TEXT).decode("utf-8", "replace")


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


@dataclass(frozen=True, slots=True)
class Database:
    """MLflow's sqlite file; opened for reading only."""

    file: Path

    def version(self, name: str, number: str) -> Version:
        """Read a row of `model_versions`."""
        rows = self._rows(
            "SELECT source, run_id FROM model_versions WHERE name = ? AND version = ?", name, int(number)
        )
        for source, run in rows:
            return Version(str(source or ""), str(run or ""))
        raise Refusal(
            f"there is no version {number} of {visible(name)} in {visible(str(self.file), 200)}", ELSEWHERE
        )

    def run(self, run: str) -> tuple[Mapping[str, str], Mapping[str, float], Mapping[str, str]]:
        """Read `params`, `latest_metrics` and `tags`."""
        params = self._rows("SELECT key, value FROM params WHERE run_uuid = ?", run)
        metrics = self._rows("SELECT key, value, is_nan FROM latest_metrics WHERE run_uuid = ?", run)
        tags = self._rows("SELECT key, value FROM tags WHERE run_uuid = ?", run)
        return (
            {str(key): str(value) for key, value in params},
            {str(key): math.nan if no else _number(str(value)) for key, value, no in metrics},
            {str(key): str(value) for key, value in tags},
        )

    def folder(self, run: str, path: str, into: Path) -> Path:
        """Return a folder below the run's artifact location, which has to be on this disk."""
        for (uri,) in self._rows("SELECT artifact_uri FROM runs WHERE run_uuid = ?", run):
            found = _path(str(uri)) / path
            if found.is_dir() and any(found.iterdir()):
                return found
        rows = self._rows(
            "SELECT name, model_id FROM logged_models WHERE source_run_id = ?", run, table="logged_models"
        )
        if (model := the_one(run, path, [(str(name), str(model)) for name, model in rows])) is not None:
            return self.logged(model, into)
        raise Refusal(
            f"the run {visible(run)} has no artifact {visible(path) or 'at all'} on this disk", ELSEWHERE
        )

    def logged(self, model: str, into: Path) -> Path:
        """Return the artifacts of a logged model."""
        for (uri,) in self._rows(
            "SELECT artifact_location FROM logged_models WHERE model_id = ?", model, table="logged_models"
        ):
            return _local(str(uri))
        raise Refusal(f"there is no logged model {model} in {visible(str(self.file), 200)}", ELSEWHERE)

    def maker(self, model: str) -> str:
        """Read `source_run_id` of a logged model."""
        query = "SELECT source_run_id FROM logged_models WHERE model_id = ?"
        return "".join(str(run or "") for (run,) in self._rows(query, model, table="logged_models"))

    def _rows(self, query: str, *values: object, table: str | None = None) -> list[tuple[object, ...]]:
        try:
            with closing(
                sqlite3.connect(f"file:{quote(str(self.file.absolute()))}?mode=ro", uri=True)
            ) as opened:
                # A view can be without an end, and what is in a value without a limit.
                end = time.monotonic() + _PATIENCE
                opened.set_progress_handler(lambda: time.monotonic() > end, 10_000)
                opened.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 64 * _TEXT)
                opened.execute("PRAGMA trusted_schema = OFF")
                if (
                    table is not None
                    and not opened.execute(
                        "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (table,)
                    ).fetchall()
                ):
                    return []
                return opened.execute(query, values).fetchmany(_MANY)
        except sqlite3.Error as error:
            raise Refusal(
                f"{visible(str(self.file), 200)} can't be read as MLflow's: {visible(str(error))}"
            ) from None
