"""What the rules say of a tiny registry, told a second time: by plain data and without the code under test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

Name = tuple[str, str]
"""(environment, model) of a pin, or (model, version)."""
AFTER = {"production": "staging", "staging": None}


@dataclass(frozen=True)
class Pin:
    """One pin: the stable version, the canary with its weight, and what the hold says."""

    stable: str
    canary: tuple[str, int] | None = None
    hold: str | None = None

    @property
    def answering(self) -> tuple[str, ...]:
        return (self.stable, self.canary[0]) if self.canary else (self.stable,)


@dataclass(frozen=True)
class State:
    """The whole registry."""

    pins: Mapping[Name, Pin]
    published: frozenset[Name]
    retired: Mapping[Name, str]

    def with_pin(self, name: Name, pin: Pin) -> State:
        return replace(self, pins={**self.pins, name: pin})


Log = Sequence[State]
"""The state after each commit of main, the oldest first."""


def allowed(log: Log, now: State) -> bool:
    """Whether a change of main from the last state of the log to this one may be."""
    was = log[-1]
    pinned = {(model, ref) for (_, model), pin in now.pins.items() for ref in pin.answering}
    return (
        all(name in now.retired and name not in pinned for name in was.published - now.published)
        and all(_kept(state, now.retired.get(name)) for name, state in was.retired.items())
        and all(name in now.published and now.retired.get(name) != "withdrawn" for name in pinned)
        and all(pin.canary is None or pin.canary[0] != pin.stable for pin in now.pins.values())
        and all(_moves(log, now, name) for name in now.pins if now.pins[name] != was.pins[name])
    )


def _kept(was: str, now: str | None) -> bool:
    return now == was or (was, now) == ("archived", "withdrawn")


def _moves(log: Log, now: State, name: Name) -> bool:
    """Whether a pin may go from what it was to what it is now."""
    was, pin = log[-1].pins[name], now.pins[name]
    environment, model = name
    before = AFTER[environment]
    for slot, ref, begins, onward in _slots(log, name, was, pin):
        if onward and was.hold is not None and pin.hold is not None:
            return False
        if onward and begins and before and not _first(log, (before, model), "stable", ref) >= 0:
            return False
        if begins and onward and now.retired.get((model, ref)) == "archived":
            return False
        if (model, ref) not in log[-1].published:
            return False
        assert slot
    return True


def _slots(log: Log, name: Name, was: Pin, now: Pin) -> Iterator[tuple[str, str, bool, bool]]:
    """Yield (slot, version, whether it begins to answer in it, whether it is no restore)."""
    if was.stable != now.stable:
        yield "stable", now.stable, True, not _back(log, name, "stable", was.stable, now.stable)
    if now.canary is not None and was.canary != now.canary:
        version, weight = now.canary
        if was.canary is None:
            yield "canary", version, True, True
        elif was.canary[0] != version:
            yield "canary", version, True, not _back(log, name, "canary", was.canary[0], version)
        else:
            yield "canary", version, False, weight > was.canary[1]


def _back(log: Log, name: Name, slot: str, was: str, now: str) -> bool:
    mine, theirs = _first(log, name, slot, now), _first(log, name, slot, was)
    return mine >= 0 and (theirs < 0 or mine < theirs)


def _first(log: Log, name: Name, slot: str, ref: str) -> int:
    """Return when a version first held a slot, or -1."""
    for at, state in enumerate(log):
        pin = state.pins[name]
        if (pin.stable if slot == "stable" else pin.canary and pin.canary[0]) == ref:
            return at
    return -1


def before(log: Log, name: Name) -> Pin | None:
    """Return the state of a pin that a rollback gives back; None when there is none."""
    now = log[-1]
    answered = {}
    for at, state in enumerate(log):
        for ref in state.pins[name].answering:
            answered.setdefault(ref, at)
    newest = max(answered[ref] for ref in now.pins[name].answering)
    for state in reversed(log):
        pin = state.pins[name]
        gone = any(now.retired.get((name[1], ref)) == "withdrawn" for ref in pin.answering)
        if not gone and all(answered[ref] < newest for ref in pin.answering):
            return pin
    return None


def undone(was: State, now: State, today: State) -> State | None:
    """Return today's state without what a commit did, thing by thing; None where two wills meet."""
    pins = dict(today.pins)
    for name in pins:
        old, new, held = was.pins[name], now.pins[name], pins[name]
        fields = [_undone(*three) for three in zip(_fields(old), _fields(new), _fields(held), strict=True)]
        if _CLASH in fields:
            return None
        stable, canary, hold = fields
        pins[name] = Pin(str(stable), canary, hold)  # type: ignore[arg-type]
    published = (today.published - (now.published - was.published)) | (was.published - now.published)
    retired = {
        name: state for name, state in today.retired.items() if name in was.retired or name not in now.retired
    }
    return State(pins, published, retired)


_CLASH = object()


def _fields(pin: Pin) -> tuple[object, ...]:
    return (pin.stable, pin.canary, pin.hold)


def _undone(was: object, now: object, today: object) -> object:
    if was == now or today == was:
        return today
    return was if today == now else _CLASH
