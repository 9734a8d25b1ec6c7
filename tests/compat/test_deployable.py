"""The fast answer on a way back is the verdict's, in any world; and it is given once for equal readers."""

from __future__ import annotations

from hypothesis import given

from modelspec.compat.verdict import deployable, standing

from .worlds import Small, worlds


@given(worlds())
def test_deployable_is_all_but_unsafe(small: Small) -> None:
    world = small.world
    for (model, _), ref in small.refs.items():
        if model in "abc":
            assert deployable(world, model, ref) == standing(world, model, ref).open
            assert deployable(world, model, ref) == standing(small.world, model, ref).open, "asked again"


def test_the_strategy_meets_both_answers() -> None:
    found: set[bool] = set()

    @given(worlds())
    def collect(small: Small) -> None:
        world = small.world
        found.update(
            deployable(world, model, ref) for (model, _), ref in small.refs.items() if model in "abc"
        )

    collect()
    assert found == {True, False}


def test_a_version_that_is_not_published_is_no_way_back() -> None:
    assert not deployable(Small().world, "a", "1.0.0@sha256:" + "0" * 64)
