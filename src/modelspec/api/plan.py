"""`plan`: what a change does, what it reaches, what it waits for, and the way back once it is merged."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from modelspec.api.catalogue import CATALOGUE
from modelspec.api.scoped import closure, judged_change, reached_pins
from modelspec.change.impact import Name, Reach, reach
from modelspec.change.registries import FileDiff, PinDiff, RegistryDiff, registry_diff
from modelspec.compat.reading import Judgements
from modelspec.compat.verdict import Standing, standing
from modelspec.compat.world import World
from modelspec.compile.outputs import outputs_for
from modelspec.compile.target import MANIFEST
from modelspec.delta.gates import Gate, facts, gates
from modelspec.delta.pairs import Against
from modelspec.delta.pins import PinChange
from modelspec.delta.tenure import Standing as Said
from modelspec.delta.tenure import held, standings
from modelspec.rules.rule import Scene
from modelspec.rules.run import run
from modelspec.spec.kinds import PIN
from modelspec.spec.registry import Registry
from modelspec.tree.finding import Finding
from modelspec.tree.protocols import Renderer


@dataclass(frozen=True, slots=True)
class WayBack:
    """What going back from a pin means once the change is merged.

    `standing`: the verdict on what is stable today, in the environment as the change leaves it. `warm`: a
    standby holds it, so nothing has to load. `along`: what a `git revert` of this change takes along.
    `skips`: the version that a restore leaves out, when it undoes a promotion that is not the latest.
    """

    version: str
    standing: Standing
    warm: bool
    along: tuple[str, ...]
    skips: str | None = None


@dataclass(frozen=True, slots=True)
class PlannedPin:
    """One pin that differs: what the change does to it, its gates, and the way back."""

    diff: PinDiff
    gates: tuple[Gate, ...]
    back: WayBack | None


@dataclass(frozen=True, slots=True)
class Rendered:
    """One compiled file that differs: its lines as a unified diff, and whether it is new or goes."""

    path: str
    state: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a merge would change. `blocked`: a finding stands in the way."""

    diff: RegistryDiff
    pins: tuple[PlannedPin, ...]
    findings: tuple[Finding, ...]
    rendered: tuple[Rendered, ...]
    reach: Reach

    @property
    def blocked(self) -> bool:
        """Whether an error is left that no waiver lifts and that is the change's own."""
        return any(finding.blocks for finding in self.findings)

    @property
    def kinds(self) -> tuple[str, ...]:
        """What kinds of change there are, each once, the most important first."""
        found: list[str] = [change.kind for pin in self.pins for change in pin.diff.changes]
        found += [f"retire {state}" for state in _retired(self.diff.files)]
        others = (
            ("feature rollout", self.diff.served),
            ("publish", self.diff.published),
            ("publish schema", self.diff.schemas),
        )
        named = [*found, *(kind for kind, there in others if there)]
        return tuple(dict.fromkeys([*named, *(_kind(one) for one in self.diff.files)]))


def plan(
    head: Registry, against: Against, *, now: datetime, renderer: Renderer, trusted: frozenset[str]
) -> Plan:
    """Return the plan of a change; only what the change reaches is read, unless it touches more than pins."""
    reached = reach(against, head)
    logs: dict[Name, tuple[Said, ...]] = {}

    def log(environment: str, model: str) -> tuple[Said, ...]:
        if (environment, model) not in logs:
            logs[environment, model] = standings(against.history, head.reader, environment, model)
        return logs[environment, model]

    diff = registry_diff(against.base, head, log)
    scene = Scene(head, renderer, CATALOGUE, now, against, trusted)
    findings = judged_change(scene, reached)
    world = _Worlds(head)
    pins = tuple(
        _planned(one, head, against, now, log(one.environment, one.model), world, diff) for one in diff.pins
    )
    return Plan(diff, pins, findings, _rendered(scene, against, reached), reached)


class _Worlds:
    """The environments of the head, each built once."""

    def __init__(self, head: Registry) -> None:
        self.head = head
        self.judgements = Judgements(head)
        self.known: dict[str, World] = {}

    def __getitem__(self, environment: str) -> World:
        if environment not in self.known:
            self.known[environment] = World.of(self.head, environment, self.judgements)
        return self.known[environment]


