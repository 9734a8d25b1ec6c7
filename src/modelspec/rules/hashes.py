"""MS1: every digest that git holds is the digest of what it names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from modelspec.rules.rule import Scene, rule
from modelspec.spec.base import ref_digest, ref_name
from modelspec.spec.environment import FeaturePin, Pin
from modelspec.spec.feature import FeatureView
from modelspec.spec.kinds import FEATURE_PIN, MODEL, PIN, SCHEMA, VERSION, VIEW
from modelspec.spec.model import Model, ModelVersion
from modelspec.spec.reader import Entry
from modelspec.tree.digest import artifact_digest, short
from modelspec.tree.finding import Problem, Related
from modelspec.tree.paths import MAX_PARTS, fold, path_trouble
from modelspec.tree.place import Place, Route
from modelspec.tree.text import visible


@rule("MS101", "pin-digest", of=PIN)
def pin_digest(pin: Entry[Pin], scene: Scene) -> Iterator[Problem]:
    """The digest in a pin is the spec digest of the version that it names, in every slot.

    *Why:* the name is for people, the digest says which six components were reviewed. Where they
    differ, either the published version was changed or the pin was copied wrongly, and what would
    serve is not what somebody approved.

    *Fix:* restore the version's file if it was edited (`git log` shows who did); else pin its digest.
    """
    for slot, route, ref in pin.value.slots():
        what = f"{slot} pins {pin.value.model} {ref_name(ref)}"
        yield from _version(pin, (*route, "version"), pin.value.model, ref, what, scene)


@rule("MS102", "schema-digest", of=(VERSION, FEATURE_PIN, VIEW, PIN))
def schema_digest(entry: Entry[Any], scene: Scene) -> Iterator[Problem]:
    """The digest in a reference to a feature schema is that schema's spec digest.

    In a version's `features`, a feature pin's `serves`, a view's `withdrawn`, a pin's `revalidated`.

    *Why:* a model is only as safe as the schema that it was trained on: one that changed under its
    number would be a different input under the same name.

    *Fix:* restore the schema's file if it was edited; else refer to its digest.
    """
    value = entry.value
    if isinstance(value, ModelVersion):
        for index, feature in enumerate(value.feature_refs):
            route: Route = ("features", index, "schema")
            yield from _schema(entry, route, feature.view, feature.schema_, f"{value.model} reads", scene)
    elif isinstance(value, FeaturePin):
        for index, ref in enumerate(value.serves):
            yield from _schema(entry, ("serves", index), value.view, ref, "the pin serves", scene)
    elif isinstance(value, FeatureView):
        for index, gone in enumerate(value.withdrawn):
            route = ("withdrawn", index, "schema")
            yield from _schema(entry, route, value.view, gone.schema_, "the view withdraws", scene)
    elif isinstance(value, Pin):
        for index, proof in enumerate(value.revalidated):
            for key, ref in (("trained", proof.trained), ("served", proof.served)):
                route = ("revalidated", index, key)
                yield from _schema(entry, route, proof.view, ref, f"the proof has {key}", scene)


@rule("MS103", "version-digest", of=(VERSION, MODEL, FEATURE_PIN, PIN), whole=True)
def version_digest(entry: Entry[Any], scene: Scene) -> Iterator[Problem]:
    """The digest in any other reference to a version is that version's spec digest.

    In `lineage.parent`, `needs`, a model's `retired`, a feature pin's `closes`, a pin's `revalidated`.
    A version whose file was pruned is judged by the line that `retired` keeps of it.

    *Why:* a lineage, a withdrawal or a proof that names other bytes proves nothing about these.

    *Fix:* restore the version's file if it was edited; else refer to its digest.
    """
    value = entry.value
    if isinstance(value, ModelVersion):
        if value.lineage is not None and value.lineage.parent is not None:
            what = f"the parent is {value.model} {ref_name(value.lineage.parent)}"
            yield from _version(entry, ("lineage", "parent"), value.model, value.lineage.parent, what, scene)
        for index, need in enumerate(value.needs):
            what = f"it needs {need.model} {ref_name(need.version)}"
            yield from _version(entry, ("needs", index, "version"), need.model, need.version, what, scene)
    elif isinstance(value, Model):
        for index, gone in enumerate(value.retired):
            what = f"the model retires {ref_name(gone.version)}"
            yield from _version(entry, ("retired", index, "version"), value.model, gone.version, what, scene)
    elif isinstance(value, FeaturePin):
        for index, way in enumerate(value.closes):
            what = f"it closes the way back to {way.model} {ref_name(way.before)}"
            yield from _version(entry, ("closes", index, "before"), way.model, way.before, what, scene)
    elif isinstance(value, Pin):
        for index, proof in enumerate(value.revalidated):
            what = f"the proof is of {value.model} {ref_name(proof.version)}"
            route: Route = ("revalidated", index, "version")
            yield from _version(entry, route, value.model, proof.version, what, scene)


@rule("MS104", "artifact-digest", of=VERSION)
def artifact_digest_of_files(version: Entry[ModelVersion], scene: Scene) -> Iterator[Problem]:
    """The artifact's digest is that of the listing of its files.

    The listing is what `sha256sum` prints for the files, sorted by path in byte order; its sha256 is
    the artifact's digest.

    *Why:* servers fetch an artifact by this digest. If it does not cover the files that were
    reviewed, other files can be served under the same name.

    *Fix:* `modelspec digest FOLDER` prints the digest of a folder; list its files as they are.
    """
    artifact = version.value.artifact
    if artifact is None or artifact.digest is None or not artifact.files:
        return
    listed = artifact_digest((file.path, file.digest) for file in artifact.files)
    if listed != artifact.digest:
        yield Problem(
            version.place("artifact", "digest"),
            f"the artifact's digest is {short(artifact.digest)}, its files list to {short(listed)}",
            related=(Related(version.place("artifact", "files"), "the files"),),
            fix=f"if the files are right, write digest: {listed}; else list the files of that artifact",
        )


@rule("MS105", "file-paths-clean", of=VERSION)
def file_paths_clean(version: Entry[ModelVersion], scene: Scene) -> Iterator[Problem]:
    """Paths of an artifact's files are relative and clean.

    No `..`, no empty part, no backslash or control character, no name that a system reserves, no `.git`;
    at most 64 parts, 255 bytes in one and 1,024 in all.

    *Why:* an artifact is written out as files on the machine that serves it: `../` writes elsewhere.

    *Fix:* name the file relative to the artifact's folder.
    """
    artifact = version.value.artifact
    for index, file in enumerate(artifact.files if artifact is not None else ()):
        trouble = path_trouble(file.path)
        if trouble is not None:
            yield Problem(
                version.place("artifact", "files", index, "path"),
                f"the path {visible(file.path)} {trouble}",
                fix="name the file relative to the artifact's folder, as in `weights/model.onnx`",
            )


@rule("MS106", "file-paths-unique", of=VERSION)
def file_paths_unique(version: Entry[ModelVersion], scene: Scene) -> Iterator[Problem]:
    """No two files of an artifact take the same place, on any file system.

    Neither after Unicode normalisation and case folding, nor as a file where another path has a folder.

    *Why:* on a case-insensitive disk one of `Model.onnx` and `model.onnx` overwrites the other, and
    which one serves depends on the order of writing.

    *Fix:* rename one of the files.
    """
    artifact = version.value.artifact
    if artifact is None or len(artifact.files) < 2:
        return
    first: dict[str, int] = {}
    for index, file in enumerate(artifact.files):
        other = first.setdefault(fold(file.path), index)
        if other != index:
            yield _clash(version, index, other, _alike(file.path, artifact.files[other].path))
    for index, file in enumerate(artifact.files):
        parts = fold(file.path).split("/")
        # A path that is longer than any may be is no matter of this rule, and has a million folders.
        for depth in range(1, min(len(parts), MAX_PARTS)):
            above = first.get("/".join(parts[:depth]))
            if above is not None:
                over = visible(artifact.files[above].path)
                yield _clash(version, index, above, f"lies in {over}, which is a file")


def _alike(path: str, other: str) -> str:
    if path == other:
        return "stands here twice"
    how = "case" if path.casefold() == other.casefold() else "case or Unicode normalisation"
    return f"differs from {visible(other)} only in {how}"


def _clash(version: Entry[ModelVersion], index: int, other: int, how: str) -> Problem:
    files = version.value.artifact.files if version.value.artifact is not None else ()
    return Problem(
        version.place("artifact", "files", index, "path"),
        f"{visible(files[index].path)} {how}",
        related=(Related(version.place("artifact", "files", other, "path"), "the other file"),),
        fix="rename one of the two",
    )


def _version(
    entry: Entry[Any], route: Route, model: str, ref: str, what: str, scene: Scene
) -> Iterator[Problem]:
    """Judge a reference to a version by its file, or by the line that `retired` keeps of it."""
    target = scene.registry.get(VERSION, model, ref_name(ref))
    if isinstance(target, Entry):
        yield from _compared(entry, route, ref, what, scene.digest(target), target.place())
    elif target is None:
        owner = scene.registry.value(MODEL, model)
        for index, gone in enumerate(owner.value.retired if owner is not None else ()):
            if owner is not None and ref_name(gone.version) == ref_name(ref):
                place = owner.place("retired", index, "version")
                if place != Place(entry.path, route):
                    yield from _compared(entry, route, ref, what, ref_digest(gone.version), place)


def _schema(
    entry: Entry[Any], route: Route, view: str, ref: str, what: str, scene: Scene
) -> Iterator[Problem]:
    target = scene.registry.value(SCHEMA, view, ref_name(ref))
    if target is not None:
        named = f"{what} {view} {ref_name(ref)}"
        yield from _compared(entry, route, ref, named, scene.digest(target), target.place())


def _compared(
    entry: Entry[Any], route: Route, ref: str, what: str, digest: str, target: Place
) -> Iterator[Problem]:
    found = ref_digest(ref)
    if found != digest:
        yield Problem(
            Place(entry.path, route),
            f"{what} with {short(found)}, but that is {short(digest)}",
            related=(Related(target, f"its digest is {digest}"),),
            fix=f"if {target.path} was edited after it was published, restore it; "
            f"else write {ref_name(ref)}@{digest}",
        )
