"""The benchmark of look-ups asks for requests that are there, and measures a process for each."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import records

from modelspec.tree.requestlog import time_of


def test_it_finds_what_it_wrote_and_prints_what_that_took(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records.main(
        [
            "--millions",
            "0.002",
            "--features",
            "4",
            "--hourly",
            "800",
            "--repeat",
            "1",
            "--folder",
            str(tmp_path),
        ]
    )
    said = capsys.readouterr().out
    assert "2,000 records of 4 features in 3 files" in said
    assert len(re.findall(r"processor [0-9.]+ s, [0-9]+ MB", said)) == 7
    assert said.count("modelspec trace: ") == 3
    assert list(tmp_path.iterdir()) == []


def test_ids_tell_their_time_but_for_every_tenth(tmp_path: Path) -> None:
    [(request, random, when)] = records.generate(tmp_path, 100, 3, 100)
    told = time_of(request)
    assert told is not None and abs((told - when).total_seconds()) < 3600
    assert time_of(random) is None
