"""Every page: its links lead somewhere, and it names nothing of the machine that it was written on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs.pages import ROOT, anchors, links, pages

PAGES = [pytest.param(page, id=str(page.relative_to(ROOT))) for page in pages()]


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: Path) -> None:
    lost = []
    for link in links(page):
        if re.match("[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        found = (page.parent / path).resolve() if path else page
        if not found.exists() or (anchor and found.suffix == ".md" and anchor not in anchors(found)):
            lost.append(link)
    assert lost == []


@pytest.mark.parametrize("page", PAGES)
def test_names_no_machine(page: Path) -> None:
    text = page.read_text()
    assert re.findall(r"(?<![\w.])/(?:work|tmp|home|root)/\S*", text) == []
    assert [number for number, line in enumerate(text.splitlines(), 1) if line.rstrip() != line] == []


def test_the_index_of_docs_names_every_page() -> None:
    folder = ROOT / "docs"
    named = {(folder / link).resolve() for link in links(folder / "README.md") if "://" not in link}
    there = {page.resolve() for page in folder.glob("*.md")} - {(folder / "README.md").resolve()}
    assert there - named == set()


def test_the_index_of_decisions_names_every_record() -> None:
    folder = ROOT / "docs" / "adr"
    named = {link for link in links(folder / "README.md") if "/" not in link}
    assert named == {page.name for page in folder.glob("0*.md")}
