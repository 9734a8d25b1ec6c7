"""The measurement of `replay` and `skew` runs, and says a ratio."""

from __future__ import annotations

import re
import subprocess
import sys

from conftest import ROOT


def test_it_runs_on_a_few_rows() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks/replay.py", "--rows", "2560", "--skew-rows", "2000"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"all bit-equal: .*ratio \d", done.stdout)) == 2
    assert "skew: 2,000 rows x 20 features" in done.stdout
