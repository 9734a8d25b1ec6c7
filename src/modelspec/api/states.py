"""The state of each version, derived from pins and never stored: Production, Canary, Staging, ..."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from modelspec.spec.base import ref_name
from modelspec.spec.kinds import ENVIRONMENT, MODEL, PIN, VERSION
from modelspec.spec.reader import Broken
from modelspec.spec.registry import Registry
from modelspec.spec.semver import precedence


@dataclass(frozen=True, slots=True, order=True)
class State:
    """What a version is in one environment; `environment` is "" for Archived and Withdrawn."""

    name: str
    environment: str = ""
    weight: int | None = None

    def __str__(self) -> str:
        """Return the state as people read it: `Canary 10% (production)`."""
        share = "" if self.weight is None else f" {self.weight}%"
        where = f" ({self.environment})" if self.environment else ""
        return f"{self.name}{share}{where}"


States = Mapping[tuple[str, str], tuple[State, ...]]


def states(registry: Registry, model: str | None = None) -> States:
    """Return the states of every pinned or retired version, by (model, version).

    Reads the pins and the models, and no version.
    """
    found: dict[tuple[str, str], list[State]] = defaultdict(list)
    for environment, pinned in registry.names(PIN):
        if model is not None and pinned != model:
            continue
        pin, place = registry.value(PIN, environment, pinned), registry.value(ENVIRONMENT, environment)
        if pin is None:
            continue
        stage = place.value.stage.capitalize() if place is not None else "Stable"
        for slot, route, ref in pin.value.slots():
            name = stage if slot == "stable" else "Variant" if route[0] == "variants" else slot.capitalize()
            found[pinned, ref_name(ref)].append(State(name, environment, _weight(pin.value, slot)))
    for owner in registry.entries(MODEL, *([model] if model else [])):
        for retired in owner.value.retired:
            found[owner.value.model, ref_name(retired.version)].append(State(retired.state.capitalize()))
    return {key: tuple(listed) for key, listed in found.items()}


def _weight(pin: object, slot: str) -> int | None:
    canary = getattr(pin, "canary", None)
    if slot == "canary" and canary is not None:
        weight: int = canary.weight
        return weight
    variant = getattr(pin, "variants", {}).get(slot)
    return None if variant is None else variant.weight


def unread(registry: Registry, model: str | None = None) -> tuple[str, ...]:
    """Return the paths of the files that states are derived from and that can't be read.

    A version that only they name as pinned or withdrawn looks as if it were neither.
    """
    files = [
        *registry.all(ENVIRONMENT),
        *registry.all(MODEL, *([model] if model else [])),
        *(
            registry.get(PIN, environment, pinned)
            for environment, pinned in registry.names(PIN)
            if model in (None, pinned)
        ),
    ]
    return tuple(sorted(file.path for file in files if isinstance(file, Broken)))


def versions(registry: Registry, model: str) -> list[str]:
    """Return the published versions of a model, the highest first."""
    return sorted((name[1] for name in registry.names(VERSION, model)), key=precedence, reverse=True)


@dataclass(frozen=True, slots=True)
class Listed:
    """One row of `list`: a version and its states; none means published and not pinned."""

    model: str
    version: str
    states: tuple[State, ...]


def listed(registry: Registry, model: str | None = None, environment: str | None = None) -> list[Listed]:
    """Return the versions of all models or one, sorted by model, the highest version first.

    With `environment` only what is pinned there. A pin of a version that has no file has no row: that is
    a finding.
    """
    known = states(registry, model)
    models = [model] if model is not None else [name[0] for name in registry.names(MODEL)]
    rows = [
        Listed(name, version, known.get((name, version), ()))
        for name in models
        for version in versions(registry, name)
    ]
    if environment is None:
        return rows
    return [row for row in rows if any(state.environment == environment for state in row.states)]
