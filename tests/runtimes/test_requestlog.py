"""The writer of the request log: what it keeps is exact, what it can't keep is counted, nobody waits for it."""

from __future__ import annotations

import errno
import math
import os
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pyarrow", reason="the extra `mlserver` is not installed")

from modelspec.runtimes import requestlog, requestlog_file
from modelspec.runtimes.requestlog import RequestLog, request_log
from modelspec.runtimes.served import ConfigError
from modelspec.tree.record import Record
from modelspec.world.records.own import OwnRecords
from modelspec.world.records.places import locate
from runtimes.requestlogs import Counts, served


def open_log(root: Path, meter: Counts, key: bytes | None = None, **change: Any) -> RequestLog:
    slot = served(**change)
    assert slot.log is not None
    return RequestLog(slot, root, slot.log, key, meter)


def found(root: Path) -> dict[str, Record]:
    records = list(OwnRecords(locate(str(root))).records())
    assert all(isinstance(one, Record) for one in records), records
    return {one.id: one for one in records}  # type: ignore[union-attr]


def features(*rows: tuple[float, float, float]) -> dict[str, Any]:
    return {"features": np.array(rows, np.float32)}


def minutes(*rows: float) -> dict[str, Any]:
    return {"minutes": np.array(rows, np.float32).reshape(-1, 1)}


def test_what_is_logged_is_what_the_model_got_and_gave(tmp_path: Path) -> None:
    meter = Counts()
    log = open_log(tmp_path, meter)
    given = features((0.1, math.nan, math.inf), (-0.0, 1e-45, 3.4e38))
    log.append("r1", given, minutes(1 / 3, -math.inf))
    log.append("r2", features((1, 2, 3)), {})
    log.close()
    records = found(tmp_path)
    one = records["r1"]
    assert np.array(one.inputs[0].data, np.float32).tobytes() == given["features"].tobytes()
    assert one.inputs[0].shape == (2, 3)
    assert one.outputs[0].data == [float(np.float32(1 / 3)), -math.inf]
    assert (one.model, one.environment, one.slot, one.label, one.batch) == (
        "eta",
        "production",
        "stable",
        "2.3.0",
        2,
    )
    assert one.stamp == "sha256-" + "ab" * 32
    assert records["r2"].outputs == (), "nobody asked for it"
    assert (meter.kept, meter.gone) == (3, {})


TENSORS: dict[str, Any] = {
    "inputs": [
        {"name": "features", "dtype": "float64", "shape": [-1, 3]},
        {"name": "prompt", "dtype": "string", "shape": [-1]},
        {"name": "ids", "dtype": "int64", "shape": [-1, -1]},
        {"name": "image", "dtype": "float16", "shape": [-1, -1, -1, 2]},
        {"name": "flags", "dtype": "bool", "shape": [-1, 2]},
        {"name": "Row", "dtype": "uint64", "shape": [-1, 1]},
    ],
    "outputs": [
        {"name": "row", "dtype": "int8", "shape": [-1, 1]},
        {"name": "scores", "dtype": "float32", "shape": [-1, 2]},
    ],
    "fields": [
        {"input": "features", "field": "trip.a", "width": 1, "sensitive": False},
        {"input": "features", "field": "trip.b", "width": 2, "sensitive": False},
    ],
}


def test_a_request_that_outlasts_its_version_is_kept_all_the_same(tmp_path: Path) -> None:
    log = open_log(tmp_path, Counts())
    ids = [f"r{number}" for number in range(9)]
    log.append(ids[0], features((0.25, 1, 8)), minutes(12.5))
    log.close()
    for late in ids[1:]:
        log.append(late, features((0.5, 2, 9)), minutes(13.5))
    for thread in [one for one in threading.enumerate() if one.name == "modelspec-late"]:
        thread.join()
    assert set(found(tmp_path)) == set(ids)


def test_tensors_of_every_kind_come_back_in_their_shapes(tmp_path: Path) -> None:
    log = open_log(tmp_path, meter := Counts(), **TENSORS)
    inputs = {
        "features": np.arange(6.0).reshape(2, 3),
        "prompt": np.array(["a", "ö"], object),
        "ids": np.array([[1, -(2**63), 3], [4, 5, 6]]),
        "image": np.arange(24, dtype=np.float16).reshape(2, 3, 2, 2),
        "flags": np.array([[True, False], [False, True]]),
        "Row": np.array([[2**64 - 1], [0]], np.uint64),
    }
    outputs = {"row": np.array([[1], [-128]], np.int8), "scores": np.array([[1, 2], [3, 4]], np.float32)}
    log.append("r1", inputs, outputs)
    log.append("r2", {**inputs, "ids": inputs["ids"][:, :1]}, {"scores": outputs["scores"]})
    log.close()
    assert meter.gone == {}
    records = found(tmp_path)
    for name, arrays in (("inputs", inputs), ("outputs", outputs)):
        for one in getattr(records["r1"], name):
            assert one.shape == arrays[one.name].shape
            assert list(one.data) == arrays[one.name].ravel().tolist(), one.name
    assert records["r2"].inputs[2].shape == (2, 1)
    assert [one.name for one in records["r2"].outputs] == ["scores"]
    source = OwnRecords(locate(str(tmp_path)))
    assert list(source.find("r1")) == [records["r1"]], "DuckDB reads it otherwise"


