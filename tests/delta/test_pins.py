"""Each kind of change of a pin, and what it is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delta.test_tenure import log, pin, ref
from modelspec.delta.pins import needs_history, pin_changes
from modelspec.spec.environment import Pin
from modelspec.spec.pinned import meaning, read_pin
from modelspec.tree.snapshot import of_bytes


def kinds(was: Pin | None, now: Pin | None, *before: Pin) -> list[str]:
    history = log([*before, *([was] if was else [])])
    return [change.kind for change in pin_changes(was, now, history)]


@pytest.mark.parametrize(
    ("was", "now", "found"),
    [
        (None, pin(1), ["first deployment"]),
        (pin(1), None, ["removal"]),
        (pin(1), pin(1), []),
        (pin(1), pin(2), ["promote"]),
        (pin(1), pin(1, 2), ["canary start"]),
        (pin(1, 2), pin(2), ["canary finish"]),
        (pin(1, 2), pin(1), ["canary stop"]),
        (pin(1, 2), pin(1, 3), ["canary start"]),
        (pin(1, 2), pin(3, 2), ["promote"]),
        (pin(1, 2), pin(3), ["promote", "canary stop"]),
    ],
)
def test_kinds_by_state(was: Pin | None, now: Pin | None, found: list[str]) -> None:
    assert kinds(was, now) == found


def test_a_restore_is_known_by_the_log_of_the_base() -> None:
    assert kinds(pin(2), pin(1), pin(1)) == ["restore"]
    assert kinds(pin(1), pin(2), pin(1), pin(2)) == ["promote"]
    assert kinds(pin(2), pin(3), pin(1)) == ["promote"]


def test_a_pin_that_comes_back_is_compared_with_what_it_said_last() -> None:
    assert kinds(None, pin(1), pin(1)) == ["restore"]
    assert kinds(None, pin(1), pin(1), pin(2)) == ["restore"]
    assert kinds(None, pin(3), pin(1), pin(2)) == ["promote"]
    assert kinds(None, pin(1, 3), pin(1)) == ["restore", "canary start"]
    assert kinds(None, pin(1, 3)) == ["first deployment", "canary start"]


def test_a_canary_of_what_answered_more_asks_nothing() -> None:
    finished = pin(2)
    (stable, canary) = pin_changes(finished, pin(1, 2), log([pin(1), pin(1, 2), finished]))
    assert (stable.kind, canary.kind, stable.promotes, canary.promotes) == (
        "restore",
        "canary start",
        False,
        False,
    )
    split = other(pin(1), variants={"b": {"version": ref(2), "weight": 60}})
    for weight, asks in ((60, False), (61, True)):
        (change,) = [
            one
            for one in pin_changes(split, other(pin(1), canary={"version": ref(2), "weight": weight}), ())
            if one.slot == "canary"
        ]
        assert change.promotes is asks
    less = other(split, variants={"b": {"version": ref(2), "weight": 20}})
    assert [one.promotes for one in pin_changes(split, less, ())] == [False]
    assert [one.promotes for one in pin_changes(less, split, ())] == [True]


def other(one: Pin, **update: object) -> Pin:
    return Pin.model_validate(one.model_dump(by_alias=True, exclude_none=True) | update)


@pytest.mark.parametrize(
    ("update", "kind", "promotes"),
    [
        ({"shadow": {"version": ref(7)}}, "shadow", False),
        ({"standby": {"version": ref(7)}}, "standby", False),
        ({"variants": {"b": {"version": ref(7), "weight": 5}}}, "variants", True),
        ({"serve": {"kserve": {"replicas": 2}}}, "params", False),
        ({"hold": {"text": "wait"}}, "hold", False),
        ({"reason": {"text": "because"}}, "reason", False),
    ],
)
def test_what_is_beside_stable_and_canary(update: dict[str, object], kind: str, promotes: bool) -> None:
    (change,) = pin_changes(pin(1), other(pin(1), **update), log([pin(1)]))
    assert (change.kind, change.promotes) == (kind, promotes)
    back = pin_changes(other(pin(1), **update), pin(1), log([pin(1)]))
    assert [one.kind for one in back] == ["release" if kind == "hold" else kind]
    assert not any(one.promotes for one in back)


def test_a_canary_that_gets_less_asks_nothing() -> None:
    more, less = pin(1, 2), other(pin(1, 2), canary={"version": ref(2), "weight": 3})
    (down,) = pin_changes(more, less, log([more]))
    (up,) = pin_changes(less, more, log([less]))
    assert (down.kind, down.promotes, up.kind, up.promotes) == ("canary step", False, "canary step", True)


@given(st.integers(1, 3), st.integers(1, 3), st.none() | st.integers(4, 5), st.none() | st.integers(4, 5))
def test_no_change_goes_unnamed(a: int, b: int, c: int | None, d: int | None) -> None:
    assert bool(pin_changes(pin(a, c), pin(b, d), log([pin(a, c)]))) == ((a, c) != (b, d))


WHOLE = """\
apiVersion: modelspec/v1
kind: Pin
environment: staging
model: eta
reason: {text: Better, link: "https://git.example.com/pull/1"}
hold: {text: Wait}
variants:
  green: {version: REF, weight: 5}
shadow: {version: REF}
standby: {version: REF}
canary: {version: REF, weight: 10}
stable: {version: REF}
""".replace("REF", ref(1))


def test_two_readers_of_one_pin_make_no_change_of_it() -> None:
    """The quick reader leaves an unusual layout to the strict one: what they return differs in class alone."""
    quick = read_pin(of_bytes(WHOLE.encode()), "staging", "eta")
    strict = read_pin(of_bytes(WHOLE.replace("text: Wait", 'text: "W\\u0061it"').encode()), "staging", "eta")
    assert quick is not None and strict is not None
    assert type(quick) is not type(strict)
    assert meaning(quick) == meaning(strict)
    assert pin_changes(quick, strict, ()) == pin_changes(strict, quick, ()) == ()


def test_history_is_asked_for_only_where_going_back_is_a_question() -> None:
    assert needs_history(pin(1), pin(2))
    assert needs_history(pin(1, 2), pin(1, 3))
    assert not needs_history(pin(1), pin(1, 2))
    assert not needs_history(pin(1), other(pin(1), hold={"text": "wait"}))
    assert needs_history(None, pin(1)) and not needs_history(pin(1), None)
