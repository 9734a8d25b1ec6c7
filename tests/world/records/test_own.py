"""Our own Parquet: found by id, hour and bucket; what is broken is named and hides nothing."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelspec.cli.records import open_records
from modelspec.tree.record import Record, Unreadable
from modelspec.tree.requestlog import KEY, bucket_of, file_of, folder_of, layout_of, time_of
from modelspec.world.records import own_find
from modelspec.world.records.foreign import ForeignRecords
from modelspec.world.records.own import OwnRecords
from runtimes.requestlogs import entry, write_log

HOUR = datetime(2026, 11, 2, 14, tzinfo=UTC)


def uuid7(when: datetime, tail: int) -> str:
    stamp = f"{round(when.timestamp() * 1000):012x}"
    return f"{stamp[:8]}-{stamp[8:]}-7000-8000-{tail:012x}"


def log(root: Path, hours: int = 3, each: int = 20) -> list[str]:
    ids = []
    for number in range(hours):
        hour = HOUR + timedelta(hours=number)
        moments = [hour + timedelta(minutes=3 * minute) for minute in range(each)]
        entries = [entry(uuid7(when, 7919 * at), when, 1 + at % 3) for at, when in enumerate(moments)]
        write_log(root, entries, hour, buckets=4)
        ids += [one.id for one in entries]
    return ids


def ids_of(records: list[Record | Unreadable]) -> list[str]:
    assert all(isinstance(one, Record) for one in records), records
    return [one.id for one in records]  # type: ignore[union-attr]


def only(records: list[Record | Unreadable]) -> Record:
    [one] = records
    assert isinstance(one, Record)
    return one


@pytest.fixture(params=["duckdb", "pyarrow"])
def reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "pyarrow":
        monkeypatch.setattr(own_find, "holding", lambda *_: None)
    return str(request.param)


def test_every_request_is_found_by_its_id_in_the_files_of_its_hour_and_bucket(
    tmp_path: Path, reader: str
) -> None:
    ids = log(tmp_path)
    source = open_records(str(tmp_path))
    assert isinstance(source, OwnRecords)
    every = {one.id: one for one in source.records() if isinstance(one, Record)}
    assert every.keys() == set(ids)
    for request in ids[::7]:
        assert only(list(source.find(request))) == every[request]
    # Other hours, and the other buckets of the hour, are not opened: nothing says that they are broken.
    wanted = ids[10]
    said = folder_of(HOUR, bucket_of(wanted, 4), 4)
    for path in tmp_path.rglob("*.parquet"):
        if path.parent != tmp_path / said:
            path.write_bytes(b"PAR1 broken")
    assert only(list(OwnRecords(source.located).find(wanted))) == every[wanted]


def test_near_the_edge_of_an_hour_both_sides_are_looked_in(tmp_path: Path, reader: str) -> None:
    late = uuid7(HOUR - timedelta(seconds=2), 5)
    early = uuid7(HOUR + timedelta(hours=1, seconds=2), 5)
    write_log(tmp_path, [entry(late, HOUR), entry(early, HOUR + timedelta(minutes=59))], HOUR)
    for request in (late, early):
        assert only(list(open_records(str(tmp_path)).find(request))).id == request


def test_an_id_whose_clock_lied_is_found_by_a_scan(tmp_path: Path, reader: str) -> None:
    liar = uuid7(HOUR - timedelta(days=300), 5)
    write_log(tmp_path, [entry(liar, HOUR), entry("no uuid", HOUR)], HOUR, buckets=4)
    for request in (liar, "no uuid"):
        assert only(list(open_records(str(tmp_path)).find(request))).id == request
    assert list(open_records(str(tmp_path)).find("nobody")) == []


def test_around_an_instant_only_its_minutes_count(tmp_path: Path, reader: str) -> None:
    moments = [HOUR + timedelta(minutes=10), HOUR + timedelta(minutes=30), HOUR + timedelta(hours=5)]
    for when in moments:
        write_log(tmp_path, [entry("same", when)], when.replace(minute=0))
    source = open_records(str(tmp_path))
    assert only(list(source.find("same", around=moments[1] + timedelta(minutes=1)))).time == moments[1]
    assert list(source.find("same", around=HOUR)) == []
    assert len(list(source.find("same"))) == 3, "an id that is used twice comes twice"


def test_an_id_twice_in_one_file_comes_twice(tmp_path: Path, reader: str) -> None:
    request = uuid7(HOUR, 1)
    write_log(tmp_path, [entry(request, HOUR, 2), entry(request, HOUR, 3, first=9)], HOUR)
    assert [one.batch for one in open_records(str(tmp_path)).find(request) if isinstance(one, Record)] == [
        2,
        3,
    ]


def test_a_window_opens_the_hours_in_it_and_yields_what_is_in_it(tmp_path: Path) -> None:
    ids = log(tmp_path)
    for path in (tmp_path / "date=2026-11-02" / "hour=16").rglob("*.parquet"):
        path.write_bytes(b"broken")
    source = open_records(str(tmp_path))
    since, until = HOUR + timedelta(minutes=30), HOUR + timedelta(hours=1, minutes=6)
    assert set(ids_of(list(source.records(since, until)))) == set(ids[10:23])


def test_bulk_readers_get_whole_requests_and_the_layout(tmp_path: Path) -> None:
    ids = log(tmp_path)
    write_log(tmp_path, [entry("other", HOUR)], HOUR, model="fraud")
    source = open_records(str(tmp_path))
    assert isinstance(source, OwnRecords)
    seen: list[str] = []
    for one in source.batches(model="eta", rows=7):
        assert not isinstance(one, Unreadable)
        file, batch = one
        assert batch["row"][0].as_py() == 0, "a request was cut in two"
        assert [part.column for part in file.layout.inputs[0].parts] == ["trip.a", "trip.b", "trip.c"]
        seen += [
            request
            for request, row in zip(batch["request_id"].to_pylist(), batch["row"].to_pylist(), strict=True)
            if not row
        ]
    assert sorted(seen) == sorted(ids)
    assert {
        file.layout.model for file in source.files(model="fraud") if not isinstance(file, Unreadable)
    } == {"fraud"}
    assert list(source.files(environment="staging")) == []


def test_broken_files_are_named_and_hide_no_other(tmp_path: Path, reader: str) -> None:
    request = uuid7(HOUR, 4)
    [good] = write_log(tmp_path, [entry(request, HOUR)], HOUR)
    folder = good.parent
    data = good.read_bytes()
    (folder / "cut.parquet").write_bytes(data[:-20])
    (folder / "hole.parquet").write_bytes(data[:4] + b"\0" * 300 + data[304:])
    (folder / "text.parquet").write_text("no parquet")
    (folder / "a'b\n*.parquet").write_text("no parquet")
    pq.write_table(pa.table({"request_id": [request]}), folder / "foreign.parquet")
    table = pq.read_table(good)
    lying = json.loads(table.schema.metadata[KEY.encode()])
    lying["outputs"][0]["columns"][0]["column"] = "nowhere"
    pq.write_table(table.replace_schema_metadata({KEY: json.dumps(lying)}), folder / "lying.parquet")
    pq.write_table(
        table.slice(0, 1).set_column(2, "batch", pa.array([2], pa.int32())), folder / "short.parquet"
    )
    (folder / "link.parquet").symlink_to(good)
    source = open_records(str(tmp_path))
    for found in (list(source.records()), list(source.find(request))):
        good_ones = [one for one in found if isinstance(one, Record)]
        bad = {
            Path(one.place.split(".parquet")[0]).name: one.why for one in found if isinstance(one, Unreadable)
        }
        assert [one.id for one in good_ones if "~" in one.place] == [request]
        assert {"cut", "text", "lying", "foreign", "short", "link"} <= bad.keys()
        assert bad["short"] == "1 of its 2 rows are there"
        assert not any("\n" in one.place for one in found)


def test_loose_files_are_ours_too(tmp_path: Path) -> None:
    [path] = write_log(tmp_path / "log", [entry("r1", HOUR)], HOUR)
    loose = tmp_path / "loose"
    loose.mkdir()
    path.rename(loose / "copy.bin")
    for where in (loose, loose / "copy.bin", f"{loose}/*"):
        assert only(list(open_records(str(where)).find("r1"))).id == "r1"


def test_a_url_is_read_without_duckdb(tmp_path: Path) -> None:
    import fsspec

    [path] = write_log(tmp_path, [entry("r1", HOUR)], HOUR)
    memory = fsspec.filesystem("memory")
    memory.pipe(f"/ours/{path.relative_to(tmp_path)}", path.read_bytes())
    try:
        source = open_records("memory://ours")
        assert isinstance(source, OwnRecords)
        assert only(list(source.find("r1"))) == only(list(source.records()))
    finally:
        memory.rm("/ours", recursive=True)


def test_an_empty_folder_holds_nothing(tmp_path: Path) -> None:
    source = open_records(str(tmp_path))
    assert isinstance(source, ForeignRecords)
    assert list(source.records()) == []
    assert list(open_records(str(tmp_path), "modelspec").find("x")) == []


@given(
    st.datetimes(datetime(1971, 1, 1), datetime(9000, 1, 1)), st.integers(0, 2**48 - 1), st.integers(1, 4096)
)
def test_an_id_s_path_is_that_of_its_hour_and_bucket(when: datetime, tail: int, buckets: int) -> None:
    when = when.replace(tzinfo=UTC)
    request = uuid7(when, tail)
    told = time_of(request)
    assert told is not None and abs((told - when).total_seconds()) < 0.001
    bucket = bucket_of(request, buckets)
    said = file_of(f"{folder_of(when, bucket, buckets)}/a~b~{request}.parquet")
    assert said is not None
    assert (said.bucket, said.buckets) == (bucket, buckets)
    assert said.hour == when.replace(minute=0, second=0, microsecond=0)
    assert said.within(when, when)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda one: st.lists(one) | st.dictionaries(st.sampled_from(["format", "inputs", "columns", "name"]), one)))  # fmt: skip
def test_any_metadata_is_a_layout_or_a_reason(data: object) -> None:
    with suppress(ValueError):
        layout_of(data)
