"""MS5: what is withdrawn is not served, and what a pinned version reads or needs is served beside it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from modelspec.rules.rule import Scene, rule
from modelspec.spec.base import differs_in_digest, ref_beside, ref_name
from modelspec.spec.environment import FeaturePin, Pin
from modelspec.spec.feature import FeatureView
from modelspec.spec.kinds import (
    FEATURE_PIN,
    MODEL,
    PIN,
    VERSION,
    VIEW,
)
from modelspec.spec.model import Model, Need
from modelspec.spec.reader import Entry
from modelspec.tree.finding import Problem, Related
from modelspec.tree.text import visible


@rule("MS510", "withdrawn-not-pinned", of=PIN)
def withdrawn_not_pinned(pin: Entry[Pin], scene: Scene) -> Iterator[Problem]:
    """No slot pins a version that its model has withdrawn.

    An archived one may stay pinned, and may be restored; it is old, not bad.

    *Why:* somebody found it bad and said so, so that no merge and no bot brings it back.

    *Fix:* pin another version; `modelspec rollback` restores the one that served before.
    """
    owner = scene.registry.value(MODEL, pin.value.model)
    if owner is None:
        return
    withdrawn = _withdrawn(owner)
    for slot, route, ref in pin.value.slots() if withdrawn else ():
        index = withdrawn.get(ref_name(ref))
        if index is not None:
            gone = owner.value.retired[index]
            yield Problem(
                pin.place(*route, "version"),
                f"{slot} pins {pin.value.model} {ref_name(ref)}, which is withdrawn: {visible(gone.reason)}",
                related=(Related(owner.place("retired", index, "version"), "withdrawn here"),),
                fix="pin another version",
            )


@rule("MS511", "withdrawn-not-served", of=FEATURE_PIN)
def withdrawn_not_served(pin: Entry[FeaturePin], scene: Scene) -> Iterator[Problem]:
    """No environment serves a feature schema that its view has withdrawn.

    *Why:* somebody found it bad and said so, so that no merge brings it back.

    *Fix:* serve another schema, and move the models that read this one.
    """
    view = scene.registry.value(VIEW, pin.value.view)
    if view is None or not view.value.withdrawn:
        return
    withdrawn = {ref_name(gone.schema_): index for index, gone in enumerate(view.value.withdrawn)}
    for position, ref in enumerate(pin.value.serves):
        index = withdrawn.get(ref_name(ref))
        if index is not None:
            reason = view.value.withdrawn[index].reason
            yield Problem(
                pin.place("serves", position),
                f"{pin.value.view} {ref_name(ref)} is withdrawn: {visible(reason)}",
                related=(Related(view.place("withdrawn", index, "schema"), "withdrawn here"),),
                fix="serve another schema",
            )


@rule("MS512", "retired-once", of=(MODEL, VIEW))
def retired_once(entry: Entry[Any], scene: Scene) -> Iterator[Problem]:
    """A version is retired once, and a schema withdrawn once.

    *Why:* one line that says archived and another that says withdrawn would both be right.

    *Fix:* keep one line.
    """
    value = entry.value
    key, part = ("retired", "version") if isinstance(value, Model) else ("withdrawn", "schema")
    refs = [gone.version for gone in value.retired] if isinstance(value, Model) else _schemas(value)
    first: dict[str, int] = {}
    for index, ref in enumerate(refs):
        other = first.setdefault(ref_name(ref), index)
        if other != index:
            yield Problem(
                entry.place(key, index, part),
                f"{part} {ref_name(ref)} stands in {key} twice",
                related=(Related(entry.place(key, other, part), "the first one"),),
                fix="keep one of the two",
            )


@rule("MS513", "view-served", of=PIN)
def view_served(pin: Entry[Pin], scene: Scene) -> Iterator[Problem]:
    """Every feature view that a pinned version reads is served in its environment.

    *Why:* the model would be asked for answers without its inputs.

    *Fix:* add a feature pin of the view to the environment; or pin a version that does not read it.
    """
    for slot, route, ref in pin.value.slots():
        version = scene.registry.value(VERSION, pin.value.model, ref_name(ref))
        for index, feature in enumerate(version.value.feature_refs if version is not None else ()):
            if version is None or scene.registry.get(FEATURE_PIN, pin.value.environment, feature.view):
                continue
            path = FEATURE_PIN.locate(pin.value.environment, feature.view)
            yield Problem(
                pin.place(*route, "version"),
                f"{slot} pins {pin.value.model} {ref_name(ref)}, which reads {feature.view}: "
                f"{pin.value.environment} does not serve it",
                related=(Related(version.place("features", index, "view"), "read here"),),
                fix=f"add {path}, which serves {ref_name(feature.schema_)}",
            )


@rule("MS514", "needs-served", of=PIN)
def needs_served(pin: Entry[Pin], scene: Scene) -> Iterator[Problem]:
    """What a pinned version needs is served in the same environment, in exactly that version.

    By a slot that answers: stable, canary or a variant. For a standby it may be a standby, for a
    shadow a shadow.

    *Why:* an index with another embedder, an adapter with another base answers wrongly, without an error.

    *Fix:* move both pins in one change.
    """
    for slot, route, ref in pin.value.slots():
        version = scene.registry.value(VERSION, pin.value.model, ref_name(ref))
        for index, need in enumerate(version.value.needs if version is not None else ()):
            other = scene.registry.get(PIN, pin.value.environment, need.model)
            if version is None or (other is not None and not isinstance(other, Entry)):
                continue
            if other is not None and _serves(other.value, need, slot):
                continue
            holds = [
                f"{name} {ref_beside(found, need.version)}"
                for name, _, found in (other.value.slots() if other else ())
            ]
            same = other is not None and any(
                differs_in_digest(found, need.version) for _, _, found in other.value.slots()
            )
            yield Problem(
                pin.place(*route, "version"),
                f"{slot} pins {pin.value.model} {ref_name(ref)}, which needs {need.model} "
                f"{ref_name(need.version)}: {pin.value.environment} "
                + (f"has {', '.join(holds)}" if holds else f"does not pin {need.model}"),
                related=(Related(version.place("needs", index), "needed here"),),
                fix="one of the two digests is wrong: write that of the published version"
                if same
                else f"pin {need.model} {ref_name(need.version)} in the same change",
            )


def _withdrawn(owner: Entry[Model]) -> dict[str, int]:
    return {
        ref_name(gone.version): index
        for index, gone in enumerate(owner.value.retired)
        if gone.state == "withdrawn"
    }


def _schemas(view: FeatureView) -> list[str]:
    return [gone.schema_ for gone in view.withdrawn]


def _serves(pin: Pin, need: Need, asking: str) -> bool:
    """Whether a pin serves exactly the version that is needed, to the slot that asks."""
    return any(
        found == need.version and (slot not in ("standby", "shadow") or slot == asking)
        for slot, _, found in pin.slots()
    )
