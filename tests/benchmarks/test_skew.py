"""The experiment on wrong inputs: it runs on one data set, and the page shows a table that it prints."""

from __future__ import annotations

import importlib.util
import re
import sys
from types import ModuleType

import pytest

from docs.pages import ROOT
from modelspec.compat.rows import TABLE

PAGE = ROOT / "docs" / "skew.md"


@pytest.fixture(scope="module")
def skew() -> ModuleType:
    """The program, which is no package."""
    pytest.importorskip("sklearn", reason="scikit-learn is in the dependency group `train`")
    spec = importlib.util.spec_from_file_location("skew", ROOT / "benchmarks" / "skew.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def lines(text: str) -> dict[str, list[str]]:
    """Return the cells of a table by its first one."""
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in text.splitlines()
        if line.startswith("| ")
    ]
    return {row[0]: row[1:] for row in rows[1:]}


def test_on_iris_wrong_inputs_cost_much_and_raise_little(skew: ModuleType) -> None:
    found = skew.measure(skew.DATA["iris"](), 1)
    assert list(found) == list(skew.ROWS)
    for row, tally in found.items():
        assert tally.runs >= len(skew.MODELS)
        assert len(tally.lost) == tally.runs - tally.errors
        if row not in ("null for mean", "one column more or less"):
            assert tally.errors == 0, f"{row} is silent"
    assert found["one column more or less"].errors == found["one column more or less"].runs
    assert sum(found["raw for minmax"].lost) / len(skew.MODELS) > 20
    assert max(found["float64 → float32"].lost) == 0
    assert list(lines("\n".join(skew.table([found])))) == list(skew.ROWS)
    assert min(found["raw for minmax"].base) > 85, "the models are good where they get what they know"


def test_the_page_shows_the_rows_that_the_program_has(skew: ModuleType) -> None:
    assert list(lines(PAGE.read_text())) == list(skew.ROWS)


def test_the_page_bears_out_the_table_of_changes() -> None:
    """The verdicts rest on these figures: what is breaking costs much, what may be revalidated little."""
    shown = {
        row: [float(cell) for cell in cells[1:] if cell] for row, cells in lines(PAGE.read_text()).items()
    }
    for row in ("raw for minmax", "displaced by 20 %", "ordinal codes reordered", "float → int"):
        assert shown[row][0] > 5, row
    assert shown["displaced by 1 %"][0] < 0.5
    assert shown["displaced by 1 %"][0] < shown["displaced by 5 %"][0] < shown["displaced by 20 %"][0]
    near, far = TABLE["transform-near"].why, TABLE["transform-far"].why
    assert [shown["displaced by 1 %"]] == [[float(points) for points in re.findall(r"\d+\.\d", near)]]
    means = [shown["displaced by 5 %"][0], shown["displaced by 20 %"][0]]
    assert means == [float(points) for points in re.findall(r"\d+\.\d", far)]
    assert re.search(r"python benchmarks/skew\.py", PAGE.read_text())