def _planned(
    diff: PinDiff,
    head: Registry,
    against: Against,
    now: datetime,
    log: tuple[Said, ...],
    worlds: _Worlds,
    whole: RegistryDiff,
) -> PlannedPin:
    name = (diff.environment, diff.model)
    was, now_pin = against.base.value(PIN, *name), head.value(PIN, *name)
    if now_pin is None or diff.broken:
        return PlannedPin(diff, (), None)
    pins = (was.value if was is not None else None, now_pin.value)
    met = tuple(gates(facts(head, against, now, name, pins)))
    moved = next((one for one in diff.changes if one.slot == "stable" and one.was and one.now), None)
    back = None if moved is None else _back(diff, moved, worlds, log, whole)
    return PlannedPin(diff, met, back)


def _back(
    diff: PinDiff, moved: PinChange, worlds: _Worlds, log: tuple[Said, ...], whole: RegistryDiff
) -> WayBack:
    world = worlds[diff.environment]
    was = moved.was or ""
    standby = dict(world.slots.get(diff.model, ())).get("standby")
    along = [f"{one.environment}/{one.model}" for one in whole.pins if one is not diff]
    along += [f"{one.environment}/{one.view}" for one in whole.served]
    along += [f"{model} {version}" for model, version, _ in whole.published]
    along += [one.path for one in whole.files]
    skips = None
    if moved.kind == "restore":
        stables = [held(said.pin).get("stable") for said in log]
        before = next((ref for ref in reversed(stables) if ref is not None and ref != was), None)
        skips = before if before != moved.now else None
    return WayBack(was, standing(world, diff.model, was), standby == was, tuple(along), skips)


def _rendered(scene: Scene, against: Against, reached: Reach) -> tuple[Rendered, ...]:
    """Return how what is compiled differs, manifests apart; nothing where the head can't be compiled."""
    before = _outputs(scene, against.base, reached)
    after = _outputs(scene, scene.registry, reached)
    if after is None:
        return ()
    return tuple(_differing(before or {}, after))


def _outputs(scene: Scene, registry: Registry, reached: Reach) -> dict[str, bytes] | None:
    timeless = replace(scene, registry=registry, now=None, against=None, memo={}, found=())
    scope = closure(registry, reached)
    if scope.broken or any(one.blocks for one in run(CATALOGUE, timeless, scope)):
        return None
    found = outputs_for(timeless, *reached_pins(registry, reached))
    return {path: data for path, data in found.items() if not path.endswith("/" + MANIFEST)}


def _differing(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> Iterable[Rendered]:
    for path in sorted(before.keys() | after.keys()):
        was, now = before.get(path), after.get(path)
        if was == now:
            continue
        old, new = (
            ([] if data is None else data.decode("utf-8", "replace").splitlines()) for data in (was, now)
        )
        lines = list(difflib.unified_diff(old, new, lineterm="", n=2))[2:]
        state = "added" if was is None else "removed" if now is None else "changed"
        yield Rendered(path, state, tuple(lines))


def _lines(data: bytes | None) -> list[str]:
    return [] if data is None else data.decode("utf-8", "replace").splitlines()


_FILES = {
    "Settings": "settings",
    "Environment": "environment",
    "Waiver": "waiver",
    "Target": "template",
    "Model": "model",
    "FeatureView": "view",
}


def _kind(one: FileDiff) -> str:
    if one.path.startswith("templates/"):
        return "template"
    return _FILES.get(one.kind, "file")


def _retired(files: Iterable[FileDiff]) -> Iterator[str]:
    """Yield the states that lines of `retired` get in this change."""
    for one in files:
        for leaf in one.leaves:
            if leaf.route[:1] == ("retired",):
                before = leaf.was if isinstance(leaf.was, list) else []
                lines = leaf.now if isinstance(leaf.now, list) else [leaf.now]
                for line in lines:
                    if isinstance(line, dict) and line not in before and isinstance(line.get("state"), str):
                        yield str(line["state"])
