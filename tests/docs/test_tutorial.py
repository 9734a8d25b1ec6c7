"""The tutorial and the page on digests do what they say: every command is run, every output compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs.pages import ROOT, blocks
from docs.session import ran, runs

PAGE = ROOT / "docs" / "tutorial.md"


@pytest.mark.parametrize(("name", "least"), [("tutorial.md", 15), ("digests.md", 8)])
def test_every_command_prints_what_the_page_shows(name: str, least: int, tmp_path: Path) -> None:
    page = ROOT / "docs" / name
    done = list(ran(page, tmp_path))
    for one in done:
        where = f"docs/{name}:{one.block.line}"
        assert one.code == one.expected, f"{where}: exit {one.code}\n{one.printed}"
        if one.shown is None:
            assert one.printed == "", f"{where} prints what the page does not show:\n{one.printed}"
        else:
            assert one.printed == one.shown.text, where
    assert len(done) == sum(map(runs, blocks(page))) >= least


def test_it_tells_the_accident_and_the_way_back() -> None:
    scripts = "".join(block.text for block in blocks(PAGE) if block.info.startswith("sh"))
    for command in ("modelspec init", "modelspec check", "modelspec compile", "git revert", "modelspec list"):
        assert command in scripts
