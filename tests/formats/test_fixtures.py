"""Every format's real file through the command: what it gives, byte for byte, and that it checks clean."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conftest import Run
from formats.fixture import CASES, EXPECTED, arguments
from modelspec.cli.main import run
from modelspec.spec.kinds import SCHEMA
from modelspec.spec.registry import Registry
from modelspec.tree.snapshot import DictSnapshot

pytest.importorskip("pyarrow", reason="pyarrow is not installed")


@pytest.mark.parametrize("case", CASES)
def test_what_a_fixture_gives(case: str, example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*arguments(case), "--stdout", "--root", str(example)]) == 0
    printed = capsys.readouterr()
    assert printed.out == (EXPECTED / f"{case}.yaml").read_text()
    notes = [line.removeprefix("# - ") for line in printed.out.splitlines() if line.startswith("# - ")]
    assert printed.err == "".join(f"note: {note}\n" for note in notes)


@pytest.mark.parametrize("case", CASES)
def test_what_was_expected_is_read_strictly(case: str) -> None:
    text = (EXPECTED / f"{case}.yaml").read_bytes()
    view = re.search(r"(?m)^view: (\S+)$", text.decode())
    assert view is not None
    path = SCHEMA.locate(view[1], "1")
    assert Registry(DictSnapshot({path: text})).value(SCHEMA, view[1], "1") is not None


def test_all_of_them_in_the_example_and_no_finding(example: Path, modelspec: Run) -> None:
    for case in CASES:
        assert run([*arguments(case), "--root", str(example)]) == 0
    done = modelspec("check", cwd=example)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert re.match(r"\d+ files: no findings\n", done.stdout)
