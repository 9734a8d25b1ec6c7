"""Edits touch the lines they mean, and nothing else."""

from __future__ import annotations

import pytest

from modelspec.change.edit import Unedited, set_key, set_scalar
from modelspec.spec.environment import PIN_KEYS
from modelspec.tree.yaml import read

PIN = b"""\
# Owned by routing.
apiVersion: modelspec/v1
kind: Pin
environment: production
model: eta

# How it is served.
serve:
  kserve: {replicas: {min: 2}}   # two at least
# The one that answers.
stable:
  version: 2.3.0@sha256:aa   # since June
"""


def diff(before: bytes, after: bytes | Unedited) -> tuple[list[str], list[str]]:
    assert isinstance(after, bytes), after
    old, new = before.decode().splitlines(), after.decode().splitlines()
    return [line for line in old if line not in new], [line for line in new if line not in old]


def test_a_scalar_is_one_line() -> None:
    after = set_scalar(PIN, ("stable", "version"), "2.3.1@sha256:bb")
    assert diff(PIN, after) == (
        ["  version: 2.3.0@sha256:aa   # since June"],
        ["  version: 2.3.1@sha256:bb   # since June"],
    )


def test_a_scalar_in_flow_style() -> None:
    source = b"stable: {version: 1@a, other: x}\n"
    assert set_scalar(source, ("stable", "version"), "2@b") == b"stable: {version: 2@b, other: x}\n"


def test_a_new_key_goes_to_its_place_above_the_comment_of_the_next() -> None:
    after = set_key(PIN, "canary", ["canary:", "  version: 2.3.1@sha256:bb", "  weight: 10"], PIN_KEYS)
    assert isinstance(after, bytes)
    lines = after.decode().splitlines()
    assert lines[lines.index("canary:") - 1].endswith("# two at least")
    assert lines[lines.index("canary:") + 3] == "# The one that answers."
    assert list(read(after)[0] or {}) == [key for key in PIN_KEYS if key in (read(after)[0] or {})]


def test_put_in_and_taken_out_again_gives_the_same_bytes() -> None:
    for key, block in {
        "canary": ["canary: {version: 2@b, weight: 1}"],
        "hold": ["hold:", "  text: Investigating", "  # until Monday", "  link: https://example.com/1"],
        "reason": ["reason: {text: x}"],
    }.items():
        added = set_key(PIN, key, block, PIN_KEYS)
        assert isinstance(added, bytes) and added != PIN
        assert set_key(added, key, [], PIN_KEYS) == PIN


def test_the_last_key_and_a_file_without_a_last_line_feed() -> None:
    for source in (PIN, PIN.rstrip(b"\n")):
        after = set_key(source, "stable", ["stable:", "  version: 9.0.0@sha256:cc"], PIN_KEYS)
        assert isinstance(after, bytes)
        assert (read(after)[0] or {})["stable"] == {"version": "9.0.0@sha256:cc"}  # type: ignore[index, call-overload]
        assert b"# The one that answers.\nstable:\n" in after


@pytest.mark.parametrize(
    "source",
    [b"{apiVersion: x, stable: {version: 1}}\n", b"a: [\n", b"- a\n"],
    ids=["flow", "broken", "list"],
)
def test_what_can_not_be_edited_is_said(source: bytes) -> None:
    assert isinstance(set_key(source, "hold", ["hold: {text: x}"], PIN_KEYS), Unedited)


def test_a_scalar_that_would_say_something_else_is_refused() -> None:
    source = b"stable:\n  version: >-\n    2.3.0@sha256:aa\n"
    assert isinstance(set_scalar(source, ("stable", "version"), "2.3.1@sha256:bb"), Unedited | bytes)
    after = set_scalar(source, ("stable", "version"), "2.3.1@sha256:bb")
    assert isinstance(after, Unedited) or read(after)[0] == {"stable": {"version": "2.3.1@sha256:bb"}}
