"""Places: every node of a document is found again where it stands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelspec.tree.data import Data, at, spelled
from modelspec.tree.digest import spec_digest
from modelspec.tree.document import Document, line_of, written
from modelspec.tree.locate import locate
from modelspec.tree.place import Mark, Place, Route, dotted, pointer
from modelspec.tree.yaml import read

ROOT = Path(__file__).parents[2]
SOURCE = b"""\
# head
a: 1
b:
  c: [x, {d: "y"}, []]
  'e f':
    - g: h
      i:
    - j
k: >-
  folded
  text
"""


@pytest.mark.parametrize(
    ("route", "line", "column", "end"),
    [
        (("a",), 2, 4, 5),
        # A list or a map inside a map is marked at its key.
        (("b",), 3, 1, 2),
        (("b", "c"), 4, 3, 4),
        (("b", "c", 0), 4, 7, 8),
        (("b", "c", 1), 4, 10, 11),
        (("b", "c", 1, "d"), 4, 14, 17),
        (("b", "c", 2), 4, 20, 21),
        (("b", "e f"), 5, 3, 8),
        (("b", "e f", 0, "g"), 6, 10, 11),
        (("b", "e f", 0, "i"), 7, 9, 10),
        (("b", "e f", 1), 8, 7, 8),
        (("k",), 9, 4, 5),
        # What is not there is marked at its nearest ancestor.
        (("b", "none"), 3, 1, 2),
        (("b", "c", 9), 4, 3, 4),
        (("b", "c", "d"), 4, 3, 4),
        (("a", "deeper", 0), 2, 4, 5),
        (("none",), 2, 1, 2),
        ((), 2, 1, 2),
    ],
)
def test_a_node_stands_where_it_is_written(route: Route, line: int, column: int, end: int) -> None:
    assert locate(SOURCE, route) == Mark(line, column, end)


def test_a_key_is_marked_when_it_is_meant() -> None:
    assert locate(SOURCE, ("a",), key=True) == Mark(2, 1, 2)
    assert locate(SOURCE, ("b", "c", 1, "d"), key=True) == Mark(4, 11, 12)
    assert locate(SOURCE, ("b", "e f", 0, "i"), key=True) == Mark(7, 7, 8)


def leaves(node: Data, route: Route = ()) -> list[tuple[Route, Data]]:
    if isinstance(node, dict):
        return [one for key, child in node.items() for one in leaves(child, (*route, key))]
    if isinstance(node, list):
        return [one for index, child in enumerate(node) for one in leaves(child, (*route, index))]
    return [(route, node)]


@pytest.mark.parametrize("path", sorted((ROOT / "registry").rglob("*.yaml")), ids=lambda path: path.name)
def test_every_leaf_of_the_example_is_found(path: Path) -> None:
    source = path.read_bytes()
    data, faults = read(source)
    assert not faults
    for route, value in leaves(data):
        shown = written(source, locate(source, route))
        if isinstance(value, str):
            assert shown.strip("'\"") == value or "\n" in value or shown in (">", "|")
        else:
            assert json.loads(shown) == value
        name = next(part for part in reversed(route) if isinstance(part, str))
        above = route[: len(route) - route[::-1].index(name)]
        assert written(source, locate(source, above, key=True)) == name


texts = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=6)
data = st.recursive(
    st.integers(-99, 99) | st.booleans() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(texts, data, min_size=1, max_size=4), st.sampled_from([None, 1, 2]))
def test_every_leaf_of_any_document_is_found(value: dict[str, Any], indent: int | None) -> None:
    source = json.dumps(value, ensure_ascii=False, indent=indent).encode()
    found, faults = read(source)
    if faults:
        return
    assert found == value
    document = Document("a.yaml", source, found)
    for route, leaf in leaves(found):
        if leaf == found:
            continue
        assert json.loads(written(source, document.mark(route))) == leaf
        assert document.value(route) == leaf


@pytest.mark.parametrize(
    "source", [b"", b"\xff", b"a: [", b"a: &x 1\nb: *x\n", b"- a\n- b\n", b"a: 1\n---\nb: 2\n"]
)
def test_a_text_that_is_no_document_gives_the_best_place_before_the_trouble(source: bytes) -> None:
    for route in ((), ("a",), ("b",), (0,), (7,), ("a", "b", 1)):
        mark = locate(source, route)
        assert 1 <= mark.line <= 3 and 1 <= mark.column < mark.end


def test_a_document_knows_its_data_its_places_and_its_digest() -> None:
    value, faults = read(SOURCE)
    assert not faults
    document = Document("a.yaml", SOURCE, value)
    assert document.digest == document.digest == spec_digest(value)
    assert document.value(("b", "c", 1)) == {"d": "y"}
    assert document.value(("b", "c", -1)) is None
    assert document.value(("b", 0)) is document.value(("a", "x")) is None
    assert document.mark(("a",), key=True) == Mark(2, 1, 2)


def test_lines_and_what_a_mark_covers() -> None:
    assert line_of(b"a\nb\xff\n", 2) == "b\ufffd"
    assert line_of(b"a\n", 2) == line_of(b"a\n", 3) == line_of(b"a\n", 0) == ""
    assert written("é: ü\n".encode(), Mark(1, 4, 5)) == "ü"


def test_routes_as_pointers_and_as_people_write_them() -> None:
    route: Route = ("a/b", "c~d", 0, "e")
    assert pointer(route) == "/a~1b/c~0d/0/e"
    assert pointer(()) == ""
    assert dotted(("artifact", "files", 0, "path")) == "artifact.files[0].path"
    assert dotted((0, "a")) == "[0].a"
    assert dotted(()) == ""
    assert Place("p", ("a",)) == Place("p", ("a",)) != Place("p", ("a",), key=True)


def test_a_scalar_is_spelled_and_nothing_else_is() -> None:
    assert [spelled(one) for one in (True, False, 1, 2.5, "x", None, [], {})] == [
        "true", "false", "1", "2.5", "x", "", "", "",
    ]  # fmt: skip
    assert at({"a": [1]}, ()) == {"a": [1]}
