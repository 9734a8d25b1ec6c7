"""`compile`: the serving configs of some pins, or the findings that stand in the way."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from modelspec.api.catalogue import CATALOGUE
from modelspec.compile.outputs import outputs_for
from modelspec.rules.rule import Scene
from modelspec.rules.run import run, sorted_findings, together
from modelspec.spec.environment import FeaturePin, Pin
from modelspec.spec.kinds import ENVIRONMENT, FEATURE_PIN, PIN
from modelspec.spec.part import Part, Share, alone
from modelspec.spec.reader import Broken, Entry
from modelspec.spec.registry import Registry, Scope
from modelspec.tree.finding import Finding
from modelspec.tree.protocols import Renderer


@dataclass(frozen=True, slots=True)
class Built:
    """Outputs by path, complete for every folder in `folders`; empty when a finding blocks."""

    outputs: dict[str, bytes]
    findings: tuple[Finding, ...]
    pins: int
    """How many pins and feature pins were compiled."""
    scope: tuple[str, ...]
    """The folders that hold these outputs and nothing else: what else is there goes."""

    @property
    def blocked(self) -> bool:
        """Whether an error is left that no waiver lifts."""
        return any(finding.blocks for finding in self.findings)


def build(
    registry: Registry,
    *,
    renderer: Renderer,
    trusted: frozenset[str],
    environment: str | None = None,
    model: str | None = None,
    memo: dict[object, Any] | None = None,
    share: Share = alone,
) -> Built:
    """Compile the pins of one environment, of one model, of both, or all of them.

    Only the closure of the chosen pins is judged, and neither clock nor history is asked, so nothing
    that time did can stop a rollback. With the `memo` that a check of the same registry was given, what
    that worked out (every rendered pin) is not worked out again. `share` compiles several parts of a
    large registry at a time.
    """
    known = {} if memo is None else memo
    scene = Scene(registry, renderer, catalogue=CATALOGUE, trusted=trusted, memo=known)
    parts = share(partial(_build, scene, environment, model))
    findings = sorted_findings(together([part.findings for part in parts]))
    blocked = any(finding.blocks for finding in findings)
    outputs: dict[str, bytes] = {}
    for part in parts if not blocked else ():
        outputs |= part.outputs
    pins = sum(part.pins for part in parts)
    return Built(dict(sorted(outputs.items())), findings, pins, _scope(registry, environment, model))


@dataclass(frozen=True, slots=True)
class _Built:
    """What the pins of one part compile to."""

    findings: tuple[Finding, ...]
    outputs: dict[str, bytes]
    pins: int


def _build(scene: Scene, environment: str | None, model: str | None, part: Part) -> _Built:
    registry = scene.registry
    pins, broken = _chosen(registry, environment, model, part)
    feature_pins: list[Entry[FeaturePin]] = []
    if model is None:
        for name in registry.names(FEATURE_PIN, *([environment] if environment else [])):
            served = registry.get(FEATURE_PIN, *name) if part.has(FEATURE_PIN.locate(*name)) else None
            if isinstance(served, Entry):
                feature_pins.append(served)
            elif served is not None:
                broken.append(served)
    scope = registry.closure(pins, feature_pins)
    known = {one.path for one in scope.broken}
    scope = Scope(scope.entries, (*scope.broken, *(one for one in broken if one.path not in known)))
    findings = run(CATALOGUE, scene, scope)
    blocked = any(finding.blocks for finding in findings)
    outputs = {} if blocked else outputs_for(scene, pins, feature_pins)
    return _Built(findings, outputs, len(pins) + len(feature_pins))


def _scope(registry: Registry, environment: str | None, model: str | None) -> tuple[str, ...]:
    if model is None:
        return ("compiled",) if environment is None else (f"compiled/{environment}",)
    places = [environment] if environment is not None else [name[0] for name in registry.names(ENVIRONMENT)]
    return tuple(f"compiled/{place}/models/{model}" for place in places)


def _chosen(
    registry: Registry, environment: str | None, model: str | None, part: Part
) -> tuple[list[Entry[Pin]], list[Broken[Pin] | Broken[FeaturePin]]]:
    pins: list[Entry[Pin]] = []
    broken: list[Broken[Pin] | Broken[FeaturePin]] = []
    if environment is not None and model is not None:
        found = [one for one in (registry.get(PIN, environment, model),) if one is not None]
    else:
        names = registry.names(PIN, *([environment] if environment else []))
        chosen = [
            name for name in names if (model is None or name[1] == model) and part.has(PIN.locate(*name))
        ]
        found = [one for name in chosen if (one := registry.get(PIN, *name)) is not None]
    for one in found:
        if isinstance(one, Entry):
            pins.append(one)
        else:
            broken.append(one)
    return pins, broken
