"""The page on promoting is true: its commands parse, its table of JSON keys is what is printed."""

from __future__ import annotations

import json
import re
import shlex

import pytest

from conftest import Git
from docs.pages import ROOT, blocks
from modelspec.cli.main import cli
from promote import lab

PAGE = ROOT / "docs" / "promote.md"
COMMANDS = [
    line
    for block in blocks(PAGE)
    if block.info == "sh"
    for line in block.text.splitlines()
    if line.startswith("modelspec ")
]


def test_there_are_commands() -> None:
    assert len(COMMANDS) > 12


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_is_one_that_is_understood(line: str) -> None:
    _, *arguments = shlex.split(line, comments=True)
    context = cli.make_context("modelspec", list(arguments))
    name, command, rest = cli.resolve_command(context, arguments)
    assert command is not None
    command.make_context(name, rest, parent=context)


def test_the_keys_for_programs_are_those_that_are_printed(tmp_path: object) -> None:
    from pathlib import Path

    assert isinstance(tmp_path, Path)
    git: Git = lab.repository(tmp_path / "root", lab.files(1, 2))
    said = lab.run(git.root, "promote", "m0", "1.1.0", "--to", "staging", "--commit", "--format", "json")[1]
    section = PAGE.read_text().partition("## For programs")[2].partition("Exit codes")[0]
    named = set(re.findall(r"`(\w+)`", section)) - {"rollback", "hold", "retire", "prune"}
    assert set(json.loads(said)) - {"format"} == named
