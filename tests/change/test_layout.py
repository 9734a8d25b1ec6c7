"""Texts of a new file: quoted wherever any reader could take them for something else."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelspec.change import layout
from modelspec.change.layout import flow, laid_out
from modelspec.tree.yaml import read

PLAIN = st.from_regex(re.compile(layout._PLAIN.pattern, re.ASCII), fullmatch=True)


@given(PLAIN)
def test_what_is_taken_for_plain_without_asking_reads_as_itself(text: str) -> None:
    assert flow(text) == text
    assert read(f"[{text}]\n".encode()) == ([text], [])


@pytest.mark.parametrize("text", ["1/2", "00/0001.bin", "a/b", "sha256:" + "0" * 64, "2026-01-01/x", "0x1/0"])
def test_a_path_and_a_digest_need_no_quotes(text: str) -> None:
    assert flow(text) == text


@pytest.mark.parametrize("text", ["1.10", "no", "012", "1:30", "2026-01-01", "1e3", ".inf", "~", "a: b", ""])
def test_what_a_reader_could_take_for_something_else_is_quoted(text: str) -> None:
    assert flow(text) != text
    assert read(f"[{flow(text)}]\n".encode()) == ([text], [])


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("a\u202eb", "has the invisible character"),
        ("a" * 70_000, "has 70,000 characters"),
        (float("inf"), "is no finite number"),
        ("\udc80", "has half a surrogate pair"),
    ],
)
def test_what_no_file_can_hold_is_said_with_its_place(value: str | float, said: str) -> None:
    with pytest.raises(ValueError, match=rf"config\.hyperparameters\.rate {said}"):
        laid_out({"config": {"hyperparameters": {"rate": value}, "thresholds": []}})
