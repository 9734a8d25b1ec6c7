"""The page on formats: its tables are the models', its examples can be read, its refusals are refused."""

from __future__ import annotations

import re

import pytest

from docs.keys import PAGE, written
from docs.pages import ROOT, blocks, prose
from modelspec.cli.init import skeleton
from modelspec.spec.kinds import KINDS
from modelspec.spec.reader import Entry, Reader
from modelspec.spec.schemas import by_name
from modelspec.tree.data import Data
from modelspec.tree.snapshot import REGULAR, Blob
from modelspec.tree.yaml import read

EXAMPLES = [block for block in blocks(PAGE) if block.text.startswith("apiVersion")]


def test_the_tables_are_current() -> None:
    assert PAGE.read_text() == written(PAGE.read_text()), "write them again: make pages"


def test_every_kind_stands_in_the_first_table_with_its_path() -> None:
    found = re.findall(r"^\| \[(\w+)\]\(#\w+\) \| `([^`]+)` \|", prose(PAGE), re.MULTILINE)
    assert [name for name, _ in found] == list(by_name())
    for (name, path), kind in zip(found, KINDS.values(), strict=True):
        # The page says <version> where the code says {version}; a waiver's name is its file's alone.
        assert path.replace("<name>", "<waiver>").replace("<", "{").replace(">", "}") == kind.path, name


def test_there_is_an_example_of_every_kind_of_the_registry() -> None:
    shown = {str(_data(block.text)["kind"]) for block in EXAMPLES}
    assert shown == {name for name, kind in by_name().items() if kind.enveloped}


@pytest.mark.parametrize("block", EXAMPLES, ids=lambda block: str(block.line))
def test_the_examples_can_be_read(block: object) -> None:
    text = block.text  # type: ignore[attr-defined]
    data = _data(text)
    kind = by_name()[str(data["kind"])]
    name = tuple("name" if part == "waiver" else str(data[part]) for part in kind.parts)
    blob = Blob(REGULAR, lambda: text.encode())
    found = Reader().read(kind, name, kind.locate(*name), blob)
    assert isinstance(found, Entry), found.faults


def test_what_is_refused_is_and_what_is_written_instead_is_not() -> None:
    rows = re.findall(r"^\| `([^`]+)` \| (.*) \|$", _section("## YAML"), re.MULTILINE)
    assert len(rows) == 8
    for refused, instead in rows:
        _, faults = read(f"key: {refused}\n".encode())
        assert [fault.rule for fault in faults] == ["scalar-plain"], refused
        for word in re.findall("`([^`]+)`", instead):
            assert read(f"key: {word}\n".encode())[1] == [], word


def test_the_first_line_for_editors_leads_to_the_schema_that_init_writes() -> None:
    (line,) = [block.text for block in blocks(PAGE) if block.text.startswith("# yaml-language-server")]
    here = "registry/environments/production/models"
    path = line.partition("$schema=")[2].strip()
    up = path.count("../")
    assert here.count("/") + 1 == up
    assert path.replace("../", "") in skeleton()
    assert (ROOT / here).is_dir()


def _section(heading: str) -> str:
    return prose(PAGE).partition(f"{heading}\n")[2].partition("\n## ")[0]


def _data(text: str) -> dict[str, Data]:
    data, faults = read(text.encode())
    assert not faults, faults
    assert isinstance(data, dict)
    return data
