"""Plain scalars: what they are typed as, and which are refused because readers disagree."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelspec.tree.scalars import MAX_INTEGER, Ambiguous, plain


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None), ("~", None), ("null", None), ("true", True), ("false", False),
        ("0", 0), ("-0", 0), ("7", 7), ("-12", -12), (str(MAX_INTEGER), MAX_INTEGER), (str(-MAX_INTEGER), -MAX_INTEGER),
        ("1.5", 1.5), ("-0.0", -0.0), ("1.10", 1.1), ("1.0e+3", 1000.0), ("1.5E-3", 0.0015),
        ("a", "a"), ("1.2.3", "1.2.3"), ("2.3.1@sha256:aa", "2.3.1@sha256:aa"), ("-x", "-x"), ("--", "--"),
        ("+", "+"), ("-", "-"), (".", "."), ("..", ".."), ("1a", "1a"), ("24h", "24h"), ("2%", "2%"), ("0.1.0", "0.1.0"),
        ("nope", "nope"), ("yes!", "yes!"), ("nUll", "nUll"), ("tRUE", "tRUE"), ("inf", "inf"), ("1e", "1e"),
        ("2026-1", "2026-1"), ("1:2:x", "1:2:x"), ("0b", "0b"), ("0xg", "0xg"), ("1 2", "1 2"), ("١٢", "١٢"),
    ],
)  # fmt: skip
def test_a_plain_scalar_is_typed(text: str, value: Any) -> None:
    found = plain(text)
    assert repr(found) == repr(value)


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("yes", 'quote it ("yes"), or write true'),
        ("No", 'quote it ("No"), or write false'),
        ("ON", 'quote it ("ON"), or write true'),
        ("off", 'quote it ("off"), or write false'),
        ("y", 'quote it ("y"), or write true'),
        ("N", 'quote it ("N"), or write false'),
        ("True", 'quote it ("True"), or write true'),
        ("NULL", 'quote it ("NULL"), or write null'),
        ("012", 'quote it ("012")'),
        ("0o17", 'quote it ("0o17"), or write 15 for the number'),
        ("0x1F", 'quote it ("0x1F"), or write 31 for the number'),
        ("0b101", 'quote it ("0b101"), or write 5 for the number'),
        ("1_000", 'quote it ("1_000"), or write 1000 for the number'),
        ("+5", 'quote it ("+5"), or write 5 for the number'),
        (".5", 'quote it (".5"), or write 0.5 for the number'),
        ("5.", 'quote it ("5."), or write 5 for the number'),
        ("1e3", 'quote it ("1e3"), or write 1000 for the number'),
        ("1e-3", 'quote it ("1e-3"), or write 0.001 for the number'),
        ("1e-9", 'quote it ("1e-9"), or write 1.0e-09 for the number'),
        ("1.5e3", 'quote it ("1.5e3"), or write 1500 for the number'),
        ("1:30", 'quote it ("1:30")'),
        ("190:20:30.15", 'quote it ("190:20:30.15")'),
        ("2026-01-01", 'quote it ("2026-01-01")'),
        ("2026-01-01T00:00:00Z", 'quote it ("2026-01-01T00:00:00Z")'),
        ("2026-1-1 1:2:3", 'quote it ("2026-1-1 1:2:3")'),
        (".inf", 'quote it (".inf")'),
        ("-.INF", 'quote it ("-.INF")'),
        (".NaN", 'quote it (".NaN")'),
        ("=", 'quote it ("=")'),
        ("<<", "write the keys out, or quote it"),
        (str(MAX_INTEGER + 1), "quote it"),
        ("9" * 5000, "quote it"),
        ("1.0e+999", "quote it"),
        ("1.0e-999", "quote it"),
    ],
)
def test_what_readers_disagree_on_is_refused_with_what_to_write(text: str, fix: str) -> None:
    found = plain(text)
    assert isinstance(found, Ambiguous)
    assert found.fix == fix


@pytest.mark.parametrize("text", ["0o17", "0x1F", "1_000", "+5", ".5", "5.", "1e3", "1e-3", "1e-9", "1.5e3"])
def test_the_number_to_write_is_one_and_is_equal(text: str) -> None:
    found = plain(text)
    assert isinstance(found, Ambiguous)
    offered = found.fix.partition("or write ")[2].removesuffix(" for the number")
    number = plain(offered)
    assert isinstance(number, int | float)
    meant = int(text, 0) if text[1:2] in ("o", "x") else float(text)
    assert number == meant


@given(st.text(max_size=12))
def test_any_text_is_typed_or_refused_and_numbers_are_exact(text: str) -> None:
    found = plain(text)
    if isinstance(found, float):
        assert math.isfinite(found) and found == float(text)
    elif isinstance(found, int) and not isinstance(found, bool):
        assert str(found) == text or (found, text) == (0, "-0")
    elif isinstance(found, str):
        assert found == text
    else:
        assert found in (None, True, False) or isinstance(found, Ambiguous)
    assert plain(text) == found or isinstance(found, Ambiguous)
