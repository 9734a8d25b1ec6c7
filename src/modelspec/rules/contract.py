"""MS3: one schema, and one version, judged by itself: what they promise must be possible."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

from modelspec.compat.flaw import Flaw, under
from modelspec.compat.schema import field_flaws, schema_flaws
from modelspec.compat.version import graph_flaws, input_flaws, order_flaws, runtime_flaws
from modelspec.rules.rule import Scene, rule
from modelspec.spec.base import ref_name
from modelspec.spec.feature import Feature, FeatureSchema
from modelspec.spec.kinds import RESERVED_VIEW, SCHEMA, VERSION
from modelspec.spec.model import ModelVersion
from modelspec.spec.reader import Entry
from modelspec.tree.finding import Problem, Related


@rule("MS303", "contract-possible", of=(SCHEMA, VERSION))
def contract_possible(subject: Entry[FeatureSchema] | Entry[ModelVersion], scene: Scene) -> Iterator[Problem]:
    """What a field promises is possible, in a feature schema and in a version's `request`.

    Its range is what its transformation produces from the raw range, has two finite ends in order and fits
    its type; its default and its stand-in for a missing value are among its values; each category has one
    code, each code a category, and no two fields or categories are one name after Unicode normalisation;
    widths and shapes add up; a transformation has the parameters of its kind, and possible ones.

    *Why:* every verdict stands on these contracts. One that contradicts itself proves nothing, and its
    readers believe it.

    *Fix:* correct what is wrong; of a schema that is published already, publish the corrected one under the
    next number.
    """
    if isinstance(subject.value, FeatureSchema):
        yield from _problems(subject, schema_flaws(subject.value))
        return
    for index, field in enumerate(subject.value.request):
        yield from _problems(subject, (under(("request", index), flaw) for flaw in field_flaws(field)))


@rule("MS304", "inputs-agree", of=VERSION)
def inputs_agree(version: Entry[ModelVersion], scene: Scene) -> Iterator[Problem]:
    """An input agrees with the fields that fill it: in type and in shape.

    The tensor's type holds every value that a field promises, exactly; a field with several dimensions fills
    a tensor that has just these behind its batch. (Names are MS216's, widths MS218's.)

    *Why:* a value that the tensor can't hold is cut or rounded on its way, in silence.

    *Fix:* declare the field as it is fed to the model, or correct the input.
    """
    known: dict[str, Feature] = {f"{RESERVED_VIEW}.{one.name}": one for one in version.value.request}
    for ref in version.value.feature_refs:
        schema = scene.registry.value(SCHEMA, ref.view, ref_name(ref.schema_))
        if schema is not None:
            known.update(scene.once(("named fields", schema.path), partial(_named, schema)))
    yield from _problems(version, input_flaws(version.value, known))


@rule("MS305", "order-captured", of=VERSION)
def order_captured(version: Entry[ModelVersion], scene: Scene) -> Iterator[Problem]:
    """The inputs list their fields in the order that training captured, where it did.

    `artifact.captured.feature_names` (scikit-learn's `feature_names_in_`, a booster's feature names) is the
    order of the columns in training; the `from` lists, one after another, are the order when serving.

    *Why:* columns in another order have the same width, so no runtime notices. Columns sorted by name cost
    23 points of accuracy on average where it was measured.

    *Fix:* list the fields in the order of training.
    """
    yield from _problems(version, order_flaws(version.value))


@rule("MS306", "dimensions-fixed", of=VERSION)
def dimensions_fixed(version: Entry[ModelVersion], scene: Scene) -> Iterator[Problem]:
    """An input that fields fill has one open dimension at most, the batch: as declared, and as observed.

    An opaque input (a prompt, an image) may vary.

    *Why:* a runtime takes any width where the dimension has none, so a missing column raises no error.

    *Fix:* write the size; export the model with a fixed one.
    """
    yield from _problems(version, graph_flaws(version.value))


@rule("MS307", "runtime-loads", of=VERSION)
def runtime_loads(version: Entry[ModelVersion], scene: Scene) -> Iterator[Problem]:
    """The recorded onnxruntime loads the recorded ONNX file: its opset and its IR version.

    By what each release was measured to load; of a release that was not, nothing is said.

    *Why:* the ONNX checker passes such a file, and the engine refuses it when it starts: at the deployment.

    *Fix:* record (and serve with) an onnxruntime that loads it, or export the model for an older opset.
    """
    yield from _problems(version, runtime_flaws(version.value))


def _named(schema: Entry[FeatureSchema]) -> dict[str, Feature]:
    found: dict[str, Feature] = {}
    for field in schema.value.fields:
        found.setdefault(f"{schema.value.view}.{field.name}", field)
    return found


def _problems(entry: Entry[Any], flaws: Iterable[Flaw]) -> Iterator[Problem]:
    for flaw in flaws:
        related = () if flaw.against is None else (Related(entry.place(*flaw.against), "against this"),)
        yield Problem(entry.place(*flaw.route), flaw.message, related, flaw.fix)
