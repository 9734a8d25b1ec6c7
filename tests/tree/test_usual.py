"""The quick reader of the usual layout never accepts what the walk refuses, nor reads it differently."""

from __future__ import annotations

import re
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from modelspec.tree import usual as module
from modelspec.tree import yaml
from modelspec.tree.data import Data
from modelspec.tree.finding import Fault
from modelspec.tree.usual import usual

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "registry").rglob("*.yaml")) + sorted((ROOT / "templates").glob("*/target.yaml"))
SOURCES = [file.read_bytes() for file in FILES]


def walked(source: bytes) -> tuple[Data, list[Fault]]:
    """Read by the walk over events alone."""
    with patch.object(yaml, "usual", lambda _: None):
        return yaml.read(source)


def agrees(source: bytes) -> bool:
    """Compare the two readers; return whether the quick one read the text."""
    quick = usual(source)
    if quick is not None:
        data, faults = walked(source)
        assert not faults
        # As text, since True equals 1 and 1 equals 1.0.
        assert repr(quick) == repr(data)
    return quick is not None


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_the_files_of_the_example_are_read_quickly(file: Path) -> None:
    assert agrees(file.read_bytes())


@pytest.mark.parametrize(
    "source",
    [
        "a: 1\n",
        "a: 1",
        "# first\na: 1 # why\n\n  # between\nb: [] # none\nc: {} # none\nd:  # below\n  e: f\n",
        "a: {b: [1, {c: -2.5}], d: []}\ne: [[], {}, [x]]\n",
        "a:\n    - b: 1\n      c:\n        - d\n    - e: {f: g}\nh: i\n",
        "a: it's, so (they) say; really? yes!\nb: https://x.example:8080/y\n",
        'a: "x: y # z, ]"\nb: \'say "no"\'\nc: {d: "}", e: \'[,\'}\n',
        "a:\n  b:\n    c: 1\nd: -1\n",
    ],
)
def test_usual_layouts_are_read_quickly(source: str) -> None:
    assert agrees(source.encode())


@pytest.mark.parametrize(
    "source",
    [
        "", "\n", "# nothing\n", "a", "- a\n", "a:\n", "a:\nb: 1\n", "a: null\n", "a: ~\n", "{a: 1}\n",
        "a: 1\na: 2\n", "a: {b: 1, b: 2}\n", "a: 1\n b: 2\n", "a:\n  b: 1\n c: 2\n", " a: 1\nb: 2\n",
        "a:\n- b\n", "a:\n  - b\n  c: d\n", "a:\n  b: c\n  - d\n", "a: b\n  c\n", "a: |\n  b\n",
        "a: >\n  b\n", "a: &x 1\n", "a: *x\n", "a: !!str 1\n", "a: b: c\n", "a: b:\n", "a:b\n", "a: yes\n", "yes: 1\n",
        "null: 1\n", "a: {no: 1}\n", "a: 012\n", "a: 1_0\n", "a: 1:30\n", "a: 1e-3\n", "a: 2026-10-01\n",
        "a: [b\n  , c]\n", "a: [b, ]\n", "a: [, b]\n", "a: [b c\n", "a: [b]]\n", "a: [b}\n", "a: {b: 1]\n",
        "a: [b: 1]\n", "a: {b}\n", "a: {b: }\n", "a: [b] c\n", "a: [b], c\n", "a: [b]# c\n", "a: \"b\" c\n",
        "a: \"b\\n\"\n", "a: 'b''c'\n", "a: 'b\n", "a: b #c\n d\n", "a:\tb\n", "a: b\t\n", "a: b\r\n",
        "a: é\n", "a: \x7f\n", "---\na: 1\n", "a: 1\n...\n", "%YAML 1.2\n---\na: 1\n", "a: 1\n---\nb: 1\n",
        "? a\n: b\n", "a: @b\n", "a: `b\n", "a: - b\n", "a: ? b\n", "- - a\n", "a:\n  - - b\n",
        "<<: {a: 1}\n", "a: [\"b\" c]\n", "a: [[b] c]\n", "a: {b: {c: 1} d: 2}\n", "a: [b,c\n",
        f"a: {'[' * 40}{']' * 40}\n", f"{'k' * 1100}: 1\n", f"a: {'b' * 70_000}\n",
        "".join(f"{'  ' * depth}a:\n" for depth in range(40)) + "  " * 40 + "b: 1\n",
    ],
)  # fmt: skip
def test_what_is_unusual_is_left_to_the_walk(source: str) -> None:
    assert usual(source.encode()) is None


edits = st.lists(
    st.tuples(
        st.integers(0, 4000), st.integers(0, 3), st.text(" \n\t-:,#[]{}\"'&*!|>?%@`~\\a0.ny=<_é", max_size=4)
    ),
    min_size=1,
    max_size=4,
)


@given(st.sampled_from(SOURCES), edits)
def test_a_damaged_file_is_read_alike(source: bytes, changes: list[tuple[int, int, str]]) -> None:
    for at, cut, put in changes:
        where = at % (len(source) + 1)
        source = source[:where] + put.encode() + source[where + cut :]
    agrees(source)


tokens = st.sampled_from(
    ["a", "b", "yes", "1", "1.0", "-1", "01", "- ", ": ", ":", ", ", ",", "[", "]", "{", "}", '"', "'", "\\",
     "\n", "\n  ", "\n    ", " ", "#", " # ", "~", "null", "&x", "*x", "!", "|", ">", "?", "%", "@", "<<",
     "."]
)  # fmt: skip


@given(st.lists(tokens, max_size=24).map("".join))
@example("a: [b,c]\n")
@example("a: -\n")
def test_any_text_is_read_alike(source: str) -> None:
    agrees(source.encode())


plain_lines = st.from_regex(
    re.compile(r"[a-c]: [a-z0-9:,'()\[\]{}#. -]{0,12}\n([ ]{0,4}(- )?[a-c]: ?[0-9a-z:,#. -]{0,8}\n){0,3}"),
    fullmatch=True,
)


@given(plain_lines)
def test_lines_of_keys_are_read_alike(source: str) -> None:
    agrees(source.encode())


def test_documents_share_no_collection() -> None:
    """A line is remembered with its value: each document gets a copy of it."""
    source = b"a: {b: [1, {c: 2}]}\n"
    one, two = usual(source), usual(source)
    assert one == two
    assert one is not None and two is not None
    inner, other = one["a"], two["a"]
    assert isinstance(inner, dict) and isinstance(other, dict)
    assert inner is not other and inner["b"] is not other["b"]
    assert isinstance(inner["b"], list) and isinstance(other["b"], list)
    assert inner["b"][1] is not other["b"][1]


def test_what_is_remembered_is_bounded() -> None:
    for number in range(10_000):
        usual(b"a: %d\n" % number)
    assert module._line.cache_info().currsize <= 8192
