"""MS2: what a version reads and answers: each name means one thing, and agrees with the bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import prod

from modelspec.rules.rule import Scene, rule
from modelspec.spec.feature import Feature, FeatureSchema
from modelspec.spec.kinds import SCHEMA, VERSION
from modelspec.spec.model import Input, LostFeatures, ModelVersion, ObservedTensor, Output, Signature
from modelspec.spec.reader import Entry
from modelspec.tree.finding import Problem, Related
from modelspec.tree.place import Place, Route
from modelspec.tree.text import did_you_mean, plural, visible


@rule("MS215", "signature-complete", of=VERSION)
def signature_complete(version: Entry[ModelVersion], scene: Scene) -> Iterator[Problem]:
    """A version has a signature with at least one input and one output.

    Only where the artifact or the features are unknown may it be missing.

    *Why:* it is what ties tensors to the fields that fill them; without it nothing can be judged.

    *Fix:* list inputs (name, dtype, shape, `from`) and outputs; `modelspec register` reads them from the
    artifact.
    """
    value = version.value
    if value.signature is None:
        lost_artifact = value.artifact is not None and value.artifact.unknown is not None
        if not lost_artifact and not isinstance(value.features, LostFeatures):
            yield Problem(
                version.key("signature"),
                "the signature is missing: nobody can tell what it reads and answers",
                fix="add `signature:` with inputs and outputs",
            )
        return
    for key, tensors in (("inputs", value.signature.inputs), ("outputs", value.signature.outputs)):
        if not tensors:
            yield Problem(version.key("signature", key), f"the signature has no {key}", fix=f"list its {key}")


@rule("MS219", "signature-observed", of=VERSION)
def signature_observed(version: Entry[ModelVersion], scene: Scene) -> Iterator[Problem]:
    """The signature agrees with what was observed in the artifact's bytes.

    Each tensor of it was observed with its dtype and a shape that fits, and each observed input is in
    it. A dimension that is -1 or a name fits any. Of a table that was observed by its width alone, the
    inputs have as many columns together. `verify` judges what was observed against the bytes.

    *Why:* the signature is written by people; the engine obeys the bytes.

    *Fix:* correct the signature; or run `modelspec register` again if the artifact was exchanged.
    """
    signature, artifact = version.value.signature, version.value.artifact
    observed = artifact.observed if artifact is not None else None
    if signature is None or observed is None:
        return
    named = {tensor.name for tensor in signature.inputs}
    for index, seen in enumerate(observed.inputs):
        if seen.name not in named:
            yield Problem(
                version.place("artifact", "observed", "inputs", index, "name"),
                f"the artifact reads {visible(seen.name)}, of which the signature says nothing",
                fix="add it to the signature's inputs",
            )
    if observed.inputs:
        yield from _observed(version, "inputs", signature.inputs, observed.inputs)
    if observed.outputs:
        yield from _observed(version, "outputs", signature.outputs, observed.outputs)
    sizes = [size for tensor in signature.inputs for size in tensor.shape[1:]]
    columns = sum(prod(tensor.shape[1:]) for tensor in signature.inputs)
    if observed.width not in (None, columns) and not observed.inputs and min(sizes, default=0) >= 0:
        yield Problem(
            version.key("signature", "inputs"),
            f"the inputs have {plural(columns, 'column')} together, the artifact reads {observed.width}",
            (Related(version.place("artifact", "observed", "width"), "what was observed"),),
            "correct the shapes of the inputs, and what fills them",
        )


@rule("MS220", "thresholds-answered", of=VERSION)
def thresholds_answered(version: Entry[ModelVersion], scene: Scene) -> Iterator[Problem]:
    """A decision threshold judges an output that the signature has.

    *Why:* a threshold on nothing decides nothing, while everybody believes that it does.

    *Fix:* correct the output's name.
    """
    config, signature = version.value.config, version.value.signature
    if config is None or signature is None:
        return
    outputs = [output.name for output in signature.outputs]
    for index, threshold in enumerate(config.thresholds):
        if threshold.output not in outputs:
            yield Problem(
                version.place("config", "thresholds", index, "output"),
                f"the threshold {threshold.name} judges {threshold.output}, which is no output",
                related=(Related(version.key("signature", "outputs"), "the outputs"),),
                fix=did_you_mean(threshold.output, outputs)
                or (f"the outputs are {', '.join(outputs[:12])}" if outputs else "list the outputs"),
            )


@rule("MS221", "names-unique", of=VERSION)
def names_unique(version: Entry[ModelVersion], scene: Scene) -> Iterator[Problem]:
    """No two inputs, outputs, request fields, thresholds or views of a version have one name.

    *Why:* which of the two is meant would depend on who reads the file.

    *Fix:* rename or remove one of them. A version reads a view at one schema.
    """
    value = version.value
    signature = value.signature or Signature()
    thresholds = value.config.thresholds if value.config is not None else ()
    lists: tuple[tuple[Route, str, Iterable[str]], ...] = (
        (("signature", "inputs"), "name", [one.name for one in signature.inputs]),
        (("signature", "outputs"), "name", [one.name for one in signature.outputs]),
        (("request",), "name", [one.name for one in value.request]),
        (("config", "thresholds"), "name", [one.name for one in thresholds]),
        (("features",), "view", [one.view for one in value.feature_refs]),
    )
    for route, key, names in lists:
        yield from _twice(version.path, route, key, names)


@rule("MS222", "fields-unique", of=SCHEMA)
def fields_unique(schema: Entry[FeatureSchema], scene: Scene) -> Iterator[Problem]:
    """A feature schema has at least one field, and no two fields of it have one name or alias.

    *Why:* which of the two a model reads would depend on who reads the file.

    *Fix:* rename or remove one of them.
    """
    fields = schema.value.fields
    if not fields:
        yield Problem(schema.key("fields"), "the schema has no fields", fix="list them")
    yield from _twice(schema.path, ("fields",), "name", [field.name for field in fields])
    names = {field.name: index for index, field in enumerate(fields)}
    aliases: dict[str, int] = {}
    for index, field in enumerate(fields):
        if field.alias is None:
            continue
        other = names.get(field.alias, aliases.setdefault(field.alias, index))
        if other != index:
            yield Problem(
                schema.place("fields", index, "alias"),
                f"the alias {field.alias} is also {_called(fields[other], field.alias)}",
                related=(Related(schema.place("fields", other), "the other field"),),
                fix="choose another alias",
            )


def _observed(
    version: Entry[ModelVersion],
    key: str,
    tensors: Sequence[Input | Output],
    observed: tuple[ObservedTensor, ...],
) -> Iterator[Problem]:
    """Judge the inputs or the outputs of a signature by those that were observed."""
    by_name = {tensor.name: (index, tensor) for index, tensor in enumerate(observed)}
    for index, tensor in enumerate(tensors):
        if tensor.name not in by_name:
            yield Problem(
                version.place("signature", key, index, "name"),
                f"the artifact has no {key[:-1]} {tensor.name}",
                related=(Related(version.key("artifact", "observed", key), "what it has"),),
                fix=did_you_mean(tensor.name, by_name),
            )
            continue
        position, seen = by_name[tensor.name]
        related = (Related(version.place("artifact", "observed", key, position), "what was observed"),)
        if tensor.dtype != seen.dtype:
            yield Problem(
                version.place("signature", key, index, "dtype"),
                f"{tensor.name} is {tensor.dtype}, in the artifact {visible(seen.dtype)}",
                related,
                "correct the dtype",
            )
        if not _fits(tensor.shape, seen.shape):
            yield Problem(
                version.place("signature", key, index, "shape"),
                f"{tensor.name} has shape {list(tensor.shape)}, "
                f"in the artifact {visible(str(list(seen.shape)))}",
                related,
                "correct the shape",
            )


def _called(field: Feature, word: str) -> str:
    return "the name of another field" if field.name == word else f"that of {field.name}"


def _fits(declared: tuple[int, ...], observed: tuple[int | str, ...]) -> bool:
    return len(declared) == len(observed) and all(
        one == two or one < 0 or isinstance(two, str) or two < 0
        for one, two in zip(declared, observed, strict=True)
    )


def _twice(path: str, route: Route, key: str, names: Iterable[str]) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for index, name in enumerate(names):
        other = first.setdefault(name, index)
        if other != index:
            yield Problem(
                Place(path, (*route, index, key)),
                f"{route[-1]} has {visible(name)} twice",
                related=(Related(Place(path, (*route, other, key)), "the first one"),),
                fix="rename or remove one of the two",
            )
