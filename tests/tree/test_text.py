"""The one escaper, and the judge of bytes as text."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from modelspec.tree.clean import UNSEEN, text_faults
from modelspec.tree.place import Mark
from modelspec.tree.snapshot import LIMIT
from modelspec.tree.text import did_you_mean, plural, suggestion, visible, visible_lines


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("ünïcödé 日本 😀", "ünïcödé 日本 😀"),
        ("a\tb\nc\rd", "a\\x09b\\x0ac\\x0dd"),
        ("\x1b[31mred\x9b", "\\x1b[31mred\\x9b"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
        ("a\u200bb\ufeff\u2028", "a\\u200bb\\ufeff\\u2028"),
        ("\U000e0041", "\\U000e0041"),
        ("\udcff", "\\udcff"),
        ("::error::x", "\\::error::x"),
        ("  ::set-env name=x::y", "  \\::set-env name=x::y"),
        ("##[command]x", "\\##[command]x"),
        ("a::b ##[x", "a::b ##[x"),
        ("", ""),
    ],
)
def test_untrusted_text_is_shown_on_one_line(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text(st.characters()), st.integers(1, 40))
@example("\n::x", 80)
@example("\u2028::x", 80)
def test_nothing_hidden_and_no_command_ever_comes_out(text: str, limit: int) -> None:
    for shown in (visible(text, limit), *visible_lines(text).split("\n")):
        assert not UNSEEN.search(shown)
        assert not re.search("[\t\n\r]", shown)
        assert not re.match(r"\s*(::|##\[)", shown)
        assert all(unicodedata.category(char) not in ("Cc", "Cs", "Zl", "Zp") for char in shown)
        shown.encode()
    assert visible_lines(text).count("\n") == text.count("\n")


def test_a_long_text_is_cut_where_it_is_said() -> None:
    assert visible("x" * 81) == "x" * 79 + "…"
    assert visible("x" * 80) == "x" * 80
    assert visible("abcdef", limit=3) == "ab…"
    assert visible_lines("x" * 500) == "x" * 500


def test_words_that_were_mistyped() -> None:
    known = ["check", "compile", "show"]
    assert suggestion("chekc", known) == "check"
    assert suggestion("zzz", known) is None
    assert did_you_mean("compil", known) == "did you mean compile?"
    assert did_you_mean("zzz", known) is None
    assert did_you_mean("a\u202eb", ["a\u202ebc"]) == "did you mean a\\u202ebc?"


def test_counts() -> None:
    assert [plural(count, "file") for count in (0, 1, 2, 1000)] == [
        "0 files",
        "1 file",
        "2 files",
        "1,000 files",
    ]


@pytest.mark.parametrize("source", [b"", b"a: b\n", b"a:\tb\n\n", "ä: 日本 😀\n".encode(), b"x" * LIMIT])
def test_clean_text(source: bytes) -> None:
    assert text_faults(source) == []


@pytest.mark.parametrize(
    ("source", "words", "fix", "mark"),
    [
        (b"x" * (LIMIT + 1), "1,048,577 bytes", "as several views", Mark(1, 1, 2)),
        (b"a\nb\xff", "byte 0xff is not UTF-8", "UTF-8", Mark(2, 2, 3)),
        ("ü\nüx\u200b".encode(), "(U+200B)", "remove it", Mark(2, 3, 4)),
        (b"a: 1\r\n", "carriage return", "LF", Mark(1, 5, 6)),
        (b"\xef\xbb\xbfa", "byte order mark", "without BOM", Mark(1, 1, 2)),
        (b"a\0", "NUL", "UTF-8", Mark(1, 2, 3)),
        (b"\xff\xfea\0", "UTF-16", "UTF-8", Mark(1, 1, 2)),
        (b"a\x7f", "(U+007F)", "remove it", Mark(1, 2, 3)),
    ],
)
def test_unclean_text_is_told_with_its_place_and_cure(
    source: bytes, words: str, fix: str, mark: Mark
) -> None:
    (fault,) = text_faults(source)
    assert fault.rule == "text-clean"
    assert words in fault.message
    assert fix in (fault.fix or "")
    assert fault.mark == mark


@given(st.text(st.characters(codec="utf-8"), max_size=20))
def test_a_text_is_clean_when_it_holds_nothing_unseen(text: str) -> None:
    assert (text_faults(text.encode()) == []) == (UNSEEN.search(text) is None)
