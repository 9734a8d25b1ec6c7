"""MS5: what a file names exists: versions, models, views, schemas, targets, stores."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from modelspec.rules.rule import REGISTRY, Scene, rule
from modelspec.spec.base import ref_name
from modelspec.spec.environment import FeaturePin, Pin
from modelspec.spec.kinds import (
    ENVIRONMENT,
    FEATURE_PIN,
    MODEL,
    PIN,
    SCHEMA,
    TARGET,
    VERSION,
    VIEW,
    Kind,
)
from modelspec.spec.model import ModelVersion
from modelspec.spec.reader import Entry
from modelspec.spec.registry import Registry
from modelspec.spec.semver import precedence
from modelspec.tree.finding import Problem, Related
from modelspec.tree.place import Place, Route
from modelspec.tree.text import did_you_mean, visible

_SHOWN: Final = 8
"""How many names a fix lists when none is close."""


@rule("MS501", "version-known", of=PIN)
def version_known(pin: Entry[Pin], scene: Scene) -> Iterator[Problem]:
    """Every slot pins a version that is published.

    *Why:* what was never published, or was deleted, can't be fetched, judged or rolled back to.

    *Fix:* correct the version; or publish it first, in a change of its own.
    """
    model = pin.value.model
    for slot, route, ref in pin.value.slots():
        if scene.registry.get(VERSION, model, ref_name(ref)) is None:
            published = _versions(model, scene)
            if not published and scene.registry.get(MODEL, model) is None:
                return  # the whole model is unknown: model-known says so
            yield Problem(
                pin.place(*route, "version"),
                f"{slot} pins {model} {ref_name(ref)}, which is not published",
                fix=_choose(ref_name(ref), published) or "publish it first",
            )


@rule("MS502", "model-known", of=PIN)
def model_known(pin: Entry[Pin], scene: Scene) -> Iterator[Problem]:
    """A pin is of a model that has its `model.yaml`.

    *Why:* that file names the owner, and the versions that are withdrawn; without it none would be.

    *Fix:* rename the pin; or restore the model's file.
    """
    return _known(pin, MODEL, ("model",), pin.value.model, scene)


@rule("MS503", "environment-known", of=(PIN, FEATURE_PIN))
def environment_known(pin: Entry[Any], scene: Scene) -> Iterator[Problem]:
    """A pin is in an environment that has its `environment.yaml`.

    *Why:* that file says which stage it is and what may be promoted to it; without it nothing is gated.

    *Fix:* correct the folder's name; or restore the environment's file.
    """
    return _known(pin, ENVIRONMENT, ("environment",), pin.value.environment, scene)


@rule("MS504", "view-known", of=(FEATURE_PIN, VERSION))
def view_known(entry: Entry[Any], scene: Scene) -> Iterator[Problem]:
    """A feature view that is served or read has its `view.yaml`.

    *Why:* that file names the owner, and the schemas that are withdrawn; without it none would be.

    *Fix:* correct the name; or restore the view's file.
    """
    value = entry.value
    if isinstance(value, FeaturePin):
        yield from _known(entry, VIEW, ("view",), value.view, scene)
    elif isinstance(value, ModelVersion):
        for index, feature in enumerate(value.feature_refs):
            yield from _known(entry, VIEW, ("features", index, "view"), feature.view, scene)


@rule("MS505", "schema-known", of=(FEATURE_PIN, VERSION))
def schema_known(entry: Entry[Any], scene: Scene) -> Iterator[Problem]:
    """A feature schema that is served, or that a version was trained on, has its file.

    *Why:* without it nothing can tell whether a model is fed what it was trained on.

    *Fix:* correct the number; or publish the schema first.
    """
    value = entry.value
    refs: list[tuple[Route, str, str]] = []
    if isinstance(value, FeaturePin):
        refs = [(("serves", index), value.view, ref) for index, ref in enumerate(value.serves)]
    elif isinstance(value, ModelVersion):
        refs = [
            (("features", index, "schema"), feature.view, feature.schema_)
            for index, feature in enumerate(value.feature_refs)
        ]
    for route, view, ref in refs:
        if scene.registry.get(SCHEMA, view, ref_name(ref)) is None:
            numbers = sorted((name[1] for name in scene.registry.names(SCHEMA, view)), key=int)
            if not numbers and scene.registry.get(VIEW, view) is None:
                continue  # the whole view is unknown: view-known says so
            yield Problem(
                Place(entry.path, route),
                f"{view} has no schema {ref_name(ref)}",
                fix=f"known: {', '.join(numbers[-_SHOWN:])}" if numbers else "publish it first",
            )


@rule("MS506", "target-known", of=PIN)
def target_known(pin: Entry[Pin], scene: Scene) -> Iterator[Problem]:
    """A pin is served by targets that are vendored in `templates/`.

    *Why:* a pin compiles with the templates of its own commit, so that an old one compiles as it did.

    *Fix:* correct the name, or `modelspec target add NAME`.
    """
    for target in pin.value.serve:
        if scene.registry.get(TARGET, target) is None:
            there = [name[0] for name in scene.registry.names(TARGET)]
            yield Problem(
                pin.key("serve", target),
                f"there is no target {target}: templates/{target}/target.yaml is missing",
                fix=did_you_mean(target, there) or f"`modelspec target add {target}`",
            )


@rule("MS507", "store-known", of=VERSION)
def store_known(version: Entry[ModelVersion], scene: Scene) -> Iterator[Problem]:
    """An artifact lies in a store that `modelspec.yaml` lists.

    *Why:* otherwise nobody knows where to fetch it.

    *Fix:* correct the name; or add the store to `stores`.
    """
    artifact, settings = version.value.artifact, scene.registry.settings
    if artifact is None or artifact.store is None or settings is None or artifact.store in settings.stores:
        return
    yield Problem(
        version.place("artifact", "store"),
        f"there is no store {artifact.store}",
        related=(Related(Place("registry/modelspec.yaml", ("stores",), key=True), "the stores"),),
        fix=_choose(artifact.store, settings.stores),
    )


@rule("MS508", "reference-known", of=VERSION, whole=True)
def reference_known(version: Entry[ModelVersion], scene: Scene) -> Iterator[Problem]:
    """A version's parent and what it needs are published, or `retired` keeps their line.

    What it needs must be published: it has to be served.

    *Why:* a lineage that leads nowhere explains nothing, and what is not there can't be served beside it.

    *Fix:* correct the version; or restore the file that was deleted.
    """
    value = version.value
    parent = value.lineage.parent if value.lineage is not None else None
    if parent is not None and not _published(value.model, parent, scene, retired=True):
        yield Problem(
            version.place("lineage", "parent"),
            f"the parent {value.model} {ref_name(parent)} is not published",
            fix=_choose(ref_name(parent), _versions(value.model, scene)),
        )
    for index, need in enumerate(value.needs):
        if not _published(need.model, need.version, scene):
            models = [name[0] for name in scene.registry.names(MODEL)]
            known = _versions(need.model, scene)
            yield Problem(
                version.place("needs", index, "version" if known else "model"),
                f"{need.model} {ref_name(need.version)}, which it needs, is not published",
                fix=_choose(ref_name(need.version), known) if known else _choose(need.model, models),
            )


@rule("MS509", "folder-headed", of=REGISTRY)
def folder_headed(registry: Registry, scene: Scene) -> Iterator[Problem]:
    """The folder of a model, a view or an environment has its `model.yaml`, `view.yaml`, `environment.yaml`.

    *Why:* that file names the owner and says what the rest may do; without it a folder is in nobody's
    hands.

    *Fix:* write the file; or remove the folder.
    """
    heads = (("models", MODEL), ("features", VIEW), ("environments", ENVIRONMENT))
    for folder, kind in heads:
        for name, is_folder in registry.snapshot.ls(f"registry/{folder}"):
            path = kind.path.replace("{" + kind.parts[0] + "}", name)
            if not is_folder or registry.snapshot.get(path) is not None:
                continue
            first = next(registry.snapshot.walk(f"registry/{folder}/{name}"), None)
            if first is not None:
                yield Problem(
                    Place(first[0]),
                    f"registry/{folder}/{visible(name)} has no {path.rpartition('/')[2]}",
                    fix=f"write {visible(path, 120)}, or remove the folder",
                )


def _known(entry: Entry[Any], kind: Kind[Any], route: Route, name: str, scene: Scene) -> Iterator[Problem]:
    if scene.registry.get(kind, name) is None:
        there = [known[0] for known in scene.registry.names(kind)]
        yield Problem(
            Place(entry.path, route),
            f"there is no {kind.parts[0]} {name}: {kind.locate(name)} is missing",
            fix=_choose(name, there),
        )


def _choose(word: str, known: Iterable[str]) -> str | None:
    """Suggest what was probably meant, or say which there are when they are few.

    Versions are all alike: they are listed first, in their order.
    """
    there = list(known)
    listed = f"known: {', '.join(there)}" if 0 < len(there) <= _SHOWN else None
    close = did_you_mean(word, there)
    return (listed or close) if word[:1].isdigit() else (close or listed)


def _versions(model: str, scene: Scene) -> list[str]:
    return sorted((name[1] for name in scene.registry.names(VERSION, model)), key=precedence)


def _published(model: str, ref: str, scene: Scene, *, retired: bool = False) -> bool:
    if scene.registry.get(VERSION, model, ref_name(ref)) is not None:
        return True
    owner = scene.registry.value(MODEL, model) if retired else None
    return owner is not None and any(ref_name(one.version) == ref_name(ref) for one in owner.value.retired)
