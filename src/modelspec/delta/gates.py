"""The gates of an environment, judged for one change of a pin: met or not, why, and from when on.

Facts come from the base's first-parent history and from the instant of judgement, which is an argument.
A restore is exempt; shadow and standby have no gates; a pin that is new in its environment has neither a
canary to wait for nor a stable version to be compared with. What the base demands counts, and what the
head demands as well: a change can make its own gates stricter, never laxer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from modelspec.compat.reading import Judgements
from modelspec.compat.world import World
from modelspec.delta.pairs import Against
from modelspec.delta.pins import PinChange, pin_changes
from modelspec.delta.tenure import Standing, last_said, standings, tenures
from modelspec.spec.base import ref_name
from modelspec.spec.environment import Environment, MetricGate, Pin
from modelspec.spec.instant import duration, earlier, instant, later
from modelspec.spec.kinds import ENVIRONMENT, MODEL, VERSION
from modelspec.spec.pinned import Declared
from modelspec.spec.reader import Entry
from modelspec.spec.registry import Registry
from modelspec.spec.trust import signer_text, trusted_as
from modelspec.tree.place import Route
from modelspec.tree.text import visible

GateName = Literal["order", "soak", "canary", "metrics", "freeze", "reason", "signature"]
RECENT: Final = 7
"""A soak or a canary counts while it lies within this many times its own length: a daily retrain must not
starve, and last year's must not count."""


@dataclass(frozen=True, slots=True)
class Gate:
    """One condition on one change of a slot. `when`: the instant from which on time alone meets it."""

    name: GateName
    slot: str
    route: Route
    met: bool
    told: str
    fix: str | None = None
    when: datetime | None = None
    waived: bool = False
    """Met because the rule itself waives it here; listed in every report."""


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """What the gates of one pin are judged by."""

    head: Registry
    against: Against
    now: datetime
    environment: str
    model: str
    was: Declared | None
    """None for the first pin of a model in an environment."""
    now_pin: Pin
    log: Sequence[Standing]

    @property
    def changes(self) -> tuple[PinChange, ...]:
        """What the change does to the pin."""
        return pin_changes(self.was, self.now_pin, self.log)

    def environments(self) -> list[Environment]:
        """Return the environment as base and head have it; once where they agree.

        Where the base's can't be read, what could be read last counts: a change that mends it drops no gate.
        """
        base = self.against.base.get(ENVIRONMENT, self.environment)
        was = base.value if isinstance(base, Entry) else None
        if base is not None and was is None:
            was = self._readable(base.path)
        now = self.head.value(ENVIRONMENT, self.environment)
        found = [] if was is None else [was]
        return found if now is None or now.value == was else [*found, now.value]

    def _readable(self, path: str) -> Environment | None:
        for revision in reversed(self.against.history.of(path)):
            if revision.blob is not None:
                entry = self.head.reader.read(ENVIRONMENT, (self.environment,), path, revision.blob)
                if isinstance(entry, Entry):
                    return entry.value
        return None


def facts(
    head: Registry,
    against: Against,
    now: datetime,
    name: tuple[str, str],
    pins: tuple[Pin | None, Pin],
) -> Facts:
    """Gather what the gates of the pin `name` (environment, model) need; `pins` are was and now.

    A pin that was removed and comes back, or that can't be read, is compared with what it said last.
    """
    log = standings(against.history, head.reader, *name)
    was = pins[0] if pins[0] is not None else _left(head, name[1], last_said(log))
    return Facts(head, against, now, *name, was, pins[1], log)


def _left(head: Registry, model: str, last: Declared | None) -> Declared | None:
    """Return what a removed pin said last, if what was stable then may be pinned still.

    Else nothing could be canary beside it, and what comes is as good as a first pin.
    """
    owner = head.value(MODEL, model)
    if last is None or owner is None or head.get(VERSION, model, ref_name(last.stable.version)) is None:
        return None
    gone = {one.version for one in owner.value.retired if one.state == "withdrawn"}
    return None if last.stable.version in gone else last


def gates(facts: Facts) -> Iterator[Gate]:
    """Yield the status of every gate that the change of a pin meets, the same one once."""
    seen: set[Gate] = set()
    for change in facts.changes:
        if change.now is None or not (change.promotes or change.kind == "first deployment"):
            continue
        for environment in facts.environments():
            for gate in _of(facts, change, environment):
                if gate not in seen:
                    seen.add(gate)
                    yield gate
    for environment in facts.environments():
        for gate in _signed(facts, environment.gates.signature) if environment.gates.signature else ():
            if gate not in seen:
                seen.add(gate)
                yield gate


def route_of(facts: Facts, slot: str) -> Route:
    """Return the route of a slot's version in the pin of the head."""
    return next((*route, "version") for name, route, _ in facts.now_pin.slots() if name == slot)