def test_a_model_without_a_batch_is_one_row_a_request(tmp_path: Path) -> None:
    tensors = {
        "inputs": [
            {"name": "x", "dtype": "float32", "shape": [3]},
            {"name": "k", "dtype": "int32", "shape": []},
        ],
        "outputs": [{"name": "y", "dtype": "float32", "shape": [-1, 2]}],
        "fields": [{"input": "x", "field": f"trip.{name}", "width": 1, "sensitive": False} for name in "abc"],
    }
    log = open_log(tmp_path, Counts(), **tensors)
    log.append(
        "r1",
        {"x": np.array([1, 2, 3], np.float32), "k": np.array(7, np.int32)},
        {"y": np.ones((4, 2), np.float32)},
    )
    log.close()
    one = found(tmp_path)["r1"]
    assert [(tensor.shape, list(tensor.data)) for tensor in (*one.inputs, *one.outputs)] == [
        ((3,), [1.0, 2.0, 3.0]),
        ((), [7]),
        ((4, 2), [1.0] * 8),
    ]


SENSITIVE = [
    {"input": "features", "field": "trip.a", "width": 1, "sensitive": True},
    {"input": "features", "field": "trip.b", "width": 1, "sensitive": False},
    {"input": "features", "field": "trip.c", "width": 1, "sensitive": False},
]


def test_sensitive_fields_are_left_out_without_a_key_and_hashed_with_one(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    for name, key in (("plain", None), ("one", b"k1"), ("two", b"k2")):
        log = open_log(tmp_path / name, Counts(), key, fields=SENSITIVE)
        for request, value in (("r1", 5.25), ("r2", 5.25), ("r3", 6.5)):
            log.append(request, features((value, 2, 3)), minutes(1))
        log.close()
        one = found(tmp_path / name)["r1"]
        assert one.hidden == {"trip.a"}
        assert list(one.inputs[0].data) == [None, 2.0, 3.0]
    columns = {}
    for name in ("plain", "one", "two"):
        [path] = (tmp_path / name).rglob("*.parquet")
        data = path.read_bytes()
        assert np.float32(5.25).tobytes() not in data
        table = pq.read_table(path)
        columns[name] = table["trip.a"].to_pylist() if "trip.a" in table.column_names else None
    assert columns["plain"] is None
    first, same, other = columns["one"]
    assert first == same != other and len(first) == 32
    assert columns["two"][0] != first


@pytest.mark.parametrize("width", [None, 2])
def test_a_tensor_of_which_nobody_can_tell_the_sensitive_part_is_left_out_whole(
    width: int | None, tmp_path: Path
) -> None:
    fields = [{**SENSITIVE[0], "width": width}, *SENSITIVE[1:]]
    log = open_log(tmp_path, Counts(), fields=fields)
    log.append("r1", features((5.25, 2, 3)), minutes(1))
    log.close()
    one = found(tmp_path)["r1"]
    assert one.hidden == {"features"}
    assert set(one.inputs[0].data) == {None}


def test_a_queue_that_is_full_loses_records_and_counts_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requestlog, "MEMORY", 20_000)
    gate = threading.Event()
    real = requestlog.write

    def slow(*args: Any) -> Path:
        gate.wait(30)
        return real(*args)

    monkeypatch.setattr(requestlog, "write", slow)
    meter = Counts()
    log = open_log(tmp_path, meter, log={"sample": 100, "flush_seconds": 1})
    sent, slowest = 0, 0.0
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        before = time.perf_counter()
        log.append(f"r{sent}", features((1, 2, 3)), minutes(1))
        slowest = max(slowest, time.perf_counter() - before)
        assert log._bytes <= 20_000
        sent += 1
        time.sleep(0.001)
    gate.set()
    log.close()
    kept = found(tmp_path)
    assert 0 < len(kept) < sent
    assert len(kept) == meter.kept
    assert meter.kept + meter.gone["memory"] == sent
    assert slowest < 1, "a request waited for the writer"


def test_a_full_disk_is_a_counted_loss_that_leaves_no_half_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    meter = Counts()
    log = open_log(tmp_path, meter, log={"sample": 100, "flush_seconds": 1})
    with monkeypatch.context() as patched:
        patched.setattr(requestlog_file, "flush", full)
        log.append("r1", features((1, 2, 3)), minutes(1))
        deadline = time.monotonic() + 20
        while meter.gone["disk"] < 1:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    log.append("r2", features((1, 2, 3)), minutes(1))
    log.close()
    assert found(tmp_path).keys() == {"r2"}, "it goes on when there is room again"


def test_what_no_column_holds_is_lost_alone(tmp_path: Path) -> None:
    meter = Counts()
    log = open_log(tmp_path, meter)
    log.append("r1", features((1, 2, 3)), minutes(1))
    log.append("r2", features((1, 2, 3)), minutes(1, 2))
    log.append("r\ud800", features((1, 2, 3)), minutes(1))
    log.append("r3", features((1, 2, 3)), minutes(1))
    log.close()
    assert found(tmp_path).keys() == {"r1", "r3"}
    assert meter.gone == {"form": 2}


def test_what_a_killed_server_left_is_removed_when_it_is_old(tmp_path: Path) -> None:
    aside = tmp_path / ".writing"
    aside.mkdir()
    old, young = aside / ".old", aside / ".young"
    for path in (old, young):
        path.write_text("half")
    os.utime(old, (0, 0))
    log = open_log(tmp_path, Counts())
    log.append("r1", features((1, 2, 3)), minutes(1))
    log.close()
    assert (old.exists(), young.exists()) == (False, True)
    assert found(tmp_path).keys() == {"r1"}


def test_a_log_that_is_off_or_has_no_folder_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MODELSPEC_RECORDS", raising=False)
    for settings in (None, {"sample": 0, "folder": str(tmp_path)}, {"sample": 100}):
        assert request_log(served(log=settings), Counts()) is None
    assert list(tmp_path.iterdir()) == []


def test_a_config_that_the_schema_refuses_is_refused_here_too() -> None:
    for log in ({"sample": 101}, {"sample": 1, "buckets": 0}, {"sample": 1, "key": "secret"}, {}):
        with pytest.raises(ConfigError):
            served(log=log)
