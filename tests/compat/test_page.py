"""docs/compatibility.md says what the rows say."""

from __future__ import annotations

import re

import pytest

from docs.pages import ROOT
from modelspec.compat.displacement import displacement
from modelspec.compat.page import GROUPS, page, regions
from modelspec.compat.rows import TABLE
from modelspec.compat.table import PARTS
from modelspec.compat.verdict import Says
from modelspec.spec.feature import Feature

from .cases import field

PAGE = ROOT / "docs" / "compatibility.md"


def test_the_page_is_current() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert page(text) == text, (
        "write its tables again: python -c 'from pathlib import Path; from modelspec.compat.page import page; "
        'p = Path("docs/compatibility.md"); p.write_text(page(p.read_text()))\''
    )


def test_every_table_is_there_once() -> None:
    assert sorted(regions(PAGE.read_text())) == sorted((*GROUPS, "parts", "peers"))


def test_every_row_is_a_line_of_its_table() -> None:
    text = PAGE.read_text()
    for row in TABLE.values():
        says = f"| {row.change} | {row.out.name} |"
        assert text.count(says) == 1, row.key
    lines = [
        line
        for line in text.splitlines()
        if line.startswith("| ") and re.search(r"\| (\*\*M\*\*|m|p) \|", line)
    ]
    assert len(lines) == len(TABLE)


def test_no_cell_breaks_its_table() -> None:
    for row in TABLE.values():
        told = [row.change, row.why, *(one.when for one in row.unless)]
        assert not any("|" in cell or "\n" in cell for cell in told), row.key


def test_a_stale_table_is_replaced_and_the_prose_stays() -> None:
    made = page("before\n<!-- made: parts -->\nstale\n<!-- end -->\nafter\n")
    assert made.startswith("before\n<!-- made: parts -->\n1. type and shape\n")
    assert made.endswith(f"{len(PARTS)}. {PARTS[-1]}\n<!-- end -->\nafter\n")
    with pytest.raises(KeyError):
        page("<!-- made: nothing -->\n<!-- end -->")


def test_the_answers_are_those_of_the_verdict() -> None:
    section = PAGE.read_text().partition("## The verdict")[2].partition("\n## ")[0]
    assert re.findall(r"^\| ([A-Z -]+) \|", section, re.MULTILINE) == [one.value for one in Says]


def test_the_worked_example_is_computed() -> None:
    section = PAGE.read_text().partition("## Displacement")[2].partition("\n## ")[0]
    shown = re.findall(r"max (\d+), clip\)` \| 120 km \| 1.000 \| ([\d.]+) \| ([\d.]+) % \| (\w) \|", section)
    assert len(shown) == 2
    trained = scaled(120)
    for top, value, percent, verdict in shown:
        moved = displacement(trained, scaled(int(top)))
        assert moved is not None
        assert float(value) == pytest.approx(1 - moved, abs=5e-4)
        assert float(percent) == pytest.approx(100 * moved, abs=0.05)
        assert verdict == ("R" if moved <= 0.01 else "B")


def scaled(top: int) -> Feature:
    return field(
        {
            "source": {"dtype": "float64", "range": [0, 120]},
            "range": [0, 1],
            "transform": {"kind": "minmax", "min": 0, "max": top, "clip": True},
        }
    )
