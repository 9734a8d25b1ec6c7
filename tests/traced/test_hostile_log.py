"""Logs that contradict themselves: `trace`, `replay` and `skew` name what is wrong, and agree on what it is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conftest import Run
from logged import digest
from traced.conftest import OLD, Shop, at, rows

DISTANCE = "trip_features.distance_norm"


@pytest.fixture
def asked(shop: Shop) -> str:
    """One request to 2.3.0, in one file."""
    [request] = shop.ask(OLD, at("10:30"), rows(1))
    return request


def rewrite(
    shop: Shop, layout: Callable[[Any], object] = lambda _: None, **columns: tuple[list[Any], pa.DataType]
) -> None:
    """Write the log's only file again: with another layout, with other columns (`distance` for the feature)."""
    [file] = shop.log.rglob("*.parquet")
    table = pq.read_table(file)
    meta = dict(table.schema.metadata)
    told = json.loads(meta[b"modelspec"])
    layout(told)
    for name, (values, kind) in columns.items():
        named = {"distance": DISTANCE}.get(name, name)
        table = table.set_column(table.schema.get_field_index(named), named, pa.array(values, kind))
    meta[b"modelspec"] = json.dumps(told).encode()
    pq.write_table(table.replace_schema_metadata(meta), file)


def said(invoke: Run, shop: Shop, *arguments: str) -> tuple[int, str]:
    done = invoke(*arguments, "--log", str(shop.log), cwd=shop.git.root)
    return done.returncode, done.stdout + done.stderr


def everybody(invoke: Run, shop: Shop, asked: str) -> list[tuple[int, str]]:
    """What trace, replay of one, replay in bulk and skew say."""
    return [
        said(invoke, shop, "trace", asked),
        said(invoke, shop, "replay", asked),
        said(invoke, shop, "replay"),
        said(invoke, shop, "skew", "eta", "production", "--version", OLD),
    ]


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ({"request_id": ([["x"]], pa.list_(pa.string()))}, "request_id is list<element: string>, not text"),
        ({"time": ([1], pa.int64())}, "time is int64, not timestamp in UTC"),
        ({"row": ([None], pa.int32())}, "its rows do not follow one another"),
        ({"row": ([1], pa.int32())}, "its rows do not follow one another"),
        ({"batch": ([2], pa.int32())}, "1 of its 2 rows are there"),
        ({"batch": ([None], pa.int32())}, "a row has no request_id or no batch"),
    ],
)
def test_what_is_no_request_is_none_for_everybody(
    shop: Shop, invoke: Run, asked: str, columns: dict[str, Any], why: str
) -> None:
    rewrite(shop, **columns)
    told = everybody(invoke, shop, asked)
    assert [code for code, _ in told] == [1, 3, 1, 1]
    for _, text in told:
        assert why in text and "Traceback" not in text


def test_a_feature_that_is_a_text_breaks_the_contract_and_no_reader(
    shop: Shop, invoke: Run, asked: str
) -> None:
    rewrite(shop, distance=(["<script>"], pa.string()))
    trace, once, bulk, skew = everybody(invoke, shop, asked)
    assert trace[0] == 0 and "a text is no float32" in trace[1]
    assert once[0] == 3 and "values that are no float32" in once[1]
    for code, text in (bulk, skew):
        assert code == 1 and f"{DISTANCE} is string, not float" in text


def test_a_finer_clock_is_read(shop: Shop, invoke: Run, asked: str) -> None:
    """DuckDB has other functions for nanoseconds; other writers of Parquet have them by default."""
    micro = int(at("10:30").timestamp() * 1_000_000)
    rewrite(shop, time=([micro * 1000 + 1], pa.timestamp("ns", tz="UTC")))
    code, text = said(invoke, shop, "trace", asked)
    assert code == 0 and "2026-10-01T10:30:00Z" in text


