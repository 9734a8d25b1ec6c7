"""What git declares in the simulated world: promotions, canaries, rollbacks, coordinated feature changes."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from simulation.lines import GROUP
from simulation.world import DAY, ENVIRONMENTS, HOUR, START, Change, Pin, Size, Slots

COORDINATED = (3, 7)
"""The promotions with which all readers of a view move to its next schema, in one commit."""


def pins(size: Size) -> list[Pin]:
    """Return every pin with all that was ever declared of it; `promotions` in all, and as many ways aside.

    Promotion n of a pin brings version n. Staging goes first, the productions follow within days.
    """
    places = size.models * len(ENVIRONMENTS)
    shared = [size.promotions // places + (at < size.promotions % places) for at in range(places)]
    found = []
    for model in range(size.models):
        counts = [shared[model * len(ENVIRONMENTS) + at] for at in range(len(ENVIRONMENTS))]
        times = _times(size, model, max(counts))
        for at, environment in enumerate(ENVIRONMENTS):
            pin = Pin(environment, model)
            _declare(Random(f"{size.seed}/pin/{environment}/{model}"), size, pin, at, times[: counts[at]])
            found.append(pin)
    return found


def steps_of(size: Size) -> int:
    """Return how many versions a model needs beside its first one."""
    places = size.models * len(ENVIRONMENTS)
    return -(-size.promotions // places)


def _times(size: Size, model: int, count: int) -> list[int]:
    """Return when each version of a model is promoted in staging; coordinated ones at one time in a group."""
    own, group = Random(f"{size.seed}/times/{model}"), Random(f"{size.seed}/group/{model // GROUP}")
    whole = size.days * DAY * 0.9
    together = [group.random() for _ in range(count)]
    return [
        START + int(whole * (at + (together[at] if at + 1 in COORDINATED else own.random())) / max(count, 1))
        for at in range(count)
    ]


def _declare(random: Random, size: Size, pin: Pin, place: int, times: list[int]) -> None:
    pin.changes.append(Change(START - DAY, _slots(0), "first"))
    clock, stable = START, 0
    for at, staged in enumerate(times):
        version = at + 1
        time = staged + place * int(0.02 * size.days * DAY)
        if version in COORDINATED:
            # One commit for all readers; whoever is late moves it for none of them.
            clock = max(clock, time)
            pin.changes.append(Change(time, _slots(version), "coordinated"))
            stable = version
            continue
        time = max(time, clock + random.choice((120, 400, HOUR, 5 * HOUR)))
        for moment, slots, kind in _path(random, time, stable, version):
            pin.changes.append(Change(moment, slots, kind))
            clock = moment
        stable = version
    pin.changes.sort(key=lambda change: change.time)
    _in_order(pin)


def _path(random: Random, time: int, stable: int, version: int) -> Iterator[tuple[int, Slots, str]]:
    """Yield (time, slots, kind) of one promotion with what comes before and after it."""
    drawn = random.random()
    if drawn < 0.35:
        share = random.choice((5, 10, 25))
        yield time, _slots(stable, canary=(version, share)), "canary"
        time += random.choice((600, 2 * HOUR, 8 * HOUR))
        if random.random() < 0.3:
            yield time, _slots(stable, canary=(version, 50)), "canary"
            time += random.choice((300, HOUR))
        if random.random() < 0.15:
            yield time, _slots(stable), "stop canary"
            time += 3 * HOUR
    elif drawn < 0.45:
        yield time, _slots(stable, shadow=version), "shadow"
        time += 4 * HOUR
    standby = stable if random.random() < 0.2 else None
    yield time, _slots(version, standby=standby), "promote"
    if random.random() < 0.2:
        time += random.choice((180, 420, 900, 2 * HOUR))
        yield time, _slots(stable), "roll back"
        time += random.choice((240, 1800, 6 * HOUR))
        yield time, _slots(version), "promote again"


def _slots(
    stable: int,
    canary: tuple[int, int] | None = None,
    shadow: int | None = None,
    standby: int | None = None,
) -> Slots:
    found = [("stable", stable, 100 - (canary[1] if canary else 0))]
    found += [("canary", *canary)] if canary else []
    found += [("shadow", shadow, 0)] if shadow is not None else []
    found += [("standby", standby, 0)] if standby is not None else []
    return tuple(sorted(found))


def _in_order(pin: Pin) -> None:
    """Keep what moves on: a coordinated change may have overtaken the end of a promotion before it."""
    kept: list[Change] = []
    for change in pin.changes:
        newest = max(version for _, version, _ in change.slots)
        behind = any(
            newest < max(v for _, v, _ in other.slots) for other in kept if other.kind == "coordinated"
        )
        if not behind and (not kept or kept[-1].slots != change.slots):
            kept.append(change)
    pin.changes[:] = kept
