"""CSV samples: types as pandas takes them, what was observed and what was not, and files that are none."""

from __future__ import annotations

import io
from typing import Any

import pytest

from modelspec.formats.foreign import Imported, Unreadable
from modelspec.formats.sample import MAX_ROWS, from_csv


def sample(text: str | bytes) -> Imported:
    return from_csv(io.BytesIO(text.encode() if isinstance(text, str) else text))


def column(*values: str) -> dict[str, Any]:
    (field,) = sample("x,y\n" + "".join(f"{value},\n" for value in values)).fields
    return field


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (("1", "-2", "3"), {"dtype": "int64", "range": [-2, 3], "origin": "observed"}),
        (("1", "2.5"), {"dtype": "float64", "range": [1, 2.5], "origin": "observed"}),
        (("1e3", ".5"), {"dtype": "float64", "range": [0.5, 1000], "origin": "observed"}),
        (("1", "NA", ""), {"dtype": "int64", "range": [1, 1], "origin": "observed", "nullable": True}),
        (("007", "012"), {"dtype": "string"}),
        (("True", "false"), {"dtype": "bool"}),
        (("1", "a"), {"dtype": "string"}),
        (("2026-01-01",), {"dtype": "date"}),
        (("2026-01-01T10:00:00Z",), {"dtype": "timestamp", "tz": "UTC"}),
        (("2026-01-01 10:00",), {"dtype": "timestamp"}),
        (("2026-01-01 10:00+02:00", "2026-01-01 10:00Z"), {"dtype": "timestamp"}),
        (("a", "b", "a", "b"), {"dtype": "string", "categories": ["a", "b"], "origin": "observed"}),
        (("99999999999999999999",), {"dtype": "float64", "range": [1e20, 1e20], "origin": "observed"}),
        (("9007199254740993",), {"dtype": "int64"}),
        (("1e999",), {"dtype": "float64"}),
    ],
)
def test_columns(values: tuple[str, ...], wanted: dict[str, Any]) -> None:
    assert column(*values) == {"name": "x", **wanted}


@pytest.mark.parametrize("sign", [",", ";", "\t", "|"])
def test_delimiters_and_quotes(sign: str) -> None:
    found = sample(f'a{sign}"b c"\n1{sign}"x{sign}y"\n2{sign}"q ""z"""\n')
    assert [field["name"] for field in found.fields] == ["a", "b_c"]


def test_a_byte_order_mark_and_carriage_returns_are_taken() -> None:
    (field,) = sample(b"\xef\xbb\xbfx\r\n1\r\n2\r\n").fields
    assert field["range"] == [1, 2]


def test_only_the_first_rows_count_and_that_is_said() -> None:
    found = sample("x\n" + "1\n" * MAX_ROWS + "999\n")
    assert found.fields[0]["range"] == [1, 1]
    assert any("the first 100,000 rows" in note.message for note in found.notes)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no header"),
        ("\n\n\n", "no header"),
        ("a,b\n", "no rows"),
        ("a,a\n1,2\n", "stands there twice"),
        ("a,b\n1\n", "row 2 has 1 values"),
        ("a,b\n1,2,3\n", "row 2 has 3 values"),
        (b"a,b\n1,\xff\n", "line 2: byte 0xff"),
        ("a,b\n1,\0\n", "NUL"),
        ('a,b\n"1,2\n', "no CSV"),
        ("a,b\n" + "x" * 200_000 + ",1\n", "no CSV"),
        ("x" * 5_000_000, "no CSV"),
        (",".join(f"c{n}" for n in range(5_001)) + "\n", "the limit is 5,000"),
        ("a,b\n,\n,NA\n", "no field"),
    ],
)
def test_what_is_wrong_is_said(text: str | bytes, told: str) -> None:
    with pytest.raises(Unreadable, match=told):
        sample(text)
