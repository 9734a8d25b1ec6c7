"""MS3: a pinned version reads what it was trained on, or what is proven to mean the same to it."""

from __future__ import annotations

from collections.abc import Iterator

from modelspec.compat.reading import Judgements, Offer, Reading
from modelspec.compat.reads import reads
from modelspec.compat.table import Verdict
from modelspec.rules.rule import Scene, rule
from modelspec.spec.base import ref_name
from modelspec.spec.environment import FeaturePin, Pin, Revalidation
from modelspec.spec.instant import instant
from modelspec.spec.kinds import FEATURE_PIN, MODEL, PIN, SCHEMA, VERSION, VIEW
from modelspec.spec.model import ModelVersion
from modelspec.spec.reader import Entry
from modelspec.spec.semver import precedence
from modelspec.tree.finding import Problem, Related
from modelspec.tree.place import Route


@rule("MS301", "schema-served", of=PIN)
def schema_served(pin: Entry[Pin], scene: Scene) -> Iterator[Problem]:
    """A pinned version reads each field from a schema that means the same to it.

    Every slot alike. What its environment serves of a view is the very schema that the version was trained
    on, or one from which it can read every field of its `from` lists with unchanged meaning. Of two schemas
    that are served under `current` both must do; under `numbered` a version asks for its own. A breaking
    change to a field that it does not read does not concern it.

    *Why:* a model that is fed raw kilometres where it learned 0 to 1 raises no error and answers nonsense.

    *Fix:* serve the schema that it was trained on as well (`access: numbered`), or pin a version that reads
    what is served; `modelspec verdict` says which pins have to move together.
    """
    for _, route, ref, reading in _readings(pin, scene):
        if reading.verdict is Verdict.B and reading.judgement is not None:
            yield _problem(pin, route, ref, reading, _alternatives(pin, ref, reading, scene), scene)


@rule("MS302", "schema-revalidated", of=PIN)
def schema_revalidated(pin: Entry[Pin], scene: Scene) -> Iterator[Problem]:
    """What a pinned version can read with unproven effect has a revalidation recorded in its pin.

    A record lifts one pair (`trained`, `served`) for one version, and nothing else; never a breaking
    change. `trained` is the schema that this version was trained on. `at` is not after the instant at which
    the registry is checked; `compile` has no clock and does not ask.

    *Why:* a wider range, a staler value, a refreshed mean: it runs, and only a measurement tells what it
    costs. Who measured, what, and where it can be read belongs beside the pin.

    *Fix:* measure it, and add `revalidated: [{version, view, trained, served, metric, by, at, link}]` to
    the pin; or serve the schema that the version was trained on.
    """
    for _, route, ref, reading in _readings(pin, scene):
        if reading.verdict is Verdict.R and not reading.fits:
            fix = f"revalidate it on schema {ref_name(reading.served or '')} and record it in `revalidated`"
            alternatives = _alternatives(pin, ref, reading, scene)
            yield _problem(pin, route, ref, reading, f"{fix}; or {alternatives}", scene)
    for index, record in enumerate(pin.value.revalidated):
        yield from _record(pin, index, record, scene)


def _readings(pin: Entry[Pin], scene: Scene) -> Iterator[tuple[str, Route, str, Reading]]:
    """Yield (slot, its route, version reference, reading) for what the slots of a pin read."""
    judgements = _judgements(scene)
    for slot, route, ref in pin.value.slots():
        version = scene.registry.value(VERSION, pin.value.model, ref_name(ref))
        if version is None or not version.value.feature_refs:
            continue
        lifts = tuple(one for one in pin.value.revalidated if one.version == ref)
        wanted = reads(version.value)
        for feature in version.value.feature_refs:
            served = scene.registry.value(FEATURE_PIN, pin.value.environment, feature.view)
            if served is None:
                continue  # view-served says so
            offer = Offer.of(served.value)
            for reading in judgements.read(feature.view, feature.schema_, wanted[feature.view], offer, lifts):
                yield slot, route, ref, reading


def _judgements(scene: Scene) -> Judgements:
    return scene.once("judgements", lambda: Judgements(scene.registry))