def test_fields_that_differ_are_not_taken_for_one_another(shop: Shop, invoke: Run, asked: str) -> None:
    def swapped(told: Any) -> None:
        columns = told["inputs"][0]["columns"]
        columns[0], columns[3] = columns[3], columns[0]

    rewrite(shop, swapped)
    for (code, text), expected in zip(everybody(invoke, shop, asked), (0, 3, 1, 1), strict=True):
        assert code == expected and "request.rain" in text and "in another order" in text

    def mistyped(told: Any) -> None:
        swapped(told)
        told["inputs"][0]["columns"][0]["field"] = "trip_features.distanc_norm"

    rewrite(shop, mistyped)
    for code, text in everybody(invoke, shop, asked)[1:]:
        assert code in (1, 3) and f"without {DISTANCE}" in text


@pytest.mark.parametrize("stamp", ["s", "sha256-", "sha256-4dee"])
def test_a_stamp_too_short_to_name_anybody_is_nobody_s(
    shop: Shop, invoke: Run, asked: str, stamp: str
) -> None:
    rewrite(shop, lambda told: told.update(stamp=stamp))
    trace, once, bulk, skew = everybody(invoke, shop, asked)
    assert trace[0] == 1 and "No version has the record's stamp" in trace[1]
    assert once[0] == 3 and "not known which version" in once[1]
    assert bulk[0] == 1 and "no version has the stamp" in bulk[1]
    assert skew[0] == 1 and "answered by another version" in skew[1]


@pytest.mark.parametrize(
    ("layout", "why"),
    [
        (b'{"format":"modelspec/records/1","inputs":' + b"[" * 100_000, "its layout is nested too deep"),
        (b"modelspec/records/1 \xff", "its layout is not UTF-8"),
        (b'"modelspec/records/1" or so', "its layout is no JSON"),
        (b'["modelspec/records/1"]', "its metadata has no layout"),
    ],
)
def test_a_layout_that_is_none_is_told_in_words(
    shop: Shop, invoke: Run, asked: str, layout: bytes, why: str
) -> None:
    [file] = shop.log.rglob("*.parquet")
    pq.write_table(pq.read_table(file).replace_schema_metadata({b"modelspec": layout}), file)
    for _, text in everybody(invoke, shop, asked):
        assert why in text


def test_a_width_that_no_memory_holds_hides_no_other_file(shop: Shop, invoke: Run, asked: str) -> None:
    def endless(told: Any) -> None:
        told["inputs"][0]["columns"][0] |= {"width": 10**12, "hidden": "left out", "column": None}

    rewrite(shop, endless)
    [other] = shop.ask(OLD, at("10:31"), rows(1, 2))
    code, text = said(invoke, shop, "trace", other)
    assert code == 0 and "eta 2.3.0" in text
    code, text = said(invoke, shop, "replay")
    assert code == 0 and "1 request, 1 row" in text and "more than 16,777,216 values in a row" in text


def test_what_can_t_be_read_is_said_once_and_by_replay_too(shop: Shop, invoke: Run, asked: str) -> None:
    [file] = shop.log.rglob("*.parquet")
    other = file.with_name("cut.parquet")
    other.write_bytes(file.read_bytes()[:-4])
    code, text = said(invoke, shop, "replay", asked)
    assert code == 0 and "cut.parquet could not be read" in text and "it may be there too" in text
    file.unlink()
    code, text = said(invoke, shop, "trace", asked)
    assert code == 1 and text.count("cut.parquet") == 1 and "1 place could not be read" in text
    code, text = said(invoke, shop, "replay", asked)
    assert code == 3 and "cut.parquet could not be read" in text


def test_half_a_character_is_no_trouble(shop: Shop, invoke: Run, tmp_path: Path) -> None:
    one = {
        "request": {"id": "a\ud800", "inputs": [{"name": "features", "datatype": "FP32", "shape": [1, 4],
                                                "data": [2.0, 1.0, 8.0, 0.0]}]},
        "response": {"id": "a\ud800", "model_name": "eta",
                     "outputs": [{"name": "minutes", "datatype": "FP32", "shape": [1, 1], "data": [1.0]}]},
    }  # fmt: skip
    log = tmp_path / "half.jsonl"
    log.write_text(json.dumps(one))
    done = invoke(
        "skew", "eta", "production", "--version", OLD, "--log", str(log), "--html", str(tmp_path / "x.html"),
        cwd=shop.git.root,
    )  # fmt: skip
    assert (
        done.returncode == 0 and "a\\ud800" in done.stdout and "a\\ud800" in (tmp_path / "x.html").read_text()
    )


