"""Laws of the writers: what they write reads back as the same data, and what does not fit is refused."""

from __future__ import annotations

import json
import tomllib

import pytest
import yaml as pyyaml
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from modelspec.tree.data import Data
from modelspec.tree.serialise import FORMATS, Unfit, serialise
from modelspec.tree.yaml import MAX_NODES, read

TRICKY = [
    "no", "On", "y", "NULL", "~", "", "true", "1e3", "1e-3", "0o17", "0x1f", "0b1", "012", "0123456",
    "1_000", "1:30", "190:20:30", ".5", "5.", "+1", "-1", "-", "--", "---", "...", "? a", "- a", ": a",
    "a: b", "a:", "a #b", "#", "!tag", "&anchor", "*alias", "{", "}", "[a", "a]", ",", "|", ">", "'",
    "\"", "%", "@", "`", "\\", "\\n", " a", "a ", "a\nb", "\n", "a\n", "2026-01-01",
    "2026-01-01T00:00:00Z", ".inf", "-.INF", ".nan", "<<", "=", "é", "日本", "😀", "sha256:" + "0" * 64,
    "s3://bucket/key", "a\tb", "'\t'", "0.1", "9007199254740993", "a: ", "key:value", "x::y",
    "modelspec/v1", "2.3.0", "1.10",
]  # fmt: skip

texts = st.one_of(st.sampled_from(TRICKY), st.text(max_size=12))
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53) + 1, 2**53 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    texts,
)
documents = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=20,
)


def same(one: Data, two: Data) -> bool:
    """Equal in value, in type and in the order of keys."""
    if type(one) is not type(two):
        return False
    if isinstance(one, dict) and isinstance(two, dict):
        return list(one) == list(two) and all(same(one[key], two[key]) for key in one)
    if isinstance(one, list) and isinstance(two, list):
        return len(one) == len(two) and all(map(same, one, two))
    return repr(one) == repr(two)


@settings(max_examples=300)
@given(documents)
def test_yaml_reads_back_as_it_was(data: Data) -> None:
    written = serialise(data, "yaml")
    if isinstance(written, Unfit):
        return
    assert written.endswith(b"\n")
    found, faults = read(written)
    assert faults == []
    assert same(found, data)


@pytest.mark.parametrize("text", TRICKY)
def test_other_readers_of_yaml_agree_on_every_tricky_text(text: str) -> None:
    data: Data = {"value": text, text: [text, {text: text}]}
    written = serialise(data, "yaml")
    if "\t" in text and "\n" in text:
        assert isinstance(written, Unfit)
        return
    assert isinstance(written, bytes)
    assert pyyaml.safe_load(written) == data
    assert YAML(typ="safe", pure=True).load(written.decode()) == data
    assert read(written) == (data, [])


@settings(max_examples=200)
@given(documents)
def test_yaml_can_hold_every_text_that_the_reader_accepts(data: Data) -> None:
    written = serialise(data, "yaml")
    if isinstance(written, Unfit):
        assert "invisible" in written.message or "tab" in written.message


def test_yaml_is_block_style_and_quotes_what_readers_dispute() -> None:
    data: Data = {
        "a": {"b": [1, {"c": "no", "d": []}, [2, 3]], "e": {}},
        "f": 1e-7,
        "g": 1e22,
        "version": "2.3.0",
        "text": "two words",
        "nothing": None,
        "yes": True,
        "long": "word " * 40 + "end",
    }
    assert serialise(data, "yaml") == (
        b'a:\n  b:\n    - 1\n    - c: "no"\n      d: []\n    -\x20- 2\n      - 3\n  e: {}\n'
        b'f: 1.0e-07\ng: 1.0e+22\nversion: "2.3.0"\ntext: two words\nnothing: null\n"yes": true\n'
        b"long: " + b"word " * 40 + b"end\n"
    )


@given(documents)
def test_json_reads_back_as_it_was(data: Data) -> None:
    written = serialise(data, "json")
    assert isinstance(written, bytes)
    assert same(json.loads(written), data)


@settings(max_examples=300)
@given(st.dictionaries(texts, documents, max_size=5))
def test_toml_reads_back_as_it_was(data: dict[str, Data]) -> None:
    written = serialise(data, "toml")
    if isinstance(written, Unfit):
        assert "null" in written.message
        return
    assert tomllib.loads(written.decode()) == data