def _problem(pin: Entry[Pin], route: Route, ref: str, reading: Reading, fix: str, scene: Scene) -> Problem:
    environment, model = pin.value.environment, pin.value.model
    served = scene.registry.value(FEATURE_PIN, environment, reading.view)
    related = []
    if served is not None and reading.served in served.value.serves:
        place = served.place("serves", served.value.serves.index(reading.served))
        related.append(Related(place, "served by"))
    return Problem(
        pin.place(*route, "version"),
        f"{model} {ref_name(ref)} reads {reading.view} {ref_name(reading.trained)}, "
        f"{environment} serves {ref_name(reading.served or '')}: {reading.told_of_meaning}",
        tuple(related),
        fix,
    )


def _alternatives(pin: Entry[Pin], ref: str, reading: Reading, scene: Scene) -> str:
    """Say what could be done about one reading: serve another schema, pin another version."""
    served = scene.registry.value(FEATURE_PIN, pin.value.environment, reading.view)
    number = ref_name(reading.trained)
    found = []
    if _serveable(reading.view, number, scene):
        numbered = served is not None and served.value.access == "numbered"
        if served is not None and reading.trained in served.value.serves:
            found.append("let readers ask by number (access: numbered)")
        else:
            found.append(f"serve {number} as well" + ("" if numbered else " (access: numbered)"))
    other = _version_that_stands(pin, ref, reading.view, served, scene)
    if other is not None:
        entry, at = other
        found.append(f"pin {entry.value.version}, which reads {at}")
    return ", or ".join(found) or f"train {pin.value.model} again on what is served"


def _serveable(view: str, number: str, scene: Scene) -> bool:
    head = scene.registry.value(VIEW, view)
    withdrawn = {ref_name(gone.schema_) for gone in head.value.withdrawn} if head is not None else set()
    return number not in withdrawn and scene.registry.value(SCHEMA, view, number) is not None


def _version_that_stands(
    pin: Entry[Pin], ref: str, view: str, served: Entry[FeaturePin] | None, scene: Scene
) -> tuple[Entry[ModelVersion], str] | None:
    """Return the latest version of the model that may read what is served of a view, and what it reads."""
    model = pin.value.model
    owner = scene.registry.value(MODEL, model)
    gone = {ref_name(one.version) for one in owner.value.retired} if owner is not None else set()
    names = sorted((name[1] for name in scene.registry.names(VERSION, model)), key=precedence, reverse=True)
    offer = Offer.of(served.value) if served is not None else None
    for name in names:
        entry = scene.registry.value(VERSION, model, name)
        if entry is None or name in gone or name == ref_name(ref):
            continue
        for feature in entry.value.feature_refs:
            wanted = reads(entry.value)[feature.view]
            if feature.view == view and all(
                one.stands for one in _judgements(scene).read(view, feature.schema_, wanted, offer)
            ):
                return entry, ref_name(feature.schema_)
    return None


def _record(pin: Entry[Pin], index: int, record: Revalidation, scene: Scene) -> Iterator[Problem]:
    """Judge one recorded revalidation by itself."""
    measured = instant(record.at)
    if scene.now is not None and measured is not None and measured > scene.now:
        yield Problem(
            pin.place("revalidated", index, "at"),
            f"the revalidation is of {record.at}, which is yet to come: nobody has measured it",
            fix="write when it was measured",
        )
    number = ref_name(record.version)
    version = scene.registry.value(VERSION, pin.value.model, number)
    if version is None:
        return  # its digest can't be right either: the rules on hashes say so
    trained = {feature.view: feature.schema_ for feature in version.value.feature_refs}
    if trained.get(record.view) != record.trained:
        known = trained.get(record.view)
        yield Problem(
            pin.place("revalidated", index, "trained" if known else "view"),
            f"{pin.value.model} {number} was trained on "
            + (f"{record.view} {ref_name(known)}" if known else f"no schema of {record.view}"),
            related=(Related(version.key("features"), "what it was trained on"),),
            fix="a revalidation is of the schema that the version was trained on: correct or remove it",
        )
        return
    wanted = reads(version.value)[record.view]
    found = _judgements(scene).of(record.view, record.trained, record.served, wanted)
    if not isinstance(found, str) and found.verdict is Verdict.B:
        yield Problem(
            pin.place("revalidated", index, "served"),
            f"no revalidation lifts a breaking change: {'; '.join(one.message for one in found.worst[:3])}",
            fix="remove it; move the pins together instead",
        )
