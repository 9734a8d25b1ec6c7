"""What other systems logged: the same requests come out of every format, and nothing is dropped in silence."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modelspec.cli.records import FORMATS as FORMATS_NAMED
from modelspec.cli.records import open_records
from modelspec.formats.records import FORMS
from modelspec.tree.finding import Refusal
from modelspec.tree.record import Record, Unreadable
from modelspec.world.records.halves import Half, Halves
from world.records.logs import FORMATS, NO_STAMP, NO_TIME, SHORT, STAMP, START, TRUTH, Truth


def read(path: Path | str, wanted: str | None = None) -> tuple[dict[str, Record], list[Unreadable]]:
    records: dict[str, Record] = {}
    bad = []
    for one in open_records(str(path), wanted).records():
        if isinstance(one, Unreadable):
            bad.append(one)
        else:
            assert one.id not in records
            records[one.id] = one
    return records, bad


def rows(record: Record, kind: str) -> list[float]:
    """Row-major values, also where a log has a tensor for each column."""
    tensors = getattr(record, kind)
    if len(tensors) == 1:
        return list(tensors[0].data)
    return [value for row in zip(*(one.data for one in tensors), strict=True) for value in row]


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_requests(name: str, tmp_path: Path) -> None:
    FORMATS[name](tmp_path)
    records, bad = read(tmp_path)
    assert bad == []
    assert records.keys() == {one.id for one in TRUTH}
    for one in TRUTH:
        record = records[one.id]
        assert rows(record, "inputs") == [value for row in one.features for value in row]
        assert rows(record, "outputs") == list(one.minutes)
        assert record.batch == len(one.features)
        assert record.time == (None if name in NO_TIME else one.time)
        assert record.stamp in ({STAMP, f"sha256-{SHORT}"} if name not in NO_STAMP else (None, ""))


@pytest.mark.parametrize("name", FORMATS)
def test_one_request_is_found_by_its_id(name: str, tmp_path: Path) -> None:
    FORMATS[name](tmp_path)
    source = open_records(str(tmp_path))
    [found] = source.find(TRUTH[5].id)
    assert isinstance(found, Record) and found.id == TRUTH[5].id
    assert rows(found, "outputs") == list(TRUTH[5].minutes)
    assert list(source.find("nobody")) == []
    [again] = source.find(TRUTH[5].id, around=START)
    assert again == found


def test_what_a_window_excludes_is_not_yielded_and_files_far_from_it_are_not_opened(tmp_path: Path) -> None:
    FORMATS["sagemaker-csv"](tmp_path)
    far = tmp_path / "endpoint" / "v" / "2026" / "10" / "01" / "00"
    far.mkdir(parents=True)
    (far / "broken.jsonl").write_text("{")
    source = open_records(str(tmp_path))
    found = list(source.records(TRUTH[3].time, TRUTH[6].time))
    assert [one.id for one in found if isinstance(one, Record)] == [one.id for one in TRUTH[3:7]]
    assert len(found) == 4


@pytest.mark.parametrize("name", ["kserve-http", "kserve-json", "azureml"])
def test_a_missing_half_is_named(name: str, tmp_path: Path) -> None:
    FORMATS[name](tmp_path)
    lost = TRUTH[4].id
    if name == "kserve-json":
        [path] = tmp_path.rglob(f"{lost}-response.json")
        path.unlink()
    else:
        path = tmp_path / (
            "events.jsonl" if name == "kserve-http" else "model_outputs/2026/11/02/14/instance.jsonl"
        )
        lines = path.read_text().splitlines(keepends=True)
        path.write_text(
            "".join(line for line in lines if lost not in line or "request" in line.split("Type", 1)[-1][:60])
        )
    records, [bad] = read(tmp_path)
    assert lost not in records and len(records) == len(TRUTH) - 1
    assert bad.why == "its response is missing" and bad.place.endswith(lost)
    [alone] = open_records(str(tmp_path)).find(lost)
    assert isinstance(alone, Unreadable) and "is missing" in alone.why


def _pair(**change: Any) -> dict[str, Any]:
    one = Truth("r1", START, ((0.5, 1.0, 2.5),), (7.0,))
    return {"request": one.request, "response": one.response, **change}


def _data(*values: Any, datatype: str = "FP32") -> dict[str, Any]:
    tensor = {"name": "features", "datatype": datatype, "shape": [1, len(values)], "data": list(values)}
    return _pair(request={"id": "r1", "inputs": [tensor]})


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (_pair(response=None), "its response is missing"),
        (_pair(request=None), "its request is missing"),
        (_pair(request={"id": "other", "inputs": []}), "different ids"),
        (_pair(time="yesterday"), "its time yesterday is none"),
        (_data(1.0, "x"), "values that are no float32"),
        (_data(True), "values that are no float32"),
        (_data(1e39), "values that no float32 holds"),
        (_data(300, datatype="UINT8"), "values that no uint8 holds"),
        (_data(1, datatype="FP33"), "the datatype FP33"),
        (_data({"a": 1}), "no numbers and no texts"),
        (_pair(request={"id": "r1", "inputs": [{"name": "f", "datatype": "FP32", "shape": [3]}]}), "sent as bytes"),
        (_pair(request={"id": "r1", "inputs": [{"name": "f", "datatype": "FP32", "shape": [2], "data": [1]}]}), "has 1 values"),
        (_pair(request={"id": "r1", "inputs": [[1, 2], [3]]}), "ragged"),
        (_pair(request={"id": "r1"}), "none of inputs"),
        (_pair(request={"inputs": []}, response={"outputs": []}), "no request id"),
    ],
)  # fmt: skip
def test_a_pair_that_is_no_record_says_why(value: Any, says: str, tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(json.dumps(_pair()).replace("r1", "r0") + "\n" + json.dumps(value) + "\n")
    records, [bad] = read(path)
    assert list(records) == ["r0"]
    assert says in bad.why
    assert bad.place == "log.jsonl:2"


def test_numbers_are_exact_and_nan_and_infinity_are_values(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(
        json.dumps(_data(0.1, float("nan"), float("-inf"), None))
        + "\n"
        + json.dumps(_data(2**53 + 1, datatype="INT64")).replace("r1", "r2")
    )
    records, bad = read(path)
    assert bad == []
    first, nan, infinite, null = records["r1"].inputs[0].data
    assert first == 0.10000000149011612, "not the float32 that the engine saw"
    assert math.isnan(nan) and infinite == -math.inf and null is None  # type: ignore[arg-type]
    assert list(records["r2"].inputs[0].data) == [9007199254740993]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "it is empty"),
        (b"{", "no whole JSON"),
        (b"\x80\x04\x95garbage", "no format that is known here"),
        (b"just a text\n", "no format that is known here"),
        (b"[1, 2]", "it is no JSON object"),
        (b'{"a": 1e999}', "more than a double holds"),
        (b'{"a": "\xff"}', "not UTF-8"),
        (b"{" * 5000, "no whole JSON"),
        (b'{"a":' * 200_000 + b"1" + b"}" * 200_000, "nested too deep"),
        (b'{"a": 1}', "no system that is known here writes such an object: a"),
        (b"PAR1", "no whole Parquet"),
        (b"\x1f\x8b\x08\x00nonsense", "breaks off"),
        (b"\x28\xb5\x2f\xfdnonsense", "breaks off"),
    ],
)
def test_a_file_that_is_no_log_is_named(data: bytes, says: str, tmp_path: Path) -> None:
    FORMATS["open-inference"](tmp_path)
    (tmp_path / "a.json").write_bytes(data)
    records, bad = read(tmp_path)
    assert len(records) == len(TRUTH), "one bad file hides no other"
    assert [one.place.partition(":")[0].partition("[")[0] for one in bad] == ["a.json"] * len(bad) and bad
    assert says in bad[0].why


def test_what_is_cut_off_gives_what_is_whole_and_says_where_it_ends(tmp_path: Path) -> None:
    FORMATS["vertex"](tmp_path)
    [path] = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-40])
    _, bad = read(tmp_path)
    assert [one.why for one in bad if "breaks off" in one.why or "no whole JSON" in one.why]


def test_hostile_names_are_shown_harmless_and_links_are_not_followed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.mkdir()
    FORMATS["open-inference"](log)
    (log / "::error::\x1b[31m\n.json").write_text("{")
    (log / "outside").symlink_to(tmp_path)
    (log / "passwd.json").symlink_to("/etc/passwd")
    os.mkfifo(log / "pipe.json")
    (log / "_SUCCESS").write_text("")
    records, bad = read(log)
    assert len(records) == len(TRUTH)
    assert len(bad) == 4
    assert not any("\x1b" in one.place or "\n" in one.place or one.place.startswith("::") for one in bad)
    assert {"it is a symbolic link", "it is no regular file"} < {one.why for one in bad}


def test_a_request_that_is_logged_twice_comes_twice(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text((json.dumps(_pair()) + "\n") * 2)
    assert len(list(open_records(str(path)).find("r1"))) == 2


def test_globs_single_files_and_urls_are_read_like_folders(tmp_path: Path) -> None:
    import fsspec

    FORMATS["sagemaker-csv"](tmp_path)
    [path] = tmp_path.rglob("*.jsonl")
    assert len(read(path)[0]) == len(TRUTH)
    assert len(read(f"{tmp_path}/**/*.jsonl")[0]) == len(TRUTH)
    memory = fsspec.filesystem("memory")
    memory.pipe("/logs/endpoint/v/2026/11/02/14/x.jsonl", path.read_bytes())
    try:
        for url in (
            "memory://logs",
            "memory://logs/endpoint/v/2026/11/02/14/x.jsonl",
            "memory://logs/*/v/*/11/*/14/*.jsonl",
        ):
            assert len(read(url)[0]) == len(TRUTH), url
        [found] = open_records("memory://logs").find(TRUTH[2].id)
        assert isinstance(found, Record)
    finally:
        memory.rm("/logs", recursive=True)


@pytest.mark.parametrize("path", ["nowhere", "no*where", "memory://nowhere", "nosuchscheme://x"])
def test_where_nothing_is_is_a_refusal(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Refusal):
        open_records(path)


def test_a_format_that_was_asked_for_is_used_and_one_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    FORMATS["open-inference"](tmp_path)
    assert len(read(tmp_path, "open-inference")[0]) == len(TRUTH)
    records, bad = read(tmp_path, "vertex")
    assert not records and len(bad) == len(TRUTH)
    with pytest.raises(Refusal) as refused:
        open_records(str(tmp_path), "sagemakr")
    assert refused.value.hint == "did you mean sagemaker?"


def test_the_command_line_knows_every_format() -> None:
    assert sorted(FORMATS_NAMED) == sorted(["modelspec", *(form.name for form in FORMS)])


def test_halves_beyond_memory_are_found_again() -> None:
    with Halves(memory=10) as halves:
        for number in range(1000):
            assert halves.meet(f"r{number}", Half("request", {"n": number}, "p", "q")) is None
        for number in range(999):
            other = halves.meet(f"r{number}", Half("response", {}, "p", "q"))
            assert other is not None and other.value == {"n": number}
        assert [name for name, _ in halves.alone()] == ["r999"]


@pytest.mark.parametrize(
    ("action", "says"),
    [
        ({"add": {"path": "../out.parquet"}}, "path"),
        ({"add": {"path": "%2e%2e/out.parquet"}}, "path"),
        ({"add": {"path": "c.parquet", "deletionVector": {"storageType": "u"}}}, "vector"),
        ({"metaData": {"configuration": {"delta.columnMapping.mode": "name"}}}, "renamed"),
    ],
)
def test_a_delta_log_that_asks_for_more_is_named(action: dict[str, Any], says: str, tmp_path: Path) -> None:
    FORMATS["delta"](tmp_path)
    (tmp_path / "_delta_log" / f"{2:020}.json").write_text(json.dumps(action))
    _, bad = read(tmp_path)
    assert any(says in one.why for one in bad)


def test_a_delta_checkpoint_stands_for_the_commits_before_it(tmp_path: Path) -> None:
    FORMATS["delta"](tmp_path)
    log = tmp_path / "_delta_log"
    live = [json.loads(line) for line in (log / f"{1:020}.json").read_text().splitlines()]
    pq.write_table(
        pa.Table.from_pylist([one for one in live if "add" in one]), log / f"{1:020}.checkpoint.parquet"
    )
    (log / f"{0:020}.json").unlink()
    assert len(read(tmp_path)[0]) == len(TRUTH)
    (log / f"{3:020}.json").write_text("")
    records, [bad] = read(tmp_path)
    assert not records and "a commit is missing" in bad.why