def test_toml_writes_values_before_tables() -> None:
    data: Data = {
        "t": {"x": 1, "u": {"y": "z"}},
        "rows": [{"a": 1}, {"a": 2}],
        "v": True,
        "odd key": [{"q": 1}, 2],
    }
    assert serialise(data, "toml") == (
        b'v = true\n"odd key" = [{q = 1}, 2]\n\n[t]\nx = 1\n\n[t.u]\ny = "z"\n'
        b"\n[[rows]]\na = 1\n\n[[rows]]\na = 2\n"
    )


def test_env_writes_one_line_a_variable() -> None:
    data: Data = {"MODEL": "eta", "THREADS": 1, "DEBUG": False, "RATE": 0.5, "NAME": "two words", "EMPTY": ""}
    assert serialise(data, "env") == b"MODEL=eta\nTHREADS=1\nDEBUG=false\nRATE=0.5\nNAME=two words\nEMPTY=\n"


@pytest.mark.parametrize(
    "data",
    [
        {"A": "one\ntwo"}, {"A": "one\rtwo"}, {"A": "$HOME"}, {"A": "`id`"}, {"A": '"x"'}, {"A": "it's"},
        {"A": "a\\b"}, {"A": " a"}, {"A": "a "}, {"A": "a #b"}, {"A": "\0"}, {"A-B": "x"}, {"A=B": "x"},
        {"": "x"}, {"A\nB": "x"}, {"1A": "x"}, {"A": None}, {"A": []}, {"A": {"B": 1}}, [], "A=1",
    ],
)  # fmt: skip
def test_env_refuses_what_its_readers_take_differently(data: Data) -> None:
    assert isinstance(serialise(data, "env"), Unfit)


def test_textproto_writes_messages_repeated_fields_and_enums() -> None:
    data: Data = {
        "name": 'e"t\\a\n\x01é',
        "max_batch_size": 8,
        "input": [
            {"name": "features", "data_type": {"$enum": "TYPE_FP32"}, "dims": [-1, 4]},
            {"name": "b", "optional": True},
        ],
        "parameters": {"key": "stamp", "value": {"string_value": "sha256-00"}},
        "none": [],
    }
    assert (
        serialise(data, "textproto")
        == (
            'name: "e\\"t\\\\a\\n\\001é"\nmax_batch_size: 8\n'
            'input {\n  name: "features"\n  data_type: TYPE_FP32\n  dims: -1\n  dims: 4\n}\n'
            'input {\n  name: "b"\n  optional: true\n}\n'
            'parameters {\n  key: "stamp"\n  value {\n    string_value: "sha256-00"\n  }\n}\n'
        ).encode()
    )


@pytest.mark.parametrize(
    "data",
    [
        {"a": None}, {"a": [[1]]}, {"a b": 1}, {"a": {"$enum": "X Y"}}, {"a": {"$enum": 1}},
        {"a": {"$enum": "X", "b": 1}}, [], 1,
    ],
)  # fmt: skip
def test_textproto_refuses_what_a_message_cannot_hold(data: Data) -> None:
    assert isinstance(serialise(data, "textproto"), Unfit)


def _deep(depth: int) -> Data:
    data: Data = 1
    for _ in range(depth):
        data = {"a": data}
    return data


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    "data",
    [
        {"a": float("nan")}, {"a": float("inf")}, {"a": 2**53}, {"a": "\ud800"}, {"\udfff": 1}, _deep(33),
        {"a": list(range(MAX_NODES))},
    ],
    ids=["nan", "inf", "large", "surrogate", "surrogate-key", "deep", "many"],
)  # fmt: skip
def test_no_format_holds_what_has_no_canonical_form(data: Data, form: str) -> None:
    unfit = serialise(data, form)  # type: ignore[arg-type]
    assert isinstance(unfit, Unfit)
    unfit.message.encode()


@pytest.mark.parametrize("text", ["a\x00", "a\r", "\u200b", "\u202e", "\ufeff", "a\tb\nc", "x" * 65_537])
def test_yaml_refuses_texts_that_the_reader_would_refuse(text: str) -> None:
    for data in ({"a": [text]}, {text: 1}):
        unfit = serialise(data, "yaml")
        assert isinstance(unfit, Unfit)
        assert unfit.route


def test_yaml_holds_the_deepest_data_that_the_reader_takes() -> None:
    written = serialise(_deep(32), "yaml")
    assert isinstance(written, bytes)
    assert read(written) == (_deep(32), [])
