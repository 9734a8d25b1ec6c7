"""Digests: RFC 8785's own examples, the reference implementation, and what coreutils prints."""

from __future__ import annotations

import hashlib
import json
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from hypothesis import example, given, settings
from hypothesis import strategies as st

from modelspec.tree.digest import (
    artifact_digest,
    canonical,
    is_digest,
    listing,
    sha256,
    short,
    spec_digest,
    stamp,
)
from modelspec.tree.yaml import read


def double(bits: str) -> float:
    """Return the double that has these bits, as in the table of RFC 8785's appendix B."""
    found: float = struct.unpack(">d", bytes.fromhex(bits))[0]
    return found


# Appendix B of RFC 8785: bits of a double -> its text.
NUMBERS = [
    ("0000000000000000", "0"),
    ("8000000000000000", "0"),
    ("0000000000000001", "5e-324"),
    ("8000000000000001", "-5e-324"),
    ("7fefffffffffffff", "1.7976931348623157e+308"),
    ("ffefffffffffffff", "-1.7976931348623157e+308"),
    ("4340000000000000", "9007199254740992"),
    ("c340000000000000", "-9007199254740992"),
    ("4430000000000000", "295147905179352830000"),
    ("44b52d02c7e14af5", "9.999999999999997e+22"),
    ("44b52d02c7e14af6", "1e+23"),
    ("44b52d02c7e14af7", "1.0000000000000001e+23"),
    ("444b1ae4d6e2ef4e", "999999999999999700000"),
    ("444b1ae4d6e2ef4f", "999999999999999900000"),
    ("444b1ae4d6e2ef50", "1e+21"),
    ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
    ("3eb0c6f7a0b5ed8d", "0.000001"),
    ("41b3de4355555553", "333333333.3333332"),
    ("41b3de4355555554", "333333333.33333325"),
    ("41b3de4355555555", "333333333.3333333"),
    ("41b3de4355555556", "333333333.3333334"),
    ("41b3de4355555557", "333333333.33333343"),
    ("becbf647612f3696", "-0.0000033333333333333333"),
    ("43143ff3c1cb0959", "1424953923781206.2"),
]


@pytest.mark.parametrize(("bits", "text"), NUMBERS)
def test_numbers_are_written_as_the_rfc_writes_them(bits: str, text: str) -> None:
    assert canonical(double(bits)) == text.encode()
    assert canonical({"a": [double(bits)]}) == f'{{"a":[{text}]}}'.encode()


def test_the_example_of_section_3_2_2_of_the_rfc() -> None:
    data = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"\u002f",
        "literals": [None, True, False],
    }
    assert canonical(data).decode() == (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )


def test_keys_are_sorted_by_utf_16_as_in_section_3_2_3() -> None:
    data = {
        "\u20ac": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "\U0001f600": "Emoji: Grinning Face",
        "\x80": "Control",
        "\u00f6": "Latin Small Letter O With Diaeresis",
    }
    assert list(json.loads(canonical(data)).values()) == [
        "Carriage Return",
        "One",
        "Control",
        "Latin Small Letter O With Diaeresis",
        "Euro Sign",
        "Emoji: Grinning Face",
        "Hebrew Letter Dalet With Dagesh",
    ]


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53) + 1, 2**53 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0.0, -0.0, 1e-5, 1e-4, 1e16, 9007199254740992.0, 9007199254740994.0, 120.0, 1e21, 1e22]),
    st.text(max_size=8),
)
data = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


@given(data)
@settings(max_examples=300)
@example({"b": 1, "a": 2, "é": 3})
@example({"\U0001f600": 1, "\ufb33": 2})
@example([0.0001, 0.00001, 123456789012345680.0])
def test_the_quick_way_writes_what_the_reference_writes(value: Any) -> None:
    assert canonical(value) == rfc8785.dumps(value)


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), 2**53, -(2**53), "\ud800", {"\ud800": 1}, {1: 2}]
)
def test_what_the_rfc_has_no_form_for_is_refused(value: Any) -> None:
    with pytest.raises((rfc8785.CanonicalizationError, ValueError)):
        canonical(value)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("a: 120\nb: x\n", "# note\nb:   'x'\na: 120.0\n"),
        ("a: {b: [1, 2]}\n", "a:\n  b:\n    - 1\n    - 2\n"),
        ("a: 'x y'\n", 'a: "x\\x20y"\n'),
        ("a: -0.0\n", "a: 0\n"),
    ],
)
def test_layout_comments_and_spelling_do_not_count(one: str, two: str) -> None:
    assert spec_digest(read(one.encode())[0]) == spec_digest(read(two.encode())[0])


@pytest.mark.parametrize(
    ("one", "two"),
    [("a: 1\n", "a: '1'\n"), ("a: true\n", "a: 'true'\n"), ("a: [1, 2]\n", "a: [2, 1]\n"), ("a: x\n", "a: x\nb:\n")],
)  # fmt: skip
def test_everything_else_counts(one: str, two: str) -> None:
    assert spec_digest(read(one.encode())[0]) != spec_digest(read(two.encode())[0])


def test_a_digest_is_what_sha256_of_the_canonical_json_is() -> None:
    wanted = hashlib.sha256(b'{"a":1,"b":[true,null,"x"]}').hexdigest()
    assert spec_digest({"b": [True, None, "x"], "a": 1.0}) == f"sha256:{wanted}"


@pytest.mark.parametrize(
    "text",
    ["", "sha256:", "sha256:" + "a" * 63, "sha256:" + "a" * 65, "sha256:" + "A" * 64, "sha256:" + "g" * 64,
     "sha256:" + "a" * 64 + "\n", " sha256:" + "a" * 64, "sha512:" + "a" * 64, "sha256-" + "a" * 64, "a" * 64,
     "sha256:" + "١" * 64],
)  # fmt: skip
def test_what_is_no_digest(text: str) -> None:
    assert not is_digest(text)


def test_forms_of_a_digest() -> None:
    digest = sha256(b"")
    assert digest == "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert is_digest(digest)
    assert stamp(digest) == digest.replace(":", "-")
    assert short(digest) == "sha256:e3b0c44298fc"


def test_the_listing_is_what_sha256sum_prints_sorted_by_bytes(tmp_path: Path) -> None:
    names = ["b", "a/b", "a.c", "Z", "é", "a b", "😀", "\ufb33"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    found = [(name, sha256(name.encode())) for name in names]
    ordered = sorted(names, key=lambda name: name.encode())
    assert ordered.index("\ufb33") < ordered.index("😀"), "UTF-16 has it the other way round"
    printed = subprocess.run(
        ["sha256sum", "--", *ordered], cwd=tmp_path, capture_output=True, check=True
    ).stdout
    assert listing(found) == listing(reversed(found)) == printed
    assert artifact_digest(found) == "sha256:" + hashlib.sha256(printed).hexdigest()


def test_no_files_have_a_digest_too() -> None:
    assert listing([]) == b""
    assert artifact_digest([]) == sha256(b"")