def _of(facts: Facts, change: PinChange, environment: Environment) -> Iterator[Gate]:
    """Yield the gates of one environment file for one slot that gets a version."""
    asked = environment.gates
    begins = change.kind != "canary step"
    if environment.after is not None and begins:
        yield from _soak(facts, change, environment.after, asked.soak)
    if asked.canary is not None and change.slot == "stable" and facts.was is not None:
        yield _canary(facts, change, asked.canary)
    for metric in asked.metrics if begins else ():
        yield from _metric(facts, change, metric)
    for freeze in asked.freeze:
        start, until = instant(freeze.start), instant(freeze.until)
        if start is not None and until is not None:
            frozen = start <= facts.now < until
            told = f"{facts.environment} is frozen until {freeze.until}: {visible(freeze.reason)}"
            yield _gate(
                facts, change, "freeze", not frozen, told, "wait until then", until if frozen else None
            )
    if asked.reason is not None:
        yield _reason(facts, change)


def _gate(
    facts: Facts,
    change: PinChange,
    name: GateName,
    met: bool,
    told: str,
    fix: str | None = None,
    when: datetime | None = None,
    *,
    route: Route | None = None,
    waived: bool = False,
) -> Gate:
    at = route_of(facts, change.slot) if route is None else route
    return Gate(name, change.slot, at, met, told, None if met else fix, None if met else when, waived)


def _soak(facts: Facts, change: PinChange, after: str, asked: str | None) -> Iterator[Gate]:
    ref, number = change.now or "", ref_name(change.now or "")
    log = standings(facts.against.history, facts.head.reader, after, facts.model)
    stays = [one for one in tenures(log) if one.slot == "stable" and one.ref == ref]
    yield _gate(
        facts,
        change,
        "order",
        bool(stays),
        f"{facts.model} {number} was {'' if stays else 'never '}stable in {after}",
        f"promote it to {after} first",
    )
    need = duration(asked) if asked is not None else timedelta(0)
    if not stays or asked is None or not need:
        return
    since = earlier(facts.now, RECENT * need)
    lengths = [
        (min(stay.until.time if stay.until else facts.now, facts.now) - max(stay.since.time, since), stay)
        for stay in stays
    ]
    longest, best = max(lengths, key=lambda one: one[0])
    lasting = next((stay for stay in stays if stay.until is None), None)
    when = max(later(lasting.since.time, need), facts.now) if lasting is not None else None
    told = f"{facts.model} {number} was stable in {after} for {_length(longest)} of {asked}"
    if longest < need and best.until is not None:
        told += f", within the last {_length(RECENT * need)}"
    fix = (
        f"wait until {_stamp(when)}" if when is not None else f"promote it to {after} again, and let it serve"
    )
    yield _gate(facts, change, "soak", longest >= need, told, fix, when)


def _canary(facts: Facts, change: PinChange, asked: str) -> Gate:
    ref, number, need = change.now or "", ref_name(change.now or ""), duration(asked)
    since = earlier(facts.now, RECENT * need)
    names = {"canary", *(facts.was.variants if facts.was is not None else ())}
    stays = [one for one in tenures(facts.log) if one.slot in names and one.ref == ref]
    lengths = [
        min(stay.until.time if stay.until else facts.now, facts.now) - max(stay.since.time, since)
        for stay in stays
    ]
    longest = max(lengths, default=timedelta(0))
    if longest >= need and stays:
        return _gate(facts, change, "canary", True, f"{facts.model} {number} was canary for {asked} and more")
    moved = _moved_view(facts, change)
    if moved is not None:
        told = (
            f"no canary: this change moves {moved}, and old and new versions can't both read what is served"
        )
        return _gate(facts, change, "canary", True, told, waived=True)
    lasting = next((stay for stay in stays if stay.until is None), None)
    when = later(lasting.since.time, need) if lasting is not None else None
    told = f"{facts.model} {number} was canary here for {_length(longest)} of {asked}"
    fix = f"wait until {_stamp(when)}" if when is not None else "make it canary first (any weight)"
    return _gate(facts, change, "canary", False, told, fix, when)


def _moved_view(facts: Facts, change: PinChange) -> str | None:
    """Return a view under `current` that the same change moves so that one of the two can't read it.

    The old version would meet the new schema or the new version the old one: no canary is possible.
    """
    judgements = Judgements(facts.head)
    before = World.of(facts.against.base, facts.environment, judgements)
    after = World.of(facts.head, facts.environment, judgements)
    for world, other, ref in ((after, before, change.was), (before, after, change.now)):
        for reading in world.readings(facts.model, ref or ""):
            offer, was = world.offers.get(reading.view), other.offers.get(reading.view)
            if offer is not None and offer != was and offer.access == "current" and not reading.fits:
                return reading.view
    return None


