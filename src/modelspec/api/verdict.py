"""`verdict`: can a version serve in an environment today, and what would have to move with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from modelspec.compat.reading import Judgements
from modelspec.compat.verdict import Says, Standing, standing
from modelspec.compat.world import Trouble, World
from modelspec.delta.window import opened, served_ever, ways_back
from modelspec.spec.base import ref_name
from modelspec.spec.history import History
from modelspec.spec.kinds import ENVIRONMENT, FEATURE_PIN, MODEL, PIN, SCHEMA, VERSION, VIEW, Kind
from modelspec.spec.reader import Broken
from modelspec.spec.registry import Registry
from modelspec.tree.place import Place


@dataclass(frozen=True, slots=True)
class Why:
    """What keeps a version from being safe, with its places.

    `place`: in its file. `served`: what serves it otherwise. `withdrawn`: the line that took what is
    served back.
    """

    trouble: Trouble
    place: Place | None
    served: Place | None
    withdrawn: Place | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """One version: how it stands, the slots that it fills now, whether it is in the window, when it served.

    `since`: when it first was stable; `until`: when it last ceased to be; None where it never was, or where
    it still is. Both are None without a history.
    """

    standing: Standing
    whys: tuple[Why, ...]
    slots: tuple[str, ...]
    in_window: bool
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Verdicts:
    """The verdicts on one model in one environment. `recorded`: whether a history told what served.

    `unread`: the paths of the files that these verdicts hang on and that can't be read.
    """

    model: str
    environment: str
    asked: str | None
    rows: tuple[Judged, ...]
    recorded: bool
    unread: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        """The version that was asked for is SAFE; of all of them, those in the window are not UNSAFE.

        Never when a file that this hangs on can't be read: it may hold the withdrawal, or the reader.
        """
        if self.unread:
            return False
        if self.asked is not None:
            return all(row.standing.says is Says.SAFE for row in self.rows)
        return all(row.standing.open for row in self.rows if row.in_window)


def verdict(registry: Registry, model: str, environment: str, version: str) -> Verdicts:
    """Judge one published version, if it filled `stable` today."""
    world = World.of(registry, environment, Judgements(registry))
    row = _judged(world, model, _reference(registry, model, version))
    return Verdicts(model, environment, version, (row,), False, _unread(world, model, (row,)))


def verdicts(
    registry: Registry, model: str, environment: str, history: History | None, now: datetime
) -> Verdicts:
    """Judge what is pinned, what the window holds, and what ever was stable there, the latest first.

    Without a history that is what the pin names.
    """
    world = World.of(registry, environment, Judgements(registry))
    held = world.slots.get(model, ())
    stable = next((ref for slot, ref in held if slot == "stable"), None)
    revisions = history.of(PIN.locate(environment, model)) if history is not None else ()
    pin = opened(registry.reader, environment, model)
    ever = {ref: (since, until) for ref, since, until in served_ever(revisions, pin)}
    home = registry.value(ENVIRONMENT, environment)
    window: Sequence[str] = () if stable is None else (stable,)
    if stable is not None and home is not None and home.value.window is not None:
        gone = _withdrawn(registry, model)
        window = ways_back(revisions, pin, stable, home.value.window, now, gone)
    refs = dict.fromkeys([*window, *(ref for _, ref in held), *ever])
    rows = []
    for ref in refs:
        since, until = ever.get(ref, (None, None))
        rows.append(_judged(world, model, ref, window, since, until if ref != stable else None))
    return Verdicts(
        model, environment, None, tuple(rows), history is not None, _unread(world, model, tuple(rows))
    )


def _judged(
    world: World,
    model: str,
    ref: str,
    window: Sequence[str] = (),
    since: datetime | None = None,
    until: datetime | None = None,
) -> Judged:
    found = standing(world, model, ref)
    slots = tuple(slot for slot, held in world.slots.get(model, ()) if held == ref)
    whys = tuple(_why(world, trouble) for trouble in found.troubles)
    return Judged(found, whys, slots, ref in window, since, until)


def _why(world: World, trouble: Trouble) -> Why:
    """Return a trouble with its places: where the version says what it wants, and what is served instead."""
    registry = world.judgements.registry
    version = registry.value(VERSION, trouble.model, ref_name(trouble.version))
    if version is None:
        return Why(trouble, None, None)
    if trouble.kind == "needs":
        wanted = [need.model for need in version.value.needs]
        pin = registry.value(PIN, world.environment, trouble.name)
        return Why(
            trouble,
            version.place("needs", wanted.index(trouble.name), "version") if trouble.name in wanted else None,
            pin.place("stable", "version") if pin is not None else None,
        )
    views = [feature.view for feature in version.value.feature_refs]
    served = registry.value(FEATURE_PIN, world.environment, trouble.name)
    place = None
    ref = trouble.reading.served if trouble.reading is not None else None
    if served is not None:
        known = ref in served.value.serves
        place = served.place("serves", served.value.serves.index(ref)) if known and ref else None
    gone = _taken_back(registry, trouble.name, ref) if ref is not None else None
    return Why(trouble, version.place("features", views.index(trouble.name), "schema"), place, gone)


def _taken_back(registry: Registry, view: str, ref: str) -> Place | None:
    """Return the line of view.yaml that withdraws a schema, or None."""
    head = registry.value(VIEW, view)
    lines = [ref_name(one.schema_) for one in head.value.withdrawn] if head is not None else []
    if head is None or ref_name(ref) not in lines:
        return None
    return head.place("withdrawn", lines.index(ref_name(ref)), "schema")


def _unread(world: World, model: str, rows: tuple[Judged, ...]) -> tuple[str, ...]:
    """Return the paths of the files that verdicts hang on and that can't be read.

    Where moves were looked for, that is every pin of the environment and every version in a slot.
    """
    registry = world.judgements.registry
    here = world.environment
    files: list[tuple[Kind[Any], tuple[str, ...]]] = [
        (ENVIRONMENT, (here,)), (MODEL, (model,)), (PIN, (here, model)),
    ]  # fmt: skip
    files += [(VERSION, (model, ref_name(row.standing.version))) for row in rows]
    for reading in {reading for row in rows for reading in row.standing.readings}:
        files += [(VIEW, (reading.view,)), (FEATURE_PIN, (here, reading.view))]
        files += [(SCHEMA, (reading.view, ref_name(ref))) for ref in (reading.trained, reading.served) if ref]
    if any(row.standing.moves or row.standing.nearest is not None for row in rows):
        files += [(PIN, name) for name in registry.names(PIN, here)]
        files += [(FEATURE_PIN, name) for name in registry.names(FEATURE_PIN, here)]
        files += [(VERSION, (name, ref_name(ref))) for name, slots in world.slots.items() for _, ref in slots]
    found = (registry.get(kind, *name) for kind, name in files)
    return tuple(sorted({one.path for one in found if isinstance(one, Broken)}))


def _withdrawn(registry: Registry, model: str) -> frozenset[str]:
    owner = registry.value(MODEL, model)
    retired = owner.value.retired if owner is not None else ()
    return frozenset(ref_name(one.version) for one in retired if one.state == "withdrawn")


def _reference(registry: Registry, model: str, version: str) -> str:
    entry = registry.value(VERSION, model, version)
    return version if entry is None else f"{version}@{entry.digest}"
