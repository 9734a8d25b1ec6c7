"""A view of bytes as a stream: it reads as a file of them does."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelspec.world.viewed import Viewed

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("read"), st.integers(-1, 40)),
        st.tuples(st.just("readline"), st.integers(-1, 40)),
        st.tuples(st.just("seek"), st.integers(0, 40), st.just(io.SEEK_SET)),
        st.tuples(st.just("seek"), st.integers(-5, 0), st.just(io.SEEK_END)),
        st.tuples(st.just("tell")),
    ),
    max_size=12,
)


@given(st.binary(min_size=5, max_size=60), STEPS)
def test_it_gives_what_a_stream_of_the_same_bytes_gives(data: bytes, steps: list[tuple[object, ...]]) -> None:
    mine, other = Viewed(memoryview(data)), io.BytesIO(data)
    for name, *given_ in steps:
        assert getattr(mine, str(name))(*given_) == getattr(other, str(name))(*given_)


def test_there_is_nothing_before_the_beginning() -> None:
    with pytest.raises(ValueError, match="before the beginning"):
        Viewed(memoryview(b"abc")).seek(-4, io.SEEK_END)
