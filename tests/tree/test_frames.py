"""Frames between a renderer and whoever asks it: what was written is what is read, and nothing else is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelspec.tree.frames import FrameError, read_reply, read_request, write_reply, write_request
from modelspec.tree.protocols import Hole, Rendered, RenderFault

texts = st.text(st.characters(), max_size=8)
routes = st.lists(st.one_of(texts, st.integers(0, 9)), max_size=3).map(tuple)
data = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-9, 9), texts),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=8,
)
holes = st.builds(Hole, routes, routes, st.integers(1, 9), st.booleans())
replies = st.one_of(
    st.builds(Rendered, data, st.lists(holes).map(tuple)),
    st.builds(RenderFault, texts, texts, st.none() | st.integers(1, 9), st.none() | texts),
)  # fmt: skip


@given(replies)
def test_a_reply_reads_back_as_it_was(reply: Rendered | RenderFault) -> None:
    line = write_reply(reply)
    assert line.endswith(b"\n") and line.count(b"\n") == 1
    assert read_reply(line) == reply


@given(texts, st.dictionaries(texts, data, max_size=3))
def test_a_request_reads_back_as_it_was(source: str, context: dict) -> None:  # type: ignore[type-arg]
    line = write_request(source, context)
    assert line.count(b"\n") == 1
    assert read_request(line) == (source, context)


@pytest.mark.parametrize(
    "line",
    [
        b"", b"\n", b"[]", b"{}", b"\xff", b"[" * 100_000, b'{"data": 1}', b'{"holes": []}',
        b'{"fault": "x"}',
        b'{"data": 1, "holes": [[[], [], 1]]}', b'{"data": 1, "holes": [[[], [], "1", true]]}',
        b'{"data": 1, "holes": [[[null], [], 1, true]]}', b'{"data": 1, "holes": [[[[]], [], 1, true]]}',
        b'{"fault": {"rule": 1, "message": "", "line": null, "fix": null}}',
        b'{"fault": {"rule": "", "message": "", "line": "1", "fix": null}}',
    ],
)  # fmt: skip
def test_what_is_no_reply_is_refused(line: bytes) -> None:
    with pytest.raises(FrameError):
        read_reply(line)


@pytest.mark.parametrize(
    "line", [b"", b"[]", b'{"source": 1, "context": {}}', b'{"source": "", "context": []}']
)
def test_what_is_no_request_is_refused(line: bytes) -> None:
    with pytest.raises(FrameError):
        read_request(line)
