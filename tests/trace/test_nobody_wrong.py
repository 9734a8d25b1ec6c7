"""A law: whoever is named is the one that answered, whatever was lost, late, or told by clocks that lie."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

import pytest

from modelspec.spec.history import Commit
from modelspec.spec.receipt import Receipt, written
from modelspec.trace.candidates import Evidence, Place, identify
from modelspec.trace.declared import Declaration
from modelspec.trace.receipts import fold
from modelspec.trace.served import of_pin, served_then
from receipts.words import DAY, slots

STATES = ("A", "B", "C", "A 90 B 10", "B 80 C 20")


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def world(draw: random.Random) -> tuple[list[tuple[float, str]], list[Declaration], list[Receipt]]:
    """Return the truth (since when which state), what git declared, and the receipts that were not lost."""
    truth: list[tuple[float, str]] = []
    declared: list[Declaration] = []
    told: list[Receipt] = []
    clock, state = 0.0, ""
    for index in range(draw.randint(1, 6)):
        clock += draw.choice((3, 20, 90, 400)) + draw.random() * 30
        state = draw.choice([one for one in STATES if one != state])
        merged = clock
        clock += draw.random() * 25
        truth.append((clock, state))
        commit = Commit(f"{index:040x}", DAY + minutes(merged), "Ada", "ada@example.com", "A change")
        declared.append(Declaration(commit, slots(state)))
    for index, (since, state) in enumerate(truth):
        if draw.random() < 0.35:
            continue
        ends = truth[index + 1][0] if index + 1 < len(truth) else since + 600
        exact = draw.random() < 0.5
        seen = since + draw.random() * min(30.0, ends - since) + (0.05 if exact else 0)
        error = (draw.random() - 0.5) * 4
        begin = since + error if exact else seen
        told.append(
            Receipt(
                environment="production", model="eta", slots=slots(state),
                since=written(DAY + minutes(begin)), observed=written(DAY + minutes(max(seen, begin))),
                source="argocd", evidence="as the test says",
            )
        )  # fmt: skip
    return truth, declared, told


def answering(truth: list[tuple[float, str]], at: float, draw: random.Random) -> tuple[str, str] | None:
    """Return (version, slot) of one that really answered then, None before the first state."""
    now = [state for since, state in truth if since <= at]
    if not now:
        return None
    one = draw.choice([slot for slot in slots(now[-1]) if slot.share > 0])
    return one.digest, one.slot


def asked(draw: random.Random) -> Iterator[Asked]:
    """Yield requests of many worlds: what answered, when by a clock that lies, and what is known then."""
    for _ in range(250):
        truth, declared, told = world(draw)
        lines = of_pin(fold(told), "production", "eta")
        for _ in range(8):
            at = draw.random() * (truth[-1][0] + 300)
            who = answering(truth, at, draw)
            if who is not None:
                shown = DAY + minutes(at + (draw.random() - 0.5) * 4)
                place = Place(
                    "production", served_then(lines, shown, declared), tuple(declared), tuple(lines)
                )
                yield Asked(who, shown, place, truth)


class Asked(NamedTuple):
    who: tuple[str, str]
    """The version that answered, and its slot."""
    shown: datetime
    place: Place
    truth: list[tuple[float, str]]


@pytest.mark.parametrize("seed", range(20))
def test_who_is_named_is_who_answered(seed: int) -> None:
    draw = random.Random(seed)
    named: list[bool] = []
    for one in asked(draw):
        slot = one.who[1] if draw.random() < 0.3 else None
        found = identify(Evidence(one.shown, slot=slot, places=(one.place,)))
        named.append(found.digest is not None)
        if found.digest is not None:
            assert found.digest == one.who[0], (found, one)
        elif found.candidates:
            assert len(found.candidates) > 1 or found.why
    assert sum(named) > len(named) / 5, "nobody is ever named"


@pytest.mark.parametrize("seed", range(20))
def test_what_receipts_are_certain_of_is_what_served(seed: int) -> None:
    certain: list[bool] = []
    for one in asked(random.Random(seed)):
        then = one.place.then
        certain.append(then.certain)
        assert not then.certain or one.who[0] in then.answering, one
    assert sum(certain) > len(certain) / 5, "nothing is ever certain"
