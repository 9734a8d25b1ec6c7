"""Where a log lies: patterns and links that lead elsewhere, in circles, or to what is no file."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pyarrow as pa
import pytest

from modelspec.cli.records import open_records
from modelspec.tree.finding import Refusal
from modelspec.tree.record import Record, Unreadable
from modelspec.world.records.places import locate


def pair(request: str) -> str:
    tensor = {"datatype": "FP32", "shape": [1, 1], "data": [1.0]}
    return json.dumps(
        {
            "request": {"id": request, "inputs": [{"name": "x", **tensor}]},
            "response": {"id": request, "outputs": [{"name": "y", **tensor}]},
        }
    )


def read(path: str) -> tuple[list[str], dict[str, str]]:
    """Return the ids, and why what could not be read."""
    ids, bad = [], {}
    for one in open_records(path).records():
        if isinstance(one, Record):
            ids.append(one.id)
        elif isinstance(one, Unreadable):
            bad[one.place] = one.why
    return sorted(ids), bad


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log of two files, one of them deep, and another one outside."""
    folder = tmp_path / "log"
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "1.jsonl").write_text(pair("one"))
    (folder / "a" / "b" / "2.jsonl").write_text(pair("two"))
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "3.jsonl").write_text(pair("three"))
    return folder


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.jsonl", ["1.jsonl"]),
        ("**", ["1.jsonl", "a/b/2.jsonl"]),
        ("**/*.jsonl", ["1.jsonl", "a/b/2.jsonl"]),
        ("**/b/**/*.jsonl", ["a/b/2.jsonl"]),
        ("*/*/*.jsonl", ["a/b/2.jsonl"]),
        ("*/b/2.jsonl", ["a/b/2.jsonl"]),
        ("[0-9].jsonl", ["1.jsonl"]),
        ("?.json[l]", ["1.jsonl"]),
    ],
)
def test_a_pattern_finds_what_a_shell_would(log: Path, pattern: str, found: list[str]) -> None:
    (log / ".writing").mkdir()
    (log / ".writing" / "4.jsonl").write_text("not finished")
    located = locate(f"{log}/{pattern}")
    assert located.only == tuple(found)
    assert located.place.shown == f"{log}/{pattern}"


def test_links_in_a_circle_end(log: Path) -> None:
    """With two links to their own folder, a search that follows them has 2 to the power of 40 paths."""
    (log / "loop").symlink_to(log)
    (log / "pool").symlink_to(log)
    (log / "a" / "up").symlink_to(log)
    assert read(f"{log}/**/*.jsonl") == (["one", "two"], {})


def test_nothing_outside_is_read(log: Path) -> None:
    (log / "way").symlink_to(log.parent / "outside")
    (log / "3.jsonl").symlink_to(log.parent / "outside" / "3.jsonl")
    assert read(f"{log}/**/*.jsonl") == (
        ["one", "two"],
        {"3.jsonl": "it can't be read: it is a symbolic link"},
    )
    (log / "3.jsonl").unlink()
    ids, bad = read(f"{log}/*/3.jsonl")
    assert ids == [] and bad == {"way": "it can't be read: it is a symbolic link"}


def test_a_file_behind_a_link_is_not_opened(log: Path) -> None:
    (log / "way").symlink_to(log.parent / "outside")
    place = locate(str(log)).place
    with pytest.raises(OSError, match="behind a symbolic link"):
        place.open("way/3.jsonl")
    assert place.address("way/3.jsonl") is None and place.address("a/b/2.jsonl") is not None


def test_the_link_that_is_named_is_followed(log: Path) -> None:
    """`--log latest.jsonl` is a link as a rule."""
    latest = log.parent / "latest.jsonl"
    latest.symlink_to(log / "1.jsonl")
    assert read(str(latest)) == (["one"], {})
    folder = log.parent / "current"
    folder.symlink_to(log)
    assert read(str(folder)) == (["one", "two"], {})


def test_a_pipe_that_a_pattern_finds_is_not_waited_for(log: Path) -> None:
    os.mkfifo(log / "pipe.jsonl")
    ids, bad = read(f"{log}/*.jsonl")
    assert ids == ["one"] and bad == {"pipe.jsonl": "it can't be read: it is no regular file"}


def test_a_path_that_is_none(log: Path) -> None:
    for path in (f"{log}/nothing", f"{log}/*.parquet", f"{log}/a\0b", "x" * 5000):
        with pytest.raises((Refusal, OSError)):
            locate(path)


@pytest.mark.parametrize("packed", [gzip.compress, lambda data: pa.compress(data, "zstd", asbytes=True)])
def test_what_breaks_off_gives_what_came_before(log: Path, packed: object) -> None:
    lines = "".join(f"{pair(f'{number:05}')}\n" for number in range(3000))
    assert callable(packed)
    data = packed(lines.encode())
    (log / "1.jsonl").write_bytes(data[: len(data) - 12])
    ids, bad = read(str(log / "1.jsonl"))
    assert len(ids) > 2000 and ids[0] == "00000"
    assert len(bad) == 1 and "breaks off" in bad["1.jsonl"]


def test_a_delta_table_without_a_commit_is_named(log: Path) -> None:
    (log / "_delta_log").mkdir()
    assert read(str(log)) == ([], {"_delta_log": "there is no commit in it: what is live can't be told"})
