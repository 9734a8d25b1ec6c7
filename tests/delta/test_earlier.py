"""What served before, by history."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delta.test_tenure import log, pin, ref
from modelspec.delta.earlier import answering, goes_back, last_with, previous
from modelspec.spec.base import ref_name
from modelspec.spec.environment import Pin


def back(pins: list[Pin | None], withdrawn: tuple[int, ...] = ()) -> str | None:
    now = pins[-1]
    assert now is not None
    found = previous(log(pins), now, {ref(minor) for minor in withdrawn})
    return None if found is None or found.pin is None else ref_name(found.pin.stable.version)


@pytest.mark.parametrize(
    ("pins", "withdrawn", "stable"),
    [
        ([pin(1), pin(2)], (), "1.1.0"),
        ([pin(2), pin(1)], (), "1.2.0"),  # by history, not by number
        ([pin(1), pin(2), pin(3)], (2,), "1.1.0"),
        ([pin(1), pin(2), pin(3), pin(2)], (), "1.1.0"),  # back once more, and not forward to 3
        ([pin(1), pin(2), pin(3), pin(2), pin(4)], (), "1.2.0"),
        ([pin(1), pin(1, 2)], (), "1.1.0"),  # the canary is turned off
        ([pin(1), pin(1, 2), pin(2)], (), "1.1.0"),  # and not left on
        ([pin(1), None, pin(2)], (), "1.1.0"),
        ([pin(1)], (), None),
        ([pin(1), pin(2)], (1,), None),
    ],
)
def test_what_served_before(pins: list[Pin | None], withdrawn: tuple[int, ...], stable: str | None) -> None:
    assert back(pins, withdrawn) == stable


@given(st.lists(st.integers(1, 5), min_size=1, max_size=12))
def test_going_back_always_ends_at_the_first(stables: list[int]) -> None:
    pins: list[Pin | None] = [pin(minor) for minor in stables]
    seen = []
    for _ in range(20):
        now = pins[-1]
        assert now is not None
        found = previous(log(pins), now, ())
        if found is None:
            break
        assert found.pin is not None
        assert answering(found.pin) != answering(now)
        assert goes_back(log(pins), now.stable.version, found.pin.stable.version)
        seen.append(found.pin.stable.version)
        pins.append(found.pin)
    assert len(seen) == len(set(seen)) < 6
    last = pins[-1]
    assert last is not None
    assert last.stable.version == ref(stables[0])


def test_a_version_is_gone_back_to_as_it_answered_alone() -> None:
    pins = [pin(1), pin(1, 2), pin(2), pin(2, 3)]
    found = last_with(log(pins), "1.2.0")
    assert found is not None
    assert found.pin == pin(2)
    assert last_with(log(pins), "1.3.0") is None
    only = last_with(log([pin(1, 2)]), "1.1.0")
    assert only is not None
    assert only.pin == pin(1, 2)
