"""The strict reader beside another one: where both accept a document, they read the same values.

ruamel.yaml reads YAML 1.2 and shares no code with the walk. Floats are compared by their bits, texts as they
are, and so is the order of keys.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from modelspec.tree.data import Data
from modelspec.tree.yaml import read

ROOT = Path(__file__).parents[2]
OTHER = YAML(typ="safe", pure=True)


def other(source: str) -> Any:
    """Read with ruamel.yaml; raises what it raises."""
    found = list(OTHER.load_all(source))
    if len(found) != 1:
        raise YAMLError("not one document")
    return found[0]


def same(mine: Data, theirs: Any) -> bool:
    """Whether two values are equal in type, value and order."""
    if isinstance(mine, dict):
        return (
            isinstance(theirs, dict)
            and list(mine) == list(theirs)
            and all(same(mine[key], theirs[key]) for key in mine)
        )
    if isinstance(mine, list):
        return isinstance(theirs, list) and len(mine) == len(theirs) and all(map(same, mine, theirs))
    return type(mine) is type(theirs) and repr(mine) == repr(theirs)


def agree(source: str) -> bool:
    """Compare the two readers; return whether both accepted."""
    mine, faults = read(source.encode())
    if faults:
        return False
    try:
        theirs = other(source)
    except (YAMLError, ValueError):
        # It refuses a tab before a line's end, among others that YAML allows.
        return False
    assert same(mine, theirs), f"{source!r}: {mine!r} here, {theirs!r} there"
    return True


@pytest.mark.parametrize(
    "path",
    sorted(
        path.relative_to(ROOT).as_posix()
        for one in ("registry", "templates")
        for path in (ROOT / one).rglob("*.yaml")
    ),
)
def test_the_example_is_read_alike(path: str) -> None:
    assert agree((ROOT / path).read_text(encoding="utf-8"))


words = st.text(st.sampled_from("aAeoxnyNYtTfF0123456789.+-_:~<=>*&!%@#?|/ \"'"), min_size=1, max_size=9)


@given(words)
@settings(max_examples=600)
@example("012")
@example("1_000")
@example("1:30")
@example("1e3")
@example("1.0e+3")
@example("-0")
@example("-0.0")
@example("0x1f")
@example(".5")
@example("5.")
@example("no")
@example("=")
@example("2026-01-01")
@example("a: b")
@example("a #b")
def test_a_scalar_is_read_alike(text: str) -> None:
    agree(f"key: {text}\n")
    agree(f"- {text}\n")
    agree(f"[{text}]\n")


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53) + 1, 2**53 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=12),
)
data = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(min_size=1, max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(data, st.booleans(), st.integers(2, 6), st.sampled_from([20, 80, 10_000]))
@settings(max_examples=200)
def test_what_another_writer_writes_is_read_alike(value: Any, flow: bool, indent: int, width: int) -> None:
    import io

    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style, writer.allow_unicode, writer.width = flow, True, width
    writer.indent = indent
    out = io.StringIO()
    writer.dump(value, out)
    agree(out.getvalue())


@given(data)
@settings(max_examples=200)
def test_json_is_yaml_that_both_read_alike(value: Any) -> None:
    source = json.dumps(value, ensure_ascii=False)
    if agree(source):
        assert same(read(source.encode())[0], value)


lines = st.lists(
    st.tuples(
        st.sampled_from(["", "  ", "    ", " "]),
        st.sampled_from(["", "- ", "- - ", "? ", ": "]),
        st.sampled_from(["", "a: ", "b: ", "'c': ", "a:", "d:"]),
        st.sampled_from(
            [
                "", "x", "x y", "1", "1.5", "true", "null", "~", "'q'", '"q"', '"\\n"', "[1, a]", "{e: 1, f: [g]}",
                "[a,\n  b]", "|\n    text\n", ">-\n    folded\n    text\n", "# comment", "x # comment", "x#y", "-x",
                "x: y", "x:y", "[", "]", "{a}", "[a: b]", "\t", "x\n      goes on",
            ]
        ),
    ),
    min_size=1,
    max_size=6,
)  # fmt: skip


@given(lines)
@settings(max_examples=600)
def test_any_layout_is_read_alike(parts: list[tuple[str, ...]]) -> None:
    agree("".join("".join(part) + "\n" for part in parts))


def test_the_comparison_is_one() -> None:
    """Both accept what people write and what writers write, and a difference would be seen."""
    assert agree("a: [1, 2.5, true, null, x]\nb: {c: 'd'}\n")
    assert not agree("a: no\n")
    assert not same(1, 1.0) and not same(True, 1) and not same(0.0, -0.0)
    assert not same({"a": 1, "b": 2}, {"b": 2, "a": 1})
