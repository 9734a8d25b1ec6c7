"""What the command line's texts stand for: nothing is rounded and nothing is guessed."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelspec.cli.given import loose, mapping, number, texts_noted, typed, written


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", 1), ("-5", -5), ("1.1", 1.1), ("1.0", 1.0), ("1e-05", 1e-05), ("1e+16", 1e16), ("true", True), ("9007199254740991", 2**53 - 1)],
)  # fmt: skip
def test_what_gives_its_text_again_is_a_number_or_a_truth_value(text: str, value: object) -> None:
    for reads in (written, typed, loose):
        assert reads(text) == value and type(reads(text)) is type(value)


@pytest.mark.parametrize(
    "text",
    ["", "~", "None", "True", "yes", "no", "on", "007", "0x10", "1_000", "12:30", "2026-11-30", "nan", "inf", ".inf", "Infinity",
     "1e400", "1e-400", "9007199254740993", "12345678901234567890", "9" * 10_000, "1.2.3", "1,5", " 1", "\u0661"],
)  # fmt: skip
def test_what_only_looks_like_one_stays_a_text(text: str) -> None:
    assert (written(text), typed(text), loose(text)) == (text, text, text)


@pytest.mark.parametrize(
    ("text", "value"), [("1.10", 1.1), ("0.50", 0.5), ("-0", 0), ("+5", 5), (".5", 0.5), ("5.", 5.0), ("1.50e3", 1500.0), ("0.1000000000000000055", 0.1)]
)  # fmt: skip
def test_another_spelling_of_a_number_is_one_only_where_a_number_is_due(text: str, value: float) -> None:
    assert (written(text), typed(text)) == (text, text)
    assert loose(text) == number(text, "--metric") == value


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-3", 0.001), ("5e-5", 5e-5), ("1E6", 1e6), ("-2.5e+10", -2.5e10), ("12e4", 120000.0)],
)
def test_an_exponent_is_a_number_for_people_and_a_text_for_machines(text: str, value: float) -> None:
    assert (written(text), typed(text), loose(text)) == (text, value, value)


def test_digits_that_no_double_holds_are_not_dropped() -> None:
    assert typed("1.23456789012345678e-3") == "1.23456789012345678e-3"


@given(
    st.one_of(
        st.integers(-(2**53) + 1, 2**53 - 1),
        st.floats(allow_nan=False, allow_infinity=False),
        st.booleans(),
        st.text(),
    )
)
def test_what_is_recorded_gives_the_text_again(value: object) -> None:
    for text in (str(value), repr(value)):
        found = written(text)
        assert (str(found).lower() if isinstance(found, bool) else str(found)) == text


def test_null_is_none_where_it_is_typed() -> None:
    assert (typed("null"), loose("null"), written("null")) == (None, None, "null")


def test_a_text_that_looks_like_something_else_is_said() -> None:
    values = {key: typed(key) for key in ("1.10", "yes", "0x10", "007", "2026-11-30", "1.1", "1e-3", "word")}
    assert texts_noted(values) == [
        f"{key} is recorded as the text {key}; where {meant} is meant, write that"
        for key, meant in (("1.10", "1.1"), ("yes", "true"), ("0x10", "16"))
    ]


def test_what_a_file_may_not_have_is_said_with_its_fix(tmp_path: Path) -> None:
    file = tmp_path / "params.yaml"
    file.write_text("rounds: 5\nrate: 1e-3\n")
    with pytest.raises(click.UsageError, match=r"params.yaml:2: .* write 0.001"):
        mapping(file, "--params")
