"""JSON without the value of one key: the rest is the same, wherever the reader cuts it."""

from __future__ import annotations

import io
import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelspec.formats import skipjson
from modelspec.formats.boosters import from_xgboost
from modelspec.formats.foreign import Unreadable

TEXTS = st.text(alphabet='ab"\\[]{}:, é', max_size=8) | st.just("trees")
VALUES = st.recursive(
    st.none() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


def passed_over(node: Any) -> Any:
    if isinstance(node, list):
        return [passed_over(one) for one in node]
    if isinstance(node, dict):
        return {
            # A key may end in the other one, behind a quote of its own.
            key: None
            if f'"{key}'.endswith('"trees') and isinstance(value, dict | list)
            else passed_over(value)
            for key, value in node.items()
        }
    return node


@given(VALUES, st.integers(1, 40), st.sampled_from([None, 1]))
def test_what_is_kept_is_what_is_there(value: Any, step: int, indent: int | None) -> None:
    source = json.dumps(value, indent=indent).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(skipjson, "_CHUNK", step)
        found = skipjson.without(io.BytesIO(source), "trees", 100_000)
    assert json.loads(found) == passed_over(value)


def test_trees_cost_no_memory() -> None:
    trees = b"[" + b"[]," * 3_000_000 + b"[]]"
    source = io.BytesIO(b'{"learner":{"feature_names":["a"],"gradient_booster":' + trees + b"}}")
    tracemalloc.start()
    assert from_xgboost(source)["names"] == ["a"]
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


def test_a_model_that_is_cut_off_in_its_trees_is_said() -> None:
    with pytest.raises(Unreadable, match="cut off or damaged"):
        from_xgboost(io.BytesIO(b'{"learner":{"gradient_booster":{"a":[1,2'))


def test_a_rest_that_is_no_header_is_not_taken() -> None:
    with pytest.raises(Unreadable, match="more than 8,388,608 bytes besides"):
        from_xgboost(io.BytesIO(b'{"learner":{"attributes":[' + b"[]," * 3_000_000 + b"1]}}"))
