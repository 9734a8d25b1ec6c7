"""Judges a change by what it reaches: the cost grows with the change and not with the registry."""

from __future__ import annotations

from typing import Any

from modelspec.api.catalogue import CATALOGUE
from modelspec.change.impact import Reach
from modelspec.delta.pairs import Against
from modelspec.rules.rule import Scene
from modelspec.rules.run import run
from modelspec.spec.environment import FeaturePin, Pin
from modelspec.spec.kinds import FEATURE_PIN, MODEL, PIN, VERSION
from modelspec.spec.reader import Broken, Entry
from modelspec.spec.registry import Registry, Scope
from modelspec.tree.finding import Finding


def judged_change(scene: Scene, reached: Reach) -> tuple[Finding, ...]:
    """Return the findings of what a change reaches; of the whole registry where it touches more than pins."""
    against = scene.against
    if reached.whole or against is None:
        return run(CATALOGUE, scene)
    before = _scope(against.base, reached)
    paths = [one.path for one in before.entries] + [one.path for one in before.broken]
    return run(CATALOGUE, scene, _scope(scene.registry, reached, against, paths), before, wide=True)


def closure(registry: Registry, reached: Reach) -> Scope:
    """Return all that the pins which a change reaches have to be right about."""
    pins, served = reached_pins(registry, reached)
    judged = [pin for name in reached.judged if (pin := registry.value(PIN, *name)) is not None]
    return registry.closure([*pins, *judged], served)


def reached_pins(registry: Registry, reached: Reach) -> tuple[list[Entry[Pin]], list[Entry[FeaturePin]]]:
    """Return the pins and feature pins that a change reaches, as far as they can be read."""
    pins = [registry.value(PIN, *name) for name in reached.pins]
    served = [registry.value(FEATURE_PIN, *name) for name in reached.served]
    return [pin for pin in pins if pin is not None], [pin for pin in served if pin is not None]


def _scope(
    registry: Registry, reached: Reach, against: Against | None = None, paths: list[str] | None = None
) -> Scope:
    """Return the closure of what the change reaches, with what it publishes and what is at these paths.

    Broken files are in it, those of the pins that are reached too.
    """
    scope = closure(registry, reached)
    found: dict[str, Entry[Any] | Broken[Any]] = {one.path: one for one in scope.entries}
    found |= {one.path: one for one in scope.broken}
    for change in against.changes if against is not None else ():
        if change.now is not None:
            found.setdefault(change.path, change.now)
        owner = registry.value(MODEL, change.name[0]) if change.kind is VERSION else None
        if owner is not None:
            found.setdefault(owner.path, owner)
    for path in paths or ():
        entry = registry.at(path)
        if entry is not None:
            found.setdefault(path, entry)
    ordered = [entry for _, entry in sorted(found.items())]
    return Scope(
        tuple(one for one in ordered if isinstance(one, Entry)),
        tuple(one for one in ordered if isinstance(one, Broken)),
    )
