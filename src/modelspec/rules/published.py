"""MS3: what is newly published keeps promises: a schema that of its view, a version that of its number."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from modelspec.compat.evidence import bump, changes
from modelspec.compat.modes import Breach, breaches
from modelspec.compat.number import asked, core, following, given
from modelspec.compat.reading import explained
from modelspec.compat.table import Bump
from modelspec.delta.pairs import Change
from modelspec.rules.rule import Scene, change_rule
from modelspec.spec.base import ref_name
from modelspec.spec.feature import FeatureSchema, Mode
from modelspec.spec.kinds import SCHEMA, VERSION, VIEW
from modelspec.spec.model import ModelVersion
from modelspec.spec.reader import Entry
from modelspec.tree.finding import Problem, Related
from modelspec.tree.place import Place

_NAMES: Final = {Bump.PATCH: "patch", Bump.MINOR: "minor", Bump.MAJOR: "major"}
_MODES: Final = {"out": "BACKWARD", "back": "FORWARD"}


@change_rule("MS308", "promise-kept", of=SCHEMA)
def promise_kept(change: Change[FeatureSchema], scene: Scene) -> Iterator[Problem]:
    """A schema that is published keeps the `compatibility` that its view promises in the base.

    As the Confluent schema registry means it: BACKWARD, who is trained on the new schema can read what the
    one before serves; FORWARD, who is trained on the one before can read what the new one serves; FULL, both;
    TRANSITIVE, of all earlier schemas and not of the last one alone. The one before is the next lower number
    that is published and not withdrawn, whatever numbers are skipped. Every field has to be safe.

    *Why:* a view's owners made the promise to readers whom they do not know.

    *Fix:* publish a schema that keeps it. Or lower the promise in view.yaml first, in a change of its own: a
    breaking schema may then be published, and the rules on pins keep it from whoever can't read it.
    """
    new = change.after
    against = scene.against
    if change.was is not None or new is None or against is None:
        return
    view = new.value.view
    promised = against.base.value(VIEW, view)
    if promised is None or promised.value.compatibility == "NONE":
        return
    head = scene.registry.value(VIEW, view)
    gone = {ref_name(one.schema_) for one in head.value.withdrawn} if head is not None else set()
    others = [
        entry.value
        for entry in scene.registry.entries(SCHEMA, view)
        if entry.path != new.path and str(entry.value.number) not in gone
    ]
    related = () if head is None else (Related(head.key("compatibility"), "the promise"),)
    mode = promised.value.compatibility
    fresh = {one.number for one in others if against.base.get(SCHEMA, view, str(one.number)) is None}
    for newer, broken in _breaches(mode, others, new.value, fresh):
        older = broken.earlier
        reader, offer = (newer, older) if broken.column == "out" else (older, newer)
        yield Problem(
            _place(new, broken),
            f"{view} is {mode}, and who is trained on {reader.number} can't safely read {offer.number}: "
            f"{explained(broken.judgement)}",
            related,
            f"publish a schema that is {_MODES[broken.column]} compatible with the other one, "
            "or lower the promise in a change of its own",
        )


def _breaches(
    mode: Mode, others: list[FeatureSchema], new: FeatureSchema, fresh: set[int]
) -> Iterator[tuple[FeatureSchema, Breach]]:
    """Yield the later one of a pair with its breach; a number filled in late is also judged as an earlier.

    A later one that is published by the same change (`fresh`) judges that pair itself.
    """
    ordered = sorted(others, key=lambda one: one.number)
    earlier = [one for one in ordered if one.number < new.number]
    later = [one for one in ordered if one.number > new.number]
    yield from ((new, one) for one in breaches(mode, earlier, new))
    for other in later if mode.endswith("_TRANSITIVE") else later[:1]:
        if other.number not in fresh:
            yield from ((other, one) for one in breaches(mode, (new,), other))


def _place(new: Entry[FeatureSchema], broken: Breach) -> Place:
    """Return the first field that breaks the promise, or the list of fields where it is not in it."""
    worst = broken.judgement.verdict
    names = {field.field for field in broken.judgement.fields if field.verdict is worst}
    for index, field in enumerate(new.value.fields):
        if field.name in names or field.alias in names:
            return new.place("fields", index)
    return new.key("fields")


@change_rule("MS309", "bump-earned", of=VERSION)
def bump_earned(change: Change[ModelVersion], scene: Scene) -> Iterator[Problem]:
    """A version that is published has at least the bump that its changes ask for.

    Compared with its parent, or with the nearest release among its ancestors where one of the two is a
    prerelease (a prerelease counts as its core). A change that breaks who serves or calls it today asks for a
    major, any other change of the contract for a minor, an equal contract for a patch: the largest over the
    fields that it reads, its signature and its artifact, by the change table. On 0.y.z a major counts as a
    minor. Without a release among its ancestors it is not judged.

    *Why:* people decide by the number whether a version can be rolled out without asking anybody.

    *Fix:* publish it under the number that the finding names, or a higher one.
    """
    new = change.after
    if change.was is not None or new is None:
        return
    release = _release(new.value, scene)
    if release is None:
        return
    found = list(changes(release.value, new.value, lambda view, ref: _schema(scene, view, ref)))
    was, now = core(release.value.version), core(new.value.version)
    wanted = bump(found)
    least, step = asked(now, wanted), given(was, now)
    if step is None or step >= least:
        return
    causes = [one.message for one in found if one.bump is wanted]
    more = f"; and {len(causes) - _SHOWN} more" if len(causes) > _SHOWN else ""
    yield Problem(
        new.place("version"),
        f"{new.value.version} is a {_NAMES[step]} after {release.value.version}, what changed asks for a "
        f"{_NAMES[least]}: {'; '.join(causes[:_SHOWN])}{more}",
        (Related(new.key("lineage", "parent"), "its parent"),),
        f"publish it as {following(was, least)} or higher",
    )


_SHOWN: Final = 3


def _release(new: ModelVersion, scene: Scene) -> Entry[ModelVersion] | None:
    """Return the nearest ancestor that is no prerelease, or None; parents that go in a ring end nowhere."""
    seen = {new.version}
    ref = new.lineage.parent if new.lineage is not None else None
    while ref is not None and ref_name(ref) not in seen:
        seen.add(ref_name(ref))
        parent = scene.registry.value(VERSION, new.model, ref_name(ref))
        if parent is None or "-" not in parent.value.version:
            return parent
        ref = parent.value.lineage.parent if parent.value.lineage is not None else None
    return None


def _schema(scene: Scene, view: str, ref: str) -> FeatureSchema | None:
    found = scene.registry.value(SCHEMA, view, ref_name(ref))
    return None if found is None else found.value
