"""The tutorial does what it says: every command is run, every output compared."""

from __future__ import annotations

from pathlib import Path

from docs.pages import ROOT, blocks
from docs.session import ran

PAGE = ROOT / "docs" / "tutorial.md"


def test_every_command_prints_what_the_page_shows(tmp_path: Path) -> None:
    done = list(ran(PAGE, tmp_path))
    for one in done:
        where = f"docs/tutorial.md:{one.block.line}"
        assert one.code == one.expected, f"{where}: exit {one.code}\n{one.printed}"
        if one.shown is None:
            assert one.printed == "", f"{where} prints what the page does not show:\n{one.printed}"
        else:
            assert one.printed == one.shown.text, where
    assert len(done) == sum(block.info.split()[:1] == ["sh"] for block in blocks(PAGE)) > 10


def test_it_tells_the_accident_and_the_way_back() -> None:
    scripts = "".join(block.text for block in blocks(PAGE) if block.info.startswith("sh"))
    for command in ("modelspec init", "modelspec check", "modelspec compile", "git revert", "modelspec list"):
        assert command in scripts