def _metric(facts: Facts, change: PinChange, gate: MetricGate) -> Iterator[Gate]:
    number = ref_name(change.now or "")
    found = _value(facts, change.now, gate.name)
    if gate.bound is not None:
        if found is None:
            told = (
                f"{facts.model} {number} records no {gate.name}: not comparable with the bound {gate.bound:g}"
            )
            yield _gate(facts, change, "metrics", False, told, f"publish a version that records {gate.name}")
        else:
            met = found <= gate.bound if gate.better == "lower" else found >= gate.bound
            side = "at most" if gate.better == "lower" else "at least"
            told = f"{gate.name} of {number} is {found:g}, asked is {side} {gate.bound:g}"
            yield _gate(facts, change, "metrics", met, told, "pin a version that is better")
    if gate.regression is None or facts.was is None:
        return
    stable = facts.was.stable.version
    if stable == change.now:
        return
    before = _value(facts, stable, gate.name)
    if found is None or before is None:
        if gate.bound is not None and found is None:
            return  # the bound says so
        lacks = number if found is None else ref_name(stable)
        both = f"{number} and {ref_name(stable)}"
        told = f"{facts.model} {lacks} records no {gate.name}: {both} are not comparable"
        yield _gate(facts, change, "metrics", False, told, f"publish a version that records {gate.name}")
        return
    share = float(gate.regression.removesuffix("%")) / 100
    slack = abs(before) * share
    met = found <= before + slack if gate.better == "lower" else found >= before - slack
    told = (
        f"{gate.name} of {number} is {found:g}, that of {ref_name(stable)}, which is stable, {before:g}; "
        f"{gate.better} is better, {gate.regression} worse is allowed"
    )
    yield _gate(facts, change, "metrics", met, told, "pin a version that is better")


def _value(facts: Facts, ref: str | None, name: str) -> float | None:
    version = facts.head.value(VERSION, facts.model, ref_name(ref or ""))
    return (version.value.metrics or {}).get(name) if version is not None else None


def _reason(facts: Facts, change: PinChange) -> Gate:
    now, was = facts.now_pin.reason, facts.was.reason if facts.was is not None else None
    if now is None:
        return _gate(
            facts,
            change,
            "reason",
            False,
            f"{facts.environment} demands a reason",
            "add `reason: {text, link}`",
        )
    if was is not None and (now.text, now.link) == (was.text, was.link):
        told = f"the reason is still that of the change before: {visible(now.text)}"
        return _gate(facts, change, "reason", False, told, "say why this version", route=("reason",))
    return _gate(facts, change, "reason", True, f"reason: {visible(now.text)}")


def _signed(facts: Facts, names: Sequence[str]) -> Iterator[Gate]:
    """Yield whether each version that a slot gets is signed: also one that only loads, as a shadow does.

    Who a signer is, the base alone says.
    """
    settings = facts.against.base.settings
    signers = settings.signers if settings is not None else {}
    wanted = " or ".join(names)
    for slot, ref in _loaded(facts):
        number = ref_name(ref)
        version = facts.head.value(VERSION, facts.model, number)
        artifact = version.value.artifact if version is not None else None
        signature = artifact.signature if artifact is not None else None
        name = trusted_as(signature, signers, names)
        fix = "pin a version that is: `modelspec register --sign`"
        if name is not None:
            told = f"{facts.model} {number} is signed by {name}"
        elif signature is None:
            told = f"{facts.model} {number} is not signed: {facts.environment} demands {wanted}"
        else:
            by = signer_text(signature)
            told = f"{facts.model} {number} is signed by {by}, who is not {wanted} of the base"
            unknown = [one for one in names if one not in signers]
            if unknown:
                fix = (
                    f"name {' and '.join(unknown)} in `signers`, in a change of its own that is merged first"
                )
        route = next((*route, "version") for name, route, _ in facts.now_pin.slots() if name == slot)
        yield Gate("signature", slot, route, name is not None, told, None if name is not None else fix)


def _loaded(facts: Facts) -> Iterator[tuple[str, str]]:
    """Yield (slot, version) of what a slot gets and must be signed; what is restored is exempt."""
    before = {} if facts.was is None else {slot: ref for slot, _, ref in facts.was.slots()}
    restored = {change.slot for change in facts.changes if change.restores}
    known = {(one.slot, one.ref) for one in tenures(facts.log)}
    for slot, _, ref in facts.now_pin.slots():
        if before.get(slot) == ref or slot in restored:
            continue
        # What takes no answers is loaded all the same, unless it is loaded there already, or was.
        if slot in ("shadow", "standby") and (ref in before.values() or (slot, ref) in known):
            continue
        yield slot, ref


def _length(length: timedelta) -> str:
    """Return a length as people say it: `23h 10m`."""
    seconds = max(int(length.total_seconds()), 0)
    minutes = seconds // 60
    if minutes >= 48 * 60:
        hours = minutes // 60
        return f"{hours // 24}d" + (f" {hours % 24}h" if hours % 24 else "")
    if minutes >= 60:
        return f"{minutes // 60}h" + (f" {minutes % 60}m" if minutes % 60 else "")
    return f"{minutes}m" if minutes else f"{seconds}s"


def _stamp(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
