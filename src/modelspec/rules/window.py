"""MS3: the versions inside an environment's window stay deployable."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from modelspec.compat.barred import newly_barred
from modelspec.compat.pinned import needing_too, publishing
from modelspec.compat.reading import Judgements
from modelspec.compat.verdict import Standing, deployable, standing
from modelspec.compat.world import Trouble, World
from modelspec.delta.pairs import Against
from modelspec.delta.window import opened, stricter, ways_back
from modelspec.rules.closing import Closing, closing
from modelspec.rules.rule import REGISTRY, Scene, change_rule
from modelspec.spec.base import ref_name
from modelspec.spec.environment import Window
from modelspec.spec.history import Revision
from modelspec.spec.kinds import ENVIRONMENT, FEATURE_PIN, MODEL, PIN, SCHEMA, VERSION, VIEW
from modelspec.spec.semver import precedence
from modelspec.tree.finding import Problem, Related


@change_rule("MS312", "way-back-open", of=REGISTRY)
def way_back_open(against: Against, scene: Scene) -> Iterator[Problem]:
    """Every version inside the window of an environment stays deployable.

    The window holds the current stable version and those that ceased to be it at most `days` ago, `versions`
    in all, by the first-parent history; withdrawn ones are left out. Deployable is all but UNSAFE: safe as it
    is, with a revalidation, or together with other pins; a version that can read only a withdrawn schema is
    not. The base's window counts, and the head's where it is wider. A way back that the base had closed
    already is not this change's.

    *Why:* at three in the morning there must be a version to go back to. The change that takes it away is
    the one that can still be stopped.

    *Fix:* serve the old schema as well (`access: numbered`), or move in steps that keep the way open. To give
    it up on purpose, say so in the feature pin: `closes: [{model, before, reason, link}]`.
    """
    if scene.now is None:
        return
    judgements: Judgements = scene.once("judgements", lambda: Judgements(scene.registry))
    before = judgements.sharing(against.base)
    for environment, everything in _concerned(against, scene):
        limit = _limit(against, scene, environment)
        if limit is None or limit.versions < 2:
            continue
        head = World.of(scene.registry, environment, judgements)
        base = World.of(against.base, environment, before)
        chosen = sorted(head.slots) if everything else _models(against, scene, head, base)
        history = _revisions(against, environment, chosen)
        for model in chosen:
            stable = next(ref for slot, ref in head.slots[model] if slot == "stable")
            pin = opened(scene.registry.reader, environment, model)
            revisions = history(PIN.locate(environment, model))
            gone = _withdrawn(scene, model)
            for ref in ways_back(revisions, pin, stable, limit, scene.now, gone)[1:]:
                found = _closed(head, base, model, ref)
                if found is not None and not _given_up(scene, found):
                    yield _problem(found, closing(found, head, base, against, scene), scene)


def _concerned(against: Against, scene: Scene) -> list[tuple[str, bool]]:
    """Return the environments that a change may close a way in, each with whether in all of its models."""
    pinned: set[str] = set()
    everywhere = False
    for change in against.changes:
        if not change.meant:
            continue
        if change.kind in (PIN, FEATURE_PIN):
            pinned.add(change.name[0])
        elif change.kind in (MODEL, VIEW, ENVIRONMENT) or change.kind in (VERSION, SCHEMA):
            everywhere = everywhere or change.was is not None
    names = [name[0] for name in scene.registry.names(ENVIRONMENT)]
    return [(name, everywhere) for name in names if everywhere or name in pinned]


def _models(against: Against, scene: Scene, head: World, base: World) -> list[str]:
    """Return the models that what changed may concern.

    Those are the ones whose own pin moved, which need others or are needed, or with a version that reads a
    view that is served otherwise, or that what is new in a slot bars from moving. Versions are looked through
    for these words, and read only where they have one.
    """
    environment, registry = head.environment, scene.registry
    own: set[str] = set()
    views: set[str] = set()
    for change in against.changes:
        if not change.meant or change.name[:1] != (environment,):
            continue
        if change.kind is PIN:
            model = change.name[1]
            if head.slots.get(model) != base.slots.get(model):
                own.add(model)
                views |= set(newly_barred(head, base, model))
        elif change.kind is FEATURE_PIN:
            view = change.name[1]
            if head.offers.get(view) != base.offers.get(view):
                views.add(view)
    changed = (change for change in against.changes if change.kind in (PIN, VERSION))
    needing_too(against.base, registry, environment, [change.name[change.kind is PIN] for change in changed])
    own |= head.dependents.keys() | base.dependents.keys()
    for model in publishing(registry, environment, "needs", *sorted(views)) - own:
        versions = (registry.value(VERSION, *name) for name in registry.names(VERSION, model))
        if any(
            bool(entry.value.needs) or any(feature.view in views for feature in entry.value.feature_refs)
            for entry in versions
            if entry is not None
        ):
            own.add(model)
    return sorted(model for model in own if model in head.slots)


_FEW: Final = 20
"""Up to so many pins it is quicker to ask for the history of each than for that of their folder."""


def _revisions(
    against: Against, environment: str, models: Sequence[str]
) -> Callable[[str], Sequence[Revision]]:
    if len(models) <= _FEW:
        return against.history.of
    known = against.history.under(f"registry/environments/{environment}/models")
    return lambda path: known.get(path, ())


def _limit(against: Against, scene: Scene, environment: str) -> Window | None:
    base = against.base.value(ENVIRONMENT, environment)
    head = scene.registry.value(ENVIRONMENT, environment)
    return stricter(
        base.value.window if base is not None else None, head.value.window if head is not None else None
    )


def _withdrawn(scene: Scene, model: str) -> frozenset[str]:
    owner = scene.registry.value(MODEL, model)
    retired = owner.value.retired if owner is not None else ()
    return frozenset(ref_name(one.version) for one in retired if one.state == "withdrawn")


def _closed(head: World, base: World, model: str, ref: str) -> Standing | None:
    """Return how a version stands in the head when it can't serve there, though it could in the base."""
    if deployable(head, model, ref) or not deployable(base, model, ref):
        return None
    return standing(head, model, ref)


