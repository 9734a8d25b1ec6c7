"""Which part of a change closed a way back: no rules, what the rule on the window says of its findings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from modelspec.compat.verdict import Standing, standing
from modelspec.compat.world import World
from modelspec.delta.pairs import Against, Change
from modelspec.rules.rule import Scene
from modelspec.spec.base import ref_name
from modelspec.spec.environment import FeaturePin, Pin
from modelspec.spec.feature import FeatureView
from modelspec.spec.kinds import ENVIRONMENT, FEATURE_PIN, MODEL, PIN, VIEW
from modelspec.spec.model import Model
from modelspec.spec.reader import Entry
from modelspec.tree.place import Place


@dataclass(frozen=True, slots=True)
class Closing:
    """The place in the head that closed a way back, how a sentence about it begins, and the fix."""

    place: Place
    words: str
    fix: str


_STEPS: Final = "or give it up on purpose: `closes` in the feature pin, with a reason"


def closing(found: Standing, head: World, base: World, against: Against, scene: Scene) -> Closing:
    """Return what closed the way back to a version that can serve in the base and can't in the head.

    A line that withdraws or retires what it depends on; else the one pin or feature pin without whose change
    the way would be open; else the first change that touches what it reads or needs.
    """
    line = next(iter(_retiring(found, against)), None)
    if line is not None:
        return line
    candidates = [*_feature_pins(found, head, base, against), *_pins(found, head, base, against)]
    for world, cause in candidates:
        if standing(world, found.model, found.version).open:
            return cause
    if candidates:
        return candidates[0][1]
    home = scene.registry.value(ENVIRONMENT, found.environment)
    owner = scene.registry.value(MODEL, found.model)
    entry: Entry[Model] | None = owner
    place = entry.key() if entry is not None else None
    if place is None:
        assert home is not None, "the window is of an environment that can be read"
        place = home.key("window")
    return Closing(place, "this change closes", f"keep what it needs, {_STEPS}")


def _retiring(found: Standing, against: Against) -> Iterator[Closing]:
    """Yield the lines of this change that withdraw a schema, or retire a version, that it needs."""
    readings = [trouble.reading for trouble in found.troubles if trouble.reading is not None]
    schemas = {ref for one in readings for ref in (one.trained, one.served) if ref is not None}
    needed = {trouble.name for trouble in found.troubles if trouble.kind == "needs"}
    for change in against.changes:
        if change.kind is VIEW and change.after is not None:
            yield from _withdrawing(change, schemas)
        elif change.kind is MODEL and change.after is not None and change.name[0] in needed:
            now: Entry[Model] = change.after
            was = {one.version for one in change.before.value.retired} if change.before is not None else set()
            for index, gone in enumerate(now.value.retired):
                if gone.version not in was:
                    yield Closing(
                        now.place("retired", index, "version"),
                        f"retiring {now.value.model} {ref_name(gone.version)} closes",
                        "retire it once the version that needs it has left the window",
                    )


def _withdrawing(change: Change[FeatureView], schemas: set[str]) -> Iterator[Closing]:
    assert change.after is not None
    was = {one.schema_ for one in change.before.value.withdrawn} if change.before is not None else set()
    for index, gone in enumerate(change.after.value.withdrawn):
        if gone.schema_ not in was and gone.schema_ in schemas:
            yield Closing(
                change.after.place("withdrawn", index, "schema"),
                f"withdrawing {change.after.value.view} {ref_name(gone.schema_)} closes",
                f"withdraw the versions that read it as well, {_STEPS}",
            )


def _feature_pins(
    found: Standing, head: World, base: World, against: Against
) -> Iterator[tuple[World, Closing]]:
    """Yield the feature pins that this change moves, each with the head as it would be without."""
    views = {trouble.name for trouble in found.troubles if trouble.kind == "reads"}
    for change in against.changes:
        if change.kind is not FEATURE_PIN or change.name[0] != found.environment or change.after is None:
            continue
        now: Entry[FeaturePin] = change.after
        view = now.value.view
        if view not in views or head.offers.get(view) == base.offers.get(view):
            continue
        before = base.offers.get(view)
        offers = {name: offer for name, offer in head.offers.items() if name != view}
        world = replace(head, offers=offers if before is None else {**offers, view: before})
        was = before.refs if before is not None else ()
        place = next((i for i, ref in enumerate(now.value.serves) if ref not in was), None)
        at = now.key("serves") if place is None else now.place("serves", place)
        kept = ", ".join(ref_name(ref) for ref in was if ref not in now.value.serves)
        fix = f"serve {kept} as well (access: numbered), " if kept else "serve what it reads as well, "
        served = ", ".join(ref_name(ref) for ref in now.value.serves)
        yield world, Closing(at, f"serving {view} {served} closes", fix + _STEPS)


def _pins(found: Standing, head: World, base: World, against: Against) -> Iterator[tuple[World, Closing]]:
    """Yield the pins that this change moves and that stand in the way, those that would break first."""
    broken = {one.model for one in found.nearest.breaks} if found.nearest is not None else set()
    needed = {trouble.name for trouble in found.troubles if trouble.kind == "needs"}
    changes = [one for one in against.changes if one.kind is PIN and one.name[0] == found.environment]
    changes.sort(key=lambda one: (one.name[1] not in broken, one.name[1] not in needed, one.name))
    for change in changes:
        if change.after is None or change.name[1] not in broken | needed | {found.model}:
            continue
        now: Entry[Pin] = change.after
        model = now.value.model
        before = base.slots.get(model)
        slots = {name: held for name, held in head.slots.items() if name != model}
        world = replace(head, slots=slots if before is None else {**slots, model: before})
        was = dict(before or ())
        moved = [(route, ref) for slot, route, ref in now.value.slots() if was.get(slot) != ref]
        needs = any(trouble.kind == "needs" for trouble in found.troubles)
        fix = (
            f"wait until {found.model} {ref_name(found.version)} has left the window"
            if needs
            else f"serve both schemas (access: numbered) before it is pinned, {_STEPS}"
        )
        for route, ref in moved[:1]:
            yield (
                world,
                Closing(
                    now.place(*route, "version"),
                    f"pinning {model} {ref_name(ref)} closes",
                    fix,
                ),
            )
