"""What the command line's texts stand for: nothing is rounded and nothing is guessed."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from modelspec.cli.given import mapping, typed


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", 1), ("-5", -5), ("1e-3", 0.001), ("true", True), ("null", None), ("", ""), ("007", "007"), ("nan", "nan"), ("1e400", "1e400"), ("9007199254740991", 2**53 - 1), ("9007199254740993", "9007199254740993"), ("12345678901234567890", "12345678901234567890"), ("9" * 10_000, "9" * 10_000)],
)  # fmt: skip
def test_a_value_is_what_its_text_says(text: str, value: object) -> None:
    assert typed(text) == value and type(typed(text)) is type(value)


def test_what_a_file_may_not_have_is_said_with_its_fix(tmp_path: Path) -> None:
    file = tmp_path / "params.yaml"
    file.write_text("rounds: 5\nrate: 1e-3\n")
    with pytest.raises(click.UsageError, match=r"params.yaml:2: .* write 0.001"):
        mapping(file, "--params")
