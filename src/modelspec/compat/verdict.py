"""Can this version serve here today, and what would have to move with it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from modelspec.compat.copins import Move, Nearest, least, nearest, ways_to_serve
from modelspec.compat.reading import Reading, worst
from modelspec.compat.table import Verdict
from modelspec.compat.world import Trouble, World
from modelspec.spec.base import ref_name
from modelspec.spec.kinds import ENVIRONMENT, MODEL, VERSION
from modelspec.spec.reader import Broken
from modelspec.tree.text import visible


class Says(Enum):
    """The four answers."""

    SAFE = "SAFE"
    REVALIDATE = "NEEDS REVALIDATION"
    CO_PINS = "SAFE WITH CO-PINS"
    UNSAFE = "UNSAFE"


@dataclass(frozen=True, slots=True)
class Standing:
    """How one version stands in one environment, if it filled one slot of it today.

    `readings`: what it would read. `troubles`: what keeps it from being safe, of its own and of others.
    `moves`: the least set of pins that moves with it (also offered as another way when it needs a
    revalidation). `nearest`: when it is unsafe, the moves that come nearest and whom they break.
    `reason`: why it may not serve whatever moves (it is withdrawn, or unknown).
    """

    model: str
    version: str
    environment: str
    says: Says
    readings: tuple[Reading, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    moves: tuple[Move, ...] = ()
    nearest: Nearest | None = None
    reason: str | None = None

    @property
    def open(self) -> bool:
        """Whether the window counts this version as a way back."""
        return self.says is not Says.UNSAFE

    @property
    def exposed(self) -> bool:
        """Whether old and new meet while the moves roll out; an added number is there before its readers."""
        return any(not move.added for move in self.moves)


def standing(world: World, model: str, ref: str, slot: str = "stable", *, search: bool = True) -> Standing:
    """Return how a version (`2.3.1@sha256:...`, or bare where no revalidation counts) stands in a world.

    Without `search` the moves are not looked for, and what would need them is UNSAFE.
    """
    reason = _barred(world, model, ref)
    if reason is not None:
        return Standing(model, ref, world.environment, Says.UNSAFE, reason=reason)
    readings = world.readings(model, ref)
    troubles = [
        Trouble(model, slot, ref, "reads", reading.view, reading.told, reading)
        for reading in readings
        if not reading.stands
    ]
    needs = [*_needs(world, model, ref, slot)]
    if not troubles and not needs:
        return Standing(model, ref, world.environment, Says.SAFE, readings)
    found = (*troubles, *needs)
    moves = least(world, model, ref, slot) if search else None
    if not needs and worst(readings) is Verdict.R:
        return Standing(model, ref, world.environment, Says.REVALIDATE, readings, found, moves or ())
    if moves is not None:
        return Standing(model, ref, world.environment, Says.CO_PINS, readings, found, moves)
    near = nearest(world, model, ref, slot) if search else None
    return Standing(model, ref, world.environment, Says.UNSAFE, readings, found, nearest=near)


def deployable(world: World, model: str, ref: str) -> bool:
    """Return `standing(world, model, ref).open`, much faster where no `needs` tie the model to others.

    Then nothing moves with it but feature pins, each for itself; versions of a model that read the same
    stand alike.
    """
    judgements = world.judgements
    entry, demands = judgements.version(model, ref), judgements.demands(model, ref)
    tied = model in world.tied or model in world.revalidated
    if entry is None or not demands or tied or entry.value.needs:
        return standing(world, model, ref).open
    found = world.memo.get((model, demands))
    if found is None:
        found = world.memo[model, demands] = _finds_room(world, model, ref)
    return found and ref_name(ref) not in judgements.withdrawn(model)


def _finds_room(world: World, model: str, ref: str) -> bool:
    """Whether each view that a version can't read may be served so that it can and nobody else is broken."""
    readings = [one for one in world.readings(model, ref) if not one.stands]
    if worst(readings) is not Verdict.B:
        return True
    return all(
        any(
            all((one.model, one.slot) == (model, "stable") for one in world.broken_by(view, offer))
            for offer in ways_to_serve(world, view, model, ref)
        )
        for view in {one.view for one in readings}
    )


def standings(world: World, model: str, refs: Iterable[str]) -> tuple[Standing, ...]:
    """Return how several versions of one model stand, in the order given."""
    return tuple(standing(world, model, ref) for ref in refs)


def _barred(world: World, model: str, ref: str) -> str | None:
    """Why a version may not serve here whatever moves with it, or None."""
    registry = world.judgements.registry
    if world.version(model, ref) is None:
        broken = isinstance(registry.get(VERSION, model, ref_name(ref)), Broken)
        lost = "can't be read" if broken else "is not published"
        return f"{model} {ref_name(ref)} {lost}"
    owner = registry.value(MODEL, model)
    for gone in owner.value.retired if owner is not None else ():
        if gone.state == "withdrawn" and ref_name(gone.version) == ref_name(ref):
            return f"it is withdrawn: {visible(gone.reason)}"
    if world.lost(model, ref):
        home = registry.value(ENVIRONMENT, world.environment)
        if home is None or home.value.requires.features != "unknown":
            return "nobody recorded which features it reads"
    return None


def _needs(world: World, model: str, ref: str, slot: str) -> tuple[Trouble, ...]:
    """What the version needs and does not find, and who needs the version that it would replace."""
    version = world.version(model, ref)
    dependents = world.dependents.get(model, ())
    if (version is None or not version.needs) and not dependents:
        return ()
    placed = world.placing(model, ref, slot)
    own = list(placed.need_troubles(model, slot, ref))
    others = []
    for who, other, held in dependents:
        if (who, other) == (model, slot):
            continue
        before = {one.identity for one in world.need_troubles(who, other, held)}
        others += [
            one
            for one in placed.need_troubles(who, other, held)
            if one.name == model and one.identity not in before
        ]
    return (*own, *others)
