"""Tenures and restores, from sequences of pins."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from modelspec.delta.tenure import Standing, first_tenure, held, is_restore, tenures
from modelspec.spec.environment import Pin
from modelspec.spec.history import Commit

START = datetime(2026, 1, 1, tzinfo=UTC)


def ref(minor: int) -> str:
    return f"1.{minor}.0@sha256:{minor:064x}"


def pin(stable: int, canary: int | None = None) -> Pin:
    data = {"apiVersion": "modelspec/v1", "kind": "Pin", "environment": "p", "model": "m"}
    slots: dict[str, object] = {"stable": {"version": ref(stable)}}
    if canary is not None:
        slots["canary"] = {"version": ref(canary), "weight": 10}
    return Pin.model_validate({**data, **slots})


def log(pins: Sequence[Pin | None]) -> tuple[Standing, ...]:
    return tuple(
        Standing(Commit(f"{hour:040x}", START + timedelta(hours=hour), "a", "a@b", "s"), one)
        for hour, one in enumerate(pins)
    )


def test_tenures_begin_and_end_with_what_the_pin_says() -> None:
    found = list(tenures(log([pin(1), pin(1, 2), pin(2), None, pin(1)])))
    hours = [
        (
            one.slot,
            one.ref[:3],
            (one.since.time - START).seconds // 3600,
            one.until and (one.until.time - START).seconds // 3600,
        )
        for one in found
    ]
    assert hours == [
        ("stable", "1.1", 0, 2),
        ("canary", "1.2", 1, 2),
        ("stable", "1.2", 2, 3),
        ("stable", "1.1", 4, None),
    ]
    assert found[-1].lasted(START + timedelta(hours=6)) == 7200


def test_going_back_is_a_restore_and_a_revert_of_the_revert_is_a_promotion() -> None:
    history = log([pin(1), pin(2)])
    assert is_restore(history, "stable", ref(2), ref(1))
    back = log([pin(1), pin(2), pin(1)])
    assert not is_restore(back, "stable", ref(1), ref(2))
    assert not is_restore(back, "stable", ref(1), ref(3))


def test_what_was_only_a_canary_never_held_stable() -> None:
    history = log([pin(1), pin(1, 2)])
    assert first_tenure(history, "stable", ref(2)) is None
    assert not is_restore(history, "stable", ref(1), ref(2))


@given(st.lists(st.tuples(st.integers(1, 4), st.none() | st.integers(5, 6)), min_size=1, max_size=12))
def test_tenures_cover_exactly_what_was_held(steps: list[tuple[int, int | None]]) -> None:
    history = log([pin(*step) for step in steps])
    found = list(tenures(history))
    for index, standing in enumerate(history):
        covering = {
            one.slot: one.ref
            for one in found
            if one.since.time <= standing.commit.time
            and (one.until is None or standing.commit.time < one.until.time)
        }
        assert covering == held(standing.pin), index


@given(st.lists(st.integers(1, 5), min_size=2, max_size=10), st.data())
def test_of_two_that_held_the_slot_exactly_one_way_is_a_restore(
    steps: list[int], data: st.DataObject
) -> None:
    history = log([pin(step) for step in steps])
    one, two = data.draw(st.sampled_from(steps)), data.draw(st.sampled_from(steps))
    if one != two:
        assert is_restore(history, "stable", ref(one), ref(two)) != is_restore(
            history, "stable", ref(two), ref(one)
        )
