"""MS2: each of the six components of a version is recorded whole, or honestly unknown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from modelspec.rules.rule import Scene, rule
from modelspec.spec.base import ref_name
from modelspec.spec.environment import Pin
from modelspec.spec.kinds import ENVIRONMENT, PIN, VERSION
from modelspec.spec.model import COMPONENTS, LostFeatures, ModelVersion
from modelspec.spec.reader import Entry
from modelspec.tree.finding import Problem, Related
from modelspec.tree.text import visible


@rule("MS201", "artifact-complete", of=VERSION)
def artifact_complete(version: Entry[ModelVersion], scene: Scene) -> Iterator[Problem]:
    """A version records its artifact: store, digest, format and files; or that it is unknown, and why.

    *Why:* without them nobody can tell which bytes serve, nor fetch them again to go back.

    *Fix:* `modelspec register` captures it from the real files. If it is lost, write
    `artifact: {unknown: {reason: ...}}`.
    """
    without = "nobody can tell which bytes it serves"
    return _component(version, "artifact", ("store", "digest", "format", "files"), without)


@rule("MS202", "code-complete", of=VERSION)
def code_complete(version: Entry[ModelVersion], scene: Scene) -> Iterator[Problem]:
    """A version records its training code: repository, commit and path; or that it is unknown, and why.

    *Why:* without them it can't be trained again, nor can a defect be traced to what caused it.

    *Fix:* write the commit that trained it. If it is lost, write `code: {unknown: {reason: ...}}`.
    """
    without = "nobody can train it again"
    return _component(version, "code", ("repository", "commit", "path"), without)


@rule("MS203", "features-complete", of=VERSION)
def features_complete(version: Entry[ModelVersion], scene: Scene) -> Iterator[Problem]:
    """A version records the feature schemas that it was trained on; or that they are unknown, and why.

    `features: []` says that it reads none: all its inputs are opaque or come with the request.

    *Why:* without them nothing can tell whether it would be fed inputs that it was not trained on.

    *Fix:* list each view with its schema's number and digest. If they are lost, write
    `features: {unknown: {reason: ...}}`.
    """
    if version.value.features is None:
        without = "nobody can tell which inputs it was trained on"
        fix = "list its views and schemas; `features: []` if it reads none; or say that they are unknown"
        yield Problem(version.key("features"), f"the features are missing: {without}", fix=fix)


@rule("MS204", "dataset-complete", of=VERSION)
def dataset_complete(version: Entry[ModelVersion], scene: Scene) -> Iterator[Problem]:
    """A version records its training data: name, uri, and a snapshot or a digest; or that it is unknown.

    *Why:* without them nobody can say what it has seen, which is asked first when it is wrong.

    *Fix:* write the snapshot that it was trained on. If it is lost, write
    `dataset: {unknown: {reason: ...}}`.
    """
    without = "nobody can tell what it has seen"
    return _component(version, "dataset", ("name", "uri", "snapshot or digest"), without)


@rule("MS205", "runtime-complete", of=VERSION)
def runtime_complete(version: Entry[ModelVersion], scene: Scene) -> Iterator[Problem]:
    """A version records its runtime: image, python, and packages or a lock; or that it is unknown, and why.

    *Why:* the same bytes give other answers under other libraries.

    *Fix:* write what it was tested with. If it is lost, write `runtime: {unknown: {reason: ...}}`.
    """
    without = "nobody can tell what it runs in"
    return _component(version, "runtime", ("image", "python", "packages or lock"), without)


@rule("MS206", "config-complete", of=VERSION)
def config_complete(version: Entry[ModelVersion], scene: Scene) -> Iterator[Problem]:
    """A version records its configuration: its hyperparameters; or that they are unknown, and why.

    `hyperparameters: {}` says that there are none.

    *Why:* without them two trainings of the same code on the same data are two models under one name.

    *Fix:* write what it was trained with. If it is lost, write `config: {unknown: {reason: ...}}`.
    """
    without = "nobody can tell how it was trained"
    return _component(version, "config", ("hyperparameters",), without, empty=True)


@rule("MS207", "unknown-alone", of=VERSION)
def unknown_alone(version: Entry[ModelVersion], scene: Scene) -> Iterator[Problem]:
    """A component that is unknown records nothing else.

    *Why:* half a component reads as a whole one: nobody could tell which of its keys to trust.

    *Fix:* remove `unknown` if the component is known, or the keys beside it; `description` takes notes.
    """
    for name in COMPONENTS:
        component = version.document.value((name,))
        if isinstance(component, dict) and "unknown" in component and len(component) > 1:
            beside = ", ".join(visible(key) for key in component if key != "unknown")
            yield Problem(
                version.key(name, "unknown"),
                f"{name} is unknown, and beside it stands {beside}",
                fix="keep one or the other",
            )


@rule("MS208", "level-accepted", of=PIN)
def level_accepted(pin: Entry[Pin], scene: Scene) -> Iterator[Problem]:
    """A pinned version has no unknown component, unless its environment accepts that.

    An environment's `requires` says what it accepts of each component: `unknown`, or `recorded` and
    above. `check` tells these two apart; `verify` judges *resolvable* and *verified*.

    *Why:* what is unknown can't be rebuilt, explained or rolled back to; whether that may serve is for
    the owner of the environment to say.

    *Fix:* pin a version that records the component, or have `requires: {<component>: unknown}` reviewed.
    """
    environment = scene.registry.value(ENVIRONMENT, pin.value.environment)
    if environment is None:
        return
    accepted = [name for name in COMPONENTS if getattr(environment.value.requires, name) == "unknown"]
    for slot, route, ref in pin.value.slots():
        version = scene.registry.value(VERSION, pin.value.model, ref_name(ref))
        if version is None:
            continue
        refused = [name for name in COMPONENTS if name not in accepted and _unknown(version, name)]
        if not refused:
            continue
        related = [Related(version.key(name), f"its {name}") for name in refused]
        related.append(Related(environment.key("requires"), "what the environment requires"))
        yield Problem(
            pin.place(*route, "version"),
            f"{slot} pins {pin.value.model} {ref_name(ref)}, whose {_and(refused)} "
            f"{'is' if len(refused) == 1 else 'are'} unknown; {pin.value.environment} requires "
            f"{'it' if len(refused) == 1 else 'them'} recorded",
            tuple(related),
            f"pin a version that records its {_and(refused)}",
        )


def _component(
    version: Entry[ModelVersion], name: str, parts: tuple[str, ...], without: str, *, empty: bool = False
) -> Iterator[Problem]:
    """Judge one component by itself: it is there, and has each of its parts ("a or b": one of the two)."""
    component: Any = getattr(version.value, name)
    if component is None:
        yield Problem(
            version.key(name),
            f"the {name} is missing: {without}",
            fix=f"record it, or write `{name}: {{unknown: {{reason: ...}}}}`",
        )
        return
    if component.unknown is not None:
        return
    for part in parts:
        keys = part.split(" or ")
        values = [getattr(component, key) for key in keys]
        if any(value is not None and (empty or value not in ((), {})) for value in values):
            continue
        lacks = f"no {part}" if len(keys) == 1 else f"neither {' nor '.join(keys)}"
        fix = " or ".join(f"`{key}:`" for key in keys)
        yield Problem(version.key(name, keys[0]), f"the {name} has {lacks}: {without}", fix=f"add {fix}")


def _unknown(version: Entry[ModelVersion], name: str) -> bool:
    component: Any = getattr(version.value, name)
    return isinstance(component, LostFeatures) or getattr(component, "unknown", None) is not None


def _and(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
