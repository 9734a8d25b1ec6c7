"""The request log of a real MLServer: all rows of all requests, a kill, a disk that takes nothing."""

from __future__ import annotations

import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mlserver", reason="the extra `mlserver` is not installed")
pytest.importorskip("onnxruntime", reason="the extra `mlserver` is not installed")

from modelspec.tree.record import Record
from modelspec.world.records.own import OwnRecords
from modelspec.world.records.places import locate
from runtimes.engine import Describe, Engine

pytestmark = pytest.mark.engine


@contextmanager
def serving(
    where: Path, describe: Describe, store: Path, log: dict[str, Any] | None, **env: str
) -> Iterator[tuple[Engine, subprocess.Popen[str]]]:
    engine = Engine(where / "models", describe, store)
    fields = describe("eta", "2.3.0")["fields"]
    fields[1]["sensitive"] = True
    engine.write("stable", "2.3.0", fields=fields, **({"log": log} if log is not None else {}))
    process = engine.start(where / "work", **env)
    try:
        engine.wait(process)
        yield engine, process
    finally:
        process.terminate()
        try:
            process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()


def _ask(engine: Engine, rows: int) -> dict[str, Any]:
    data = [value + row for row in range(rows) for value in (0.1, 1, 8, 2.5)]
    tensor = {"name": "features", "datatype": "FP32", "shape": [rows, 4], "data": data}
    status, answer = engine.infer(inputs=[tensor])
    assert status == 200
    return answer


def _found(folder: Path) -> list[Record]:
    found = list(OwnRecords(locate(str(folder))).records())
    assert all(isinstance(one, Record) for one in found), found
    return found  # type: ignore[return-value]


def test_every_request_is_in_the_log_when_the_server_has_stopped(
    tmp_path: Path, describe: Describe, store: Path
) -> None:
    log = tmp_path / "log"
    settings = {"sample": 100, "folder": str(tmp_path / "elsewhere"), "buckets": 2, "flush_seconds": 3600}
    env = {"MODELSPEC_RECORDS": str(log), "MODELSPEC_RECORDS_KEY": "a key"}
    with serving(tmp_path, describe, store, settings, **env) as (engine, _):
        answers = [_ask(engine, rows) for rows in (1, 3, 1, 2)]
        assert not list(log.rglob("*.parquet"))
        # A version that takes over writes what the one before it held.
        engine.write("stable", "2.3.1")
        assert engine.reload()[0] == 200
        assert len(_found(log)) == 4
        assert engine.metric("modelspec_records_written_total") == 7
    records = {one.id: one for one in _found(log)}
    assert records.keys() == {answer["id"] for answer in answers}
    for answer in answers:
        record = records[answer["id"]]
        [output] = answer["outputs"]
        assert (record.batch, record.slot, record.environment) == (output["shape"][0], "stable", "production")
        assert record.stamp == describe("eta", "2.3.0")["stamp"]
        assert list(record.outputs[0].data) == output["data"], "not the bits that were answered"
        assert record.inputs[0].data[2] == 8.0
        assert record.inputs[0].data[1] is None
        assert len(record.hidden) == 1
        assert uuid.UUID(record.id).version == 7
    assert not (tmp_path / "elsewhere").exists()


def test_a_killed_server_leaves_whole_files_and_loses_only_what_was_young(
    tmp_path: Path, describe: Describe, store: Path
) -> None:
    log = tmp_path / "log"
    settings = {"sample": 100, "folder": str(log), "flush_seconds": 1}
    seen: list[tuple[float, str]] = []
    done = threading.Event()
    with serving(tmp_path, describe, store, settings) as (engine, process):

        def ask() -> None:
            while not done.is_set():
                status, answer = engine.infer()
                if status == 200:
                    seen.append((time.time(), answer["id"]))

        client = threading.Thread(target=ask)
        client.start()
        time.sleep(4)
        killed = time.time()
        process.kill()
        done.set()
        client.join()
    kept = {one.id for one in _found(log)}
    lost = [when for when, request in seen if request not in kept]
    assert kept
    # A second until the next turn of the writer, and what a busy machine takes to write.
    assert all(when > killed - 3 for when in lost)


def test_a_log_that_can_t_be_written_fails_no_request_and_is_counted(
    tmp_path: Path, describe: Describe, store: Path
) -> None:
    (tmp_path / "full").write_text("no folder")
    settings = {"sample": 100, "folder": str(tmp_path / "full"), "flush_seconds": 1}
    with serving(tmp_path, describe, store, settings) as (engine, _):
        for _ in range(3):
            _ask(engine, 2)
        deadline = time.monotonic() + 20
        while engine.metric("modelspec_records_lost_total") < 6:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert engine.metric("modelspec_records_written_total") == 0
        _ask(engine, 1)


def test_without_a_folder_the_server_serves_and_says_that_it_keeps_no_log(
    tmp_path: Path, describe: Describe, store: Path
) -> None:
    with serving(tmp_path, describe, store, {"sample": 100}) as (engine, process):
        _ask(engine, 1)
        process.terminate()
        said = process.communicate(timeout=30)[0]
    assert "no request log: the config names no folder" in said


def test_a_sample_is_chosen_by_the_id(tmp_path: Path, describe: Describe, store: Path) -> None:
    log = tmp_path / "log"
    with serving(tmp_path, describe, store, {"sample": 30, "folder": str(log), "flush_seconds": 3600}) as (
        engine,
        _,
    ):
        ids = [f"request-{number}" for number in range(200)]
        for request in ids:
            assert engine.infer(id=request)[0] == 200
    first = {one.id for one in _found(log)}
    assert 30 < len(first) < 90
    assert first < set(ids)
