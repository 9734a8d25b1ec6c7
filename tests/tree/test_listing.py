"""The listing of a tree, which names paths that become files."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelspec.tree.digest import listing
from modelspec.tree.listing import paths_trouble, read_listing

HEX = "0" * 64
PART = st.text("abcXYZ019-_é", min_size=1, max_size=6).filter(lambda part: part.strip() == part)


@given(
    st.dictionaries(
        st.lists(PART, min_size=1, max_size=3).map("/".join), st.just(f"sha256:{HEX}"), min_size=1
    )
)
def test_what_is_written_is_read(rows: dict[str, str]) -> None:
    found = read_listing(listing(rows.items()))
    if paths_trouble(rows) is not None:
        assert isinstance(found, str)
    else:
        assert dict(found) == rows  # type: ignore[arg-type]


@given(st.binary(max_size=200))
def test_any_bytes_are_a_listing_or_a_reason(data: bytes) -> None:
    assert isinstance(read_listing(data), str | tuple)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no files"),
        (b"\xff", "not UTF-8"),
        (f"{HEX}  a".encode(), "middle of a line"),
        (f"{HEX} a\n".encode(), "line 1"),
        (f"{HEX} *a\n".encode(), "line 1"),
        (f"\\{HEX}  a\n".encode(), "line 1"),
        (f"{HEX.upper()[:-1]}A  a\n".encode(), "line 1"),
        (f"{HEX}  a\n\n".encode(), "line 2"),
        (f"{HEX}  b\n{HEX}  a\n".encode(), "not sorted"),
        (f"{HEX}  a\n{HEX}  a\n".encode(), "stands twice"),
        (f"{HEX}  A\n{HEX}  a\n".encode(), "same place"),
        (f"{HEX}  a\n{HEX}  a/b\n".encode(), "a file and a folder"),
        (f"{HEX}  A/x\n{HEX}  a/y\n".encode(), "same place"),
        (f"{HEX}  ../a\n".encode(), "part"),
        (f"{HEX}  /a\n".encode(), "absolute"),
        (f"{HEX}  a\r\n".encode(), "control"),
        (f"{HEX}  lpt1.onnx\n".encode(), "device name"),
    ],
)
def test_what_is_no_listing_is_said(data: bytes, said: str) -> None:
    assert said in str(read_listing(data))