def _given_up(scene: Scene, found: Standing) -> bool:
    """Whether the feature pins of all views that it can't read give up what was before a later version."""
    if found.reason is not None or not found.troubles:
        return False
    version = precedence(ref_name(found.version))
    for trouble in found.troubles:
        pin = scene.registry.value(FEATURE_PIN, found.environment, trouble.name)
        if trouble.kind != "reads" or pin is None:
            return False
        if not any(
            way.model == found.model and version < precedence(ref_name(way.before))
            for way in pin.value.closes
        ):
            return False
    return True


_SHOWN: Final = 3


def _why(trouble: Trouble, found: Standing) -> str:
    if trouble.model != found.model:
        return f"{trouble.model} {ref_name(trouble.version)} needs {trouble.told.removeprefix('it needs ')}"
    read = trouble.reading
    if read is None:
        return trouble.told
    served = ref_name(read.served) if read.served else "nothing"
    return (
        f"it reads {read.view} {ref_name(read.trained)}, {found.environment} serves {served}: {trouble.told}"
    )


def _problem(found: Standing, cause: Closing, scene: Scene) -> Problem:
    number = ref_name(found.version)
    first = found.troubles[0] if found.troubles else None
    why = found.reason or (_why(first, found) if first is not None else "")
    broken = found.nearest.breaks if found.nearest is not None else ()
    others = sorted({f"{one.model} {ref_name(one.version)}" for one in broken if one.model != found.model})
    if others and first is not None and first.model == found.model:
        why += f"; moving back would break {', '.join(others[:_SHOWN])}"
    version = scene.registry.value(VERSION, found.model, number)
    related = () if version is None else (Related(version.key("version"), "the version that it locks out"),)
    return Problem(
        cause.place,
        f"{cause.words} {found.environment}'s way back to {found.model} {number}: {why}",
        related,
        cause.fix,
    )
