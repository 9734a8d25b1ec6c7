"""MS3: while one change rolls out, old meets new: the moment in between is judged as well."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from modelspec.compat.reading import Judgements, Offer, Reading
from modelspec.compat.reads import reads
from modelspec.delta.pairs import Against, Change
from modelspec.delta.pins import pin_changes
from modelspec.delta.tenure import held, standings
from modelspec.rules.rule import REGISTRY, Scene, change_rule
from modelspec.spec.base import ref_name
from modelspec.spec.environment import FeaturePin, Pin
from modelspec.spec.kinds import FEATURE_PIN, PIN, VERSION
from modelspec.spec.reader import Entry
from modelspec.tree.finding import Problem, Related


@change_rule("MS310", "transition-safe", of=REGISTRY)
def transition_safe(against: Against, scene: Scene) -> Iterator[Problem]:
    """A promotion that moves a pin and what its environment serves at once is safe in between too.

    Where a change moves both, each version that leaves a slot can read what the head serves under `current`,
    and each version that comes can read what the base serves. A restore is judged by MS311.

    *Why:* one commit is atomic in git, not in the world: old pods meet new features for as long as it takes.

    *Fix:* serve both schemas (`access: numbered`), move the readers, then drop the old one; or record a
    revalidation where the effect is only unproven.
    """
    return (one.problem for one in _exposures(against, scene) if not one.restores)


@change_rule("MS311", "restore-exposed", of=REGISTRY, severity="warn")
def restore_exposed(against: Against, scene: Scene) -> Iterator[Problem]:
    """A restore that moves a pin and what its environment serves at once is exposed in between: a warning.

    *Why:* going back must not wait for three changes; who does it should know what the moments in between
    bring.

    *Fix:* go back; watch what is answered until both have moved. With `access: numbered` and both schemas
    served there is no such moment.
    """
    return (one.problem for one in _exposures(against, scene) if one.restores)


@dataclass(frozen=True, slots=True)
class _Exposure:
    problem: Problem
    restores: bool


def _exposures(against: Against, scene: Scene) -> tuple[_Exposure, ...]:
    return scene.once("exposures", lambda: tuple(_found(against, scene)))


def _found(against: Against, scene: Scene) -> Iterator[_Exposure]:
    served: dict[str, list[Change[FeaturePin]]] = {}
    for change in against.changes:
        if change.kind is not FEATURE_PIN or change.before is None or change.after is None:
            continue
        if Offer.of(change.before.value) != Offer.of(change.after.value):
            served.setdefault(change.name[0], []).append(change)
    for change in against.changes:
        if change.kind is PIN and change.after is not None and served.get(change.name[0]):
            yield from _of_pin(change, served[change.name[0]], against, scene)


def _of_pin(
    change: Change[Pin], served: list[Change[FeaturePin]], against: Against, scene: Scene
) -> Iterator[_Exposure]:
    assert change.after is not None
    before, after = change.before, change.after
    old, new = held(before.value if before is not None else None), held(after.value)
    problems = [
        problem
        for view in served
        for slots, offers, words in (
            ({s: r for s, r in old.items() if r not in new.values()}, view.after, "old and new"),
            ({s: r for s, r in new.items() if r not in old.values()}, view.before, "new and old"),
        )
        if offers is not None
        for slot, ref in slots.items()
        for problem in _skewed(change, view, slot, ref, offers.value, words == "old and new", against, scene)
    ]
    if problems:
        restores = _restores(change, against, scene)
        for problem in problems:
            yield _Exposure(problem, restores)


def _skewed(
    change: Change[Pin],
    view: Change[FeaturePin],
    slot: str,
    ref: str,
    offered: FeaturePin,
    leaves: bool,
    against: Against,
    scene: Scene,
) -> Iterator[Problem]:
    """Judge one version, that leaves or comes, against what the other side serves under `current`."""
    if offered.access != "current" or change.after is None or view.after is None:
        return
    environment, model = change.name
    entry = scene.registry.value(VERSION, model, ref_name(ref)) or against.base.value(
        VERSION, model, ref_name(ref)
    )
    if entry is None:
        return
    judgements: Judgements = scene.once("judgements", lambda: Judgements(scene.registry))
    pins = [side.value for side in (change.before, change.after) if side is not None]
    lifts = [one for pin in pins for one in pin.revalidated if one.version == ref]
    wanted = reads(entry.value)
    for feature in entry.value.feature_refs:
        if feature.view != offered.view:
            continue
        offer = Offer.of(offered)
        for met in judgements.read(feature.view, feature.schema_, wanted[feature.view], offer, lifts):
            if not met.fits:  # a withdrawn one that leaves is no reason to stay
                yield _problem(change.after, view.after, slot, ref, met, leaves, environment)


def _problem(
    pin: Entry[Pin],
    served: Entry[FeaturePin],
    slot: str,
    ref: str,
    met: Reading,
    leaves: bool,
    environment: str,
) -> Problem:
    routes = {name: route for name, route, _ in pin.value.slots()}
    who = f"{pin.value.model} {ref_name(ref)}, " + ("which leaves," if leaves else "which comes,")
    stays = not leaves and met.served in served.value.serves
    moves = "comes" if leaves else "is current until then" if stays else "leaves"
    what = f"{met.view} {ref_name(met.served or '')}, which {moves}"
    both = sorted({ref_name(met.trained), ref_name(met.served or met.trained)}, key=int)
    step = f"serve {' and '.join(both)} with `access: numbered`"
    ready = stays and served.value.access == "numbered" and met.trained in served.value.serves
    fix = (
        f"{step} in a change of its own, before this one moves the reader"
        if ready
        else f"{step}, move the readers, then drop the old one"
    )
    return Problem(
        pin.place(*routes.get(slot, ("stable",)), "version"),
        f"while this rolls out in {environment}, {who} meets {what}: {met.told_of_meaning}",
        (Related(served.key("serves"), "moved at once with it"),),
        fix,
    )


def _restores(change: Change[Pin], against: Against, scene: Scene) -> bool:
    """Whether a change of a pin goes back and promotes nothing, by the history of the base."""
    log = standings(against.history, scene.registry.reader, *change.name)
    before = change.before.value if change.before is not None else None
    kinds = pin_changes(before, change.after.value if change.after is not None else None, log)
    back = any(one.restores for one in kinds)
    return back and not any(one.promotes or one.kind == "first deployment" for one in kinds)
