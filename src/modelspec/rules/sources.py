"""MS2: the fields that fill a version's inputs exist, are read, and are as wide as the tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod
from typing import Final

from modelspec.compat.encoding import width
from modelspec.rules.rule import Scene, rule
from modelspec.spec.base import ref_name
from modelspec.spec.feature import Feature, FeatureSchema
from modelspec.spec.kinds import RESERVED_VIEW, SCHEMA, VERSION
from modelspec.spec.model import LostFeatures, ModelVersion
from modelspec.spec.reader import Entry
from modelspec.tree.finding import Problem, Related
from modelspec.tree.place import Route
from modelspec.tree.text import did_you_mean, visible

_OPAQUE: Final = frozenset({"hash", "code"})
"""Transformations after which the width of a field without `shape` is not known."""
_NONE: Final[Mapping[str, Feature]] = {}


@rule("MS216", "inputs-exist", of=VERSION)
def inputs_exist(version: Entry[ModelVersion], scene: Scene) -> Iterator[Problem]:
    """Each entry of a `from` names a field that exists: VIEW.FIELD, or `request.FIELD`.

    The view is one of `features`, and the field is in the schema that the version was trained on.

    *Why:* a tensor that is filled from a field nobody has is filled with something else.

    *Fix:* correct the name; add the view to `features`, or the field to `request`.
    """
    schemas = _schemas(version, scene)
    request = [field.name for field in version.value.request]
    for route, source in _sources(version.value):
        view, dot, field = source.rpartition(".")
        place = version.place(*route)
        if not dot:
            yield Problem(
                place, f"{visible(source)} is not VIEW.FIELD", fix=f"did you mean request.{visible(source)}?"
            )
        elif view == RESERVED_VIEW:
            if field not in request:
                yield Problem(
                    place,
                    f"the request has no field {visible(field)}",
                    fix=did_you_mean(field, request) or "add it to `request:`",
                )
        elif view not in schemas:
            if version.value.features is not None and not isinstance(version.value.features, LostFeatures):
                yield Problem(
                    place,
                    f"the view {visible(view)} is not among the version's features",
                    fix=did_you_mean(view, schemas) or "add it to `features:`",
                )
        else:
            schema = schemas[view]
            fields = _fields(schema, scene) if schema is not None else {}
            if schema is not None and field not in fields:
                yield Problem(
                    place,
                    f"{view} {schema.value.number} has no field {visible(field)}",
                    related=(Related(schema.key("fields"), "its fields"),),
                    fix=did_you_mean(field, fields) or f"it has {', '.join(sorted(fields)[:12])}",
                )


@rule("MS217", "features-read", of=VERSION)
def features_read(version: Entry[ModelVersion], scene: Scene) -> Iterator[Problem]:
    """Each view of `features` and each field of `request` is read by a `from`.

    *Why:* a version must move when what it reads changes. An entry that nothing reads ties it to a
    schema for no reason, or shows that a `from` was forgotten.

    *Fix:* name it in the `from` of the input that it fills, or remove it.
    """
    if version.value.signature is None:
        return
    sources = [source for _, source in _sources(version.value)]
    views = {source.rpartition(".")[0] for source in sources}
    for index, feature in enumerate(version.value.feature_refs):
        if feature.view not in views:
            yield Problem(
                version.place("features", index, "view"),
                f"no input reads {feature.view}",
                fix="name its fields in a `from`, or remove the entry",
            )
    read = set(sources)
    for index, field in enumerate(version.value.request):
        if f"{RESERVED_VIEW}.{field.name}" not in read:
            yield Problem(
                version.place("request", index, "name"),
                f"no input reads request.{field.name}",
                fix="name it in a `from`, or remove the entry",
            )


@rule("MS218", "widths-add-up", of=VERSION)
def widths_add_up(version: Entry[ModelVersion], scene: Scene) -> Iterator[Problem]:
    """The fields that fill an input are as wide together as the input behind its batch.

    A field without `shape` is one wide, one-hot codes are as wide as there are codes, an embedding as its
    dimension. Judged where every width is known.

    *Why:* one field too few shifts all that follow it: the model reads the hour as the city.

    *Fix:* complete the `from`, in the order of the tensor, or correct `shape`.
    """
    signature = version.value.signature
    if signature is None or (not version.value.feature_refs and not version.value.request):
        return
    known = {view: _fields(schema, scene) for view, schema in _schemas(version, scene).items() if schema}
    known[RESERVED_VIEW] = {field.name: field for field in version.value.request}
    for index, tensor in enumerate(signature.inputs):
        sizes = tensor.shape[1:] or tensor.shape
        if not sizes or min(sizes) < 1 or not tensor.sources:
            continue
        wide = prod(sizes)
        parts = [source.rpartition(".") for source in tensor.sources]
        widths = [_width(known.get(view, _NONE).get(field)) for view, _, field in parts]
        stated = [width for width in widths if width is not None]
        if len(stated) < len(widths) or sum(stated) == wide:
            continue
        yield Problem(
            version.place("signature", "inputs", index, "shape"),
            f"{tensor.name} is {wide} wide, the fields that fill it {sum(stated)}",
            related=(Related(version.key("signature", "inputs", index, "from"), "the fields"),),
            fix="complete the `from` in the order of the tensor, or correct the shape",
        )


def _schemas(version: Entry[ModelVersion], scene: Scene) -> Mapping[str, Entry[FeatureSchema] | None]:
    """Return the schema of each view that the version lists; None where it can't be read."""
    return {
        feature.view: scene.registry.value(SCHEMA, feature.view, ref_name(feature.schema_))
        for feature in version.value.feature_refs
    }


def _fields(schema: Entry[FeatureSchema], scene: Scene) -> Mapping[str, Feature]:
    """Return the fields of a schema by name, made once for all the versions that read it."""
    return scene.once(("fields", schema.path), lambda: {field.name: field for field in schema.value.fields})


def _sources(value: ModelVersion) -> Iterator[tuple[Route, str]]:
    for index, tensor in enumerate(value.signature.inputs if value.signature is not None else ()):
        for position, source in enumerate(tensor.sources):
            yield ("signature", "inputs", index, "from", position), source


def _width(field: Feature | None) -> int | None:
    """Return how many values a field fills after its encoding, or None where that is not stated."""
    if field is None:
        return None
    stated = field.shape or field.embedding is not None
    opaque = field.transform is not None and field.transform.kind in _OPAQUE
    return None if opaque and not stated else width(field)
