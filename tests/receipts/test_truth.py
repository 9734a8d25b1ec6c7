"""A world whose truth is known: nothing is named wrong, and where the evidence does not suffice that is said.

Pins change at random; a cluster follows each change after up to forty minutes, unless the next one overtakes
it. Observers tell when (with a clock that lies by up to four minutes) or merely look now and then, are late,
tell twice, and are away for hours.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

import pytest

from modelspec.spec.history import Commit
from modelspec.spec.receipt import Receipt, written
from modelspec.trace.declared import Declaration
from modelspec.trace.receipts import fold, news
from modelspec.trace.served import of_pin, served_then
from receipts.words import DAY, slots

DAYS = 6


@dataclass
class World:
    """What was declared, what really served (from when, which), and what was written of it."""

    declared: list[Declaration]
    truth: list[tuple[datetime, str]]
    receipts: list[Receipt]

    def served(self, at: datetime) -> str:
        """Return the state that really served at an instant."""
        return [state for since, state in self.truth if since <= at][-1]


def minutes(random: Random, low: float, high: float) -> timedelta:
    return timedelta(seconds=round(60 * random.uniform(low, high)))


def world(seed: int) -> World:
    """Return a world of some days, as the seed has it."""
    random = Random(seed)
    states = ["A", "B", "C", "A 90 B 10", "B 80 C 20"]
    now, declared, truth = DAY, [], []
    while now < DAY + timedelta(days=DAYS):
        last = declared[-1][1] if declared else ""
        state = random.choice([one for one in states if one != last])
        declared.append((now, state))
        now += minutes(random, 5, 60) if random.random() < 0.3 else minutes(random, 120, 1200)
    for index, (merged, state) in enumerate(declared):
        live = merged + minutes(random, 0.5, 40 if index else 0.6)
        overtaken = index + 1 < len(declared) and live > declared[index + 1][0]
        if not overtaken and (not truth or truth[-1][1] != state):
            truth.append((live, state))
    found = World(
        [
            Declaration(Commit(f"{index:040x}", merged, "Ada", "a@example.com", "x"), slots(state))
            for index, (merged, state) in enumerate(declared)
        ],
        truth, [],
    )  # fmt: skip
    look(random, found)
    return found


def look(random: Random, found: World) -> None:
    """Let observers look, and write down what is new, as `observe` does."""
    away = [DAY + minutes(random, 0, DAYS * 1440) for _ in range(3)]
    tells = random.random() < 0.5
    step = minutes(random, 2, 30)
    now = found.truth[0][0] + timedelta(minutes=1)
    end = DAY + timedelta(days=DAYS, hours=3)
    skew = minutes(random, -4, 4)
    seen: list[Receipt] = []
    while now < end:
        now += step
        if any(start <= now < start + timedelta(hours=5) for start in away):
            continue
        since, state = [one for one in found.truth if one[0] <= now][-1]
        began = min(since + skew, now) if tells else now
        seen += [told(state, began, now)] * (2 if random.random() < 0.1 else 1)
        if tells and random.random() < 0.05:
            # A history that is read late: entries of the past, of which some are lost.
            seen += [told(other, min(start + skew, now), now) for start, other in found.truth
                     if start <= now and random.random() < 0.8]  # fmt: skip
    for one in sorted(seen, key=lambda one: one.observed):
        found.receipts += news(found.receipts, [one])


def told(state: str, since: datetime, observed: datetime) -> Receipt:
    return Receipt(
        environment="production", model="eta", slots=slots(state), since=written(since),
        observed=written(observed), source="observer", evidence="drawn",
    )  # fmt: skip


def ask(found: World, random: Random, count: int) -> tuple[int, int]:
    """Ask for instants; return how many were told for certain, and for how many."""
    lines = of_pin(fold(found.receipts), "production", "eta")
    start = found.truth[0][0]
    certain = 0
    for _ in range(count):
        at = start + minutes(random, 0, (DAYS - 0.2) * 1440)
        true = {slot.digest for slot in slots(found.served(at))}
        then = served_then(lines, at, found.declared)
        assert true <= then.answering, (at, found.served(at), then)
        if then.certain:
            assert then.answering == true, (at, found.served(at), then)
            certain += 1
        else:
            assert then.doubts
    return certain, count


@pytest.mark.parametrize("seed", range(12))
def test_nothing_is_named_wrong(seed: int) -> None:
    ask(world(seed), Random(seed), 150)


def test_most_instants_are_told_for_certain() -> None:
    told = [ask(world(seed), Random(seed), 100) for seed in range(100, 108)]
    assert sum(certain for certain, _ in told) > 0.6 * sum(count for _, count in told)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 1300))
def test_nothing_is_named_wrong_in_many_worlds(seed: int) -> None:
    ask(world(seed), Random(seed), 150)
