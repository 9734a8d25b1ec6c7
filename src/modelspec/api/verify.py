"""`verify`: which versions, and the level of each component from what was found, against `requires`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from modelspec.api.claims import Claim, Claims, Outcome
from modelspec.delta.tenure import Tenure, standings, tenures
from modelspec.spec.base import ref_name
from modelspec.spec.environment import LEVELS, Level
from modelspec.spec.history import History
from modelspec.spec.instant import days, earlier
from modelspec.spec.kinds import ENVIRONMENT, PIN, VERSION
from modelspec.spec.model import COMPONENTS
from modelspec.spec.registry import Registry

Name = tuple[str, str]
"""(model, version)."""
SIGNER: Final = "signer"
"""What the part is called that says who signed: of all that is verified, the one thing to read."""


@dataclass(frozen=True, slots=True)
class Held:
    """One thing that a component rests on, and how far it holds."""

    component: str
    what: str
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Row:
    """A version, the level of each component, and what is wrong."""

    model: str
    version: str
    digest: str
    levels: Mapping[str, Level]
    held: tuple[Held, ...]
    unmet: tuple[str, ...]
    """What an environment requires and does not get."""

    @property
    def fails(self) -> bool:
        """Whether anything is wrong with it."""
        return bool(self.unmet) or any(held.outcome.wrong for held in self.held)


def pinned(registry: Registry, environment: str | None = None) -> dict[Name, set[str]]:
    """Return every pinned version, in any slot, with the environments that pin it."""
    found: dict[Name, set[str]] = {}
    for where, model in registry.names(PIN, *([environment] if environment else [])):
        pin = registry.value(PIN, where, model)
        for _, _, ref in pin.value.slots() if pin is not None else ():
            found.setdefault((model, ref_name(ref)), set()).add(where)
    return found


def unread(registry: Registry, environment: str | None = None) -> list[str]:
    """Return the paths of pins and environments that can't be read: what they say is not known."""
    within = [environment] if environment else []
    heads = [
        name for name in registry.names(ENVIRONMENT, *within) if registry.value(ENVIRONMENT, *name) is None
    ]
    pins = [name for name in registry.names(PIN, *within) if registry.value(PIN, *name) is None]
    return [*(ENVIRONMENT.locate(*name) for name in heads), *(PIN.locate(*name) for name in pins)]


def windowed(
    registry: Registry, history: History, now: datetime, environment: str | None = None
) -> dict[Name, set[str]]:
    """Return the versions in the window of each environment: those that were stable there lately.

    The current one counts as one of the window's `versions`; the others ceased to be stable at most
    `days` before `now`, the latest first.
    """
    found: dict[Name, set[str]] = {}
    for where, model in registry.names(PIN, *([environment] if environment else [])):
        place = registry.value(ENVIRONMENT, where)
        if place is None or place.value.window is None:
            continue
        window = place.value.window
        log = standings(history, registry.reader, where, model)
        stable = [tenure for tenure in tenures(log) if tenure.slot == "stable"]
        oldest = earlier(now, days(window.days))
        latest = sorted(stable, key=lambda tenure: _end(tenure, now), reverse=True)
        refs = dict.fromkeys(tenure.ref for tenure in latest if _end(tenure, now) >= oldest)
        for ref in list(refs)[: window.versions]:
            found.setdefault((model, ref_name(ref)), set()).add(where)
    return found


def every(registry: Registry, model: str | None = None) -> dict[Name, set[str]]:
    """Return every version that has a file, with the environments that pin it."""
    known = pinned(registry)
    names = registry.names(VERSION, *([model] if model else []))
    return {(name[0], name[1]): known.get((name[0], name[1]), set()) for name in names}


def changed(registry: Registry, base: Registry) -> dict[Name, set[str]]:
    """Return the versions that a change brings or puts somewhere, with the environments that pin them.

    Those are the versions that are new, and those that an environment did not pin before; all that it pins
    where it demands something else than before; and all that is pinned when stores or signers are others.
    """
    now, before = pinned(registry), pinned(base)
    whole = _trusted(registry) != _trusted(base)
    harder = {
        name[0] for name in registry.names(ENVIRONMENT) if _demands(registry, *name) != _demands(base, *name)
    }
    found = {
        name: places
        for name, places in now.items()
        if whole
        or places & harder
        or places - before.get(name, set())
        or _identity(registry, name) != _identity(base, name)
    }
    known = set(base.names(VERSION))
    for name in registry.names(VERSION):
        if name not in known:
            found.setdefault((name[0], name[1]), now.get((name[0], name[1]), set()))
    return found


def subset(names: Iterable[Name], part: int, parts: int) -> list[Name]:
    """Return the share `part` (from 1) of `parts`: the same on every machine, whatever else there is."""
    return [
        name
        for name in sorted(names)
        if int(hashlib.sha256("@".join(name).encode()).hexdigest(), 16) % parts == part - 1
    ]


def rows(
    registry: Registry,
    versions: Sequence[Claims],
    outcomes: Mapping[Claim, Outcome],
    serving: Mapping[Name, Iterable[str]],
) -> tuple[Row, ...]:
    """Return a row for each version; a component is as well known as the least of what it rests on."""
    return tuple(_row(registry, one, outcomes, serving.get((one.model, one.version), ())) for one in versions)


def _row(registry: Registry, one: Claims, outcomes: Mapping[Claim, Outcome], serving: Iterable[str]) -> Row:
    held = [
        *(Held(component, what, outcome) for component, what, outcome in one.known),
        *(Held(part.component, part.what, outcomes[part.claim]) for part in one.parts),
    ]
    levels: dict[str, Level] = {}
    for name in COMPONENTS:
        mine = [entry.outcome.level for entry in held if entry.component == name]
        levels[name] = min(mine, key=LEVELS.index) if mine else "recorded"
    unmet = []
    for environment in sorted(serving):
        place = registry.value(ENVIRONMENT, environment)
        if place is None:
            continue
        for name in COMPONENTS:
            wanted = getattr(place.value.requires, name)
            if LEVELS.index(levels[name]) < LEVELS.index(wanted):
                unmet.append(f"{environment} requires {name} to be {wanted}: it is {levels[name]}")
    order = {name: index for index, name in enumerate(COMPONENTS)}
    held.sort(key=lambda entry: order[entry.component])
    return Row(one.model, one.version, one.digest, levels, tuple(held), tuple(unmet))


def _trusted(registry: Registry) -> object:
    settings = registry.settings
    return None if settings is None else (settings.stores, settings.signers)


def _demands(registry: Registry, environment: str) -> object:
    place = registry.value(ENVIRONMENT, environment)
    return None if place is None else (place.value.requires, place.value.gates.signature)


def _identity(registry: Registry, name: Name) -> str | None:
    entry = registry.value(VERSION, *name)
    return None if entry is None else entry.digest


def _end(tenure: Tenure, now: datetime) -> datetime:
    return now if tenure.until is None else tenure.until.time