def test_as_many_reasons_as_lines_are_not_as_many_lines(shop: Shop, invoke: Run, tmp_path: Path) -> None:
    log = tmp_path / "bad.jsonl"
    log.write_text("".join(f"{{{' ' * count}x\n" for count in range(500)))
    done = invoke("replay", "--log", str(log), "--version", f"eta@{OLD}", cwd=shop.git.root)
    assert done.returncode == 1 and len(done.stdout.splitlines()) < 60
    assert "500 in all" in done.stdout and "for other reasons than these" in done.stdout


def test_an_id_that_everybody_has(shop: Shop, invoke: Run, tmp_path: Path) -> None:
    """A client that sends no id of its own: nobody reads a thousand traces."""

    def pair(number: int) -> dict[str, Any]:
        tensor = {"datatype": "FP32", "shape": [1, 4], "data": [number / 1000, 1.0, 8.0, 0.0]}
        answer = {"name": "minutes", "datatype": "FP32", "shape": [1, 1], "data": [1.0]}
        when = f"2026-10-01T10:{number % 60:02}:00Z"
        return {
            "time": when,
            "request": {"id": "1", "inputs": [{"name": "features", **tensor}]},
            "response": {"id": "1", "outputs": [answer], "parameters": {"digest": digest(number=OLD)}},
        }

    log = tmp_path / "same.jsonl"
    log.write_text("".join(json.dumps(pair(number)) + "\n" for number in range(150)))
    command = ("trace", "1", "--log", str(log), "--format", "json")
    done = invoke(*command, cwd=shop.git.root)
    told = json.loads(done.stdout)
    assert done.returncode == 1 and len(told["traces"]) == 100 and told["more"] == 50
    assert "50 more records with the id 1 left out" in done.stderr and "--around" in done.stderr
    done = invoke(*command, "--around", "2026-10-01T10:30:00Z", cwd=shop.git.root)
    told = json.loads(done.stdout)
    assert done.returncode == 0 and 1 < len(told["traces"]) < 20 and told["more"] == 0


def test_a_bundle_says_what_it_lacks(shop: Shop, invoke: Run, asked: str, tmp_path: Path) -> None:
    shutil.rmtree(shop.git.root / "store")
    code, text = said(invoke, shop, "trace", asked, "--bundle", str(tmp_path / "b"))
    assert code == 0 and "without artifact" in text and "all of it" not in text
    readme = (tmp_path / "b" / "README.md").read_text()
    assert (
        "- artifact artifact: " in readme
        and "Put the artifact here first: artifact/model.onnx (sha256:" in readme
    )


def test_skew_says_where_there_is_no_contract(shop: Shop, invoke: Run, asked: str) -> None:
    for file in (shop.git.root / "registry/features/trip_features").glob("[0-9]*.yaml"):
        file.unlink()
    code, text = said(invoke, shop, "skew", "eta", "production", "--version", OLD)
    assert code == 0 and f"{DISTANCE}, trip_features.city" in text and "no contract is judged" in text
    assert "request.rain: the schema" not in text


@pytest.mark.parametrize("verb", [("replay",), ("skew", "eta", "production")])
def test_a_window_that_ends_before_it_begins(
    shop: Shop, invoke: Run, asked: str, verb: tuple[str, ...]
) -> None:
    code, text = said(
        invoke, shop, *verb, "--from", "2026-10-02T00:00:00Z", "--until", "2026-10-01T00:00:00Z"
    )
    assert code == 2 and "--from is after --until" in text


def test_a_log_of_no_name_is_not_all_that_lies_here(shop: Shop, invoke: Run, asked: str) -> None:
    """`--log "$LOG"` where the variable is not set."""
    done = invoke("trace", asked, "--log", "", cwd=shop.git.root)
    assert done.returncode == 3 and "has no name" in done.stderr


def test_a_url_that_can_t_be_opened_is_named(shop: Shop, invoke: Run, asked: str, tmp_path: Path) -> None:
    done = invoke("trace", asked, "--log", f"zip://x.json::{tmp_path}", cwd=shop.git.root)
    assert done.returncode == 3 and done.stderr.startswith("modelspec: zip://x.json")
