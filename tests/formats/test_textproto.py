"""Protobuf's text format: what it may look like, against the real printer where it is installed, and limits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelspec.formats.foreign import Unreadable
from modelspec.formats.textproto import Message, read_textproto
from modelspec.formats.tfdv import from_tfdv


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", []),
        ("# only a comment", []),
        ("a: 1 b: -2.5e3, c: true; d: 'x'", [("a", "1"), ("b", "-2.5e3"), ("c", "true"), ("d", "x")]),
        ("a { b: 1 } a: < b: 2 >", [("a", [("b", "1")]), ("a", [("b", "2")])]),
        ('a: "x" "y"\n  \'z\'', [("a", "xyz")]),
        ("a: [1, 2] a: []", [("a", "1"), ("a", "2")]),
        (r'a: "\n\t\"\\\'\101\x41\u00e9\U0001F600\303\251"', [("a", "\n\t\"\\'AAé😀é")]),
        ("a: - 1", [("a", "-1")]),
        ("[com.example.ext] { b: inf }", [("[com.example.ext]", [("b", "inf")])]),
        ("a: 0x1F b: 1.5f", [("a", "0x1F"), ("b", "1.5f")]),
    ],
)
def test_forms(text: str, wanted: Message) -> None:
    assert read_textproto(text.encode()) == wanted


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a {", "} is missing"),
        ("a {\n\n b: 1 >", "line 3: > is no name"),
        ("}", "} is no name"),
        ("a:", "the end is no value"),
        ("a: {", "} is missing"),
        ('a: "x', "no protobuf text"),
        ('a: "\\377"', "no UTF-8"),
        ("a: [{ b: 1 }]", "one message a field"),
        ("[a", "] is missing"),
        ("a {" * 65 + "}" * 65, "nested deeper than 64"),
        ("a {" * 300_000, "nested deeper than 64"),
        ("a: 1 " * 200_000, "more than 500,000 tokens"),
        ("é", "no protobuf text"),
        ("a: 1" + " " * 9_000_000, "more than 8,388,608 bytes"),
    ],
)
def test_what_is_wrong_is_said(text: str, told: str) -> None:
    with pytest.raises(Unreadable, match=told):
        read_textproto(text.encode())


@given(st.text(max_size=60) | st.text(alphabet="a:{}<>[]\"'\\x1 \n,;-#.", max_size=60))
def test_any_text_gives_a_message_or_an_error(text: str) -> None:
    try:
        read_textproto(text.encode("utf-8", "replace"))
    except Unreadable as error:
        assert error.message


@given(st.text(st.characters(codec="utf-8"), max_size=40))
def test_the_real_printer_is_understood(text: str) -> None:
    text_format = pytest.importorskip("google.protobuf.text_format", reason="protobuf is not installed")
    from google.protobuf.struct_pb2 import Value

    printed = text_format.MessageToString(Value(string_value=text))
    assert read_textproto(printed.encode()) == [("string_value", text)]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("feature { }", "no field in it|which is not said"),
        ("string_domain { name: 'a' }", "no `feature"),
        ('feature { name: "x" type: BYTES domain: "none" }', "which is not there"),
        ('feature { name: "x" type: INT int_domain { min: zero } }', "is no number"),
        ('feature { name: "x" type: STRUCT }', "no field in it"),
        ("feature: 7", "no `feature"),
    ],
)
def test_what_is_wrong_with_a_schema_is_said(text: str, told: str) -> None:
    with pytest.raises(Unreadable, match=told):
        from_tfdv(text.encode())


def test_structs_in_structs_end() -> None:
    text = 'feature { name: "s" type: STRUCT struct_domain { ' * 20 + "} }" * 20
    with pytest.raises(Unreadable, match=r"deeper than 16|no field"):
        from_tfdv(text.encode())
