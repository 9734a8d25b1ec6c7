"""A model (a named line of versions) and one of its versions: an immutable tuple of six components."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Discriminator, Field, Tag

from modelspec.spec.base import (
    Count,
    Digest,
    Dimension,
    DType,
    Envelope,
    FieldName,
    Free,
    Instant,
    Link,
    Name,
    SchemaRef,
    SemVer,
    Seq,
    Text,
    Unknown,
    Value,
    VersionRef,
    ViewName,
)
from modelspec.spec.feature import Feature, Range
from modelspec.spec.trust import ArtifactSignature

COMPONENTS: Final = ("artifact", "code", "features", "dataset", "runtime", "config")
"""The six components of a version tuple, in the order of the file."""


class Retired(Value):
    """A version that must not be pinned again: `archived` (old) or `withdrawn` (bad)."""

    version: VersionRef
    """The version."""
    state: Literal["archived", "withdrawn"]
    """`archived`: old; `withdrawn`: bad, and never pinned."""
    reason: Text
    """Why."""
    link: Link | None = None
    """Where that was decided."""


class Model(Envelope):
    """models/<model>/model.yaml: a named line of versions with an owner."""

    kind: Literal["Model"]
    """The kind of file."""
    model: Name
    """Its name, as in the path."""
    owner: Text
    """Who answers for it."""
    description: Text | None = None
    """What it predicts."""
    retired: Seq[Retired] = ()
    """Versions that must not be pinned again."""


class ArtifactFile(Value):
    """One file of an artifact: its path in the tree, size in bytes and sha256."""

    path: Text
    """Its path in the tree."""
    size: Count
    """Its size in bytes."""
    digest: Digest
    """The sha256 of its bytes."""
    object: Text | None = None
    """Registered in place: the version of the object that holds it, as the bucket counts them."""


class ObservedTensor(Value):
    """An input or output as the artifact's own bytes declare it; a dimension may be symbolic."""

    name: Text
    """The name of the tensor."""
    dtype: Text
    """Its type, as the format names it."""
    shape: Seq[Dimension]
    """Its dimensions; -1 or a name where one is open."""


class Observed(Value):
    """What was read from the artifact's bytes at `register`."""

    ir: int | None = None
    """onnx: the version of the representation."""
    opset: dict[str, int] | None = None
    """onnx: operator set -> version."""
    producer: Text | None = None
    """What wrote the file."""
    inputs: Seq[ObservedTensor] = ()
    """The tensors that it reads."""
    outputs: Seq[ObservedTensor] = ()
    """The tensors that it writes."""
    parameters: Count | None = None
    """safetensors: how many numbers its tensors hold."""
    width: Count | None = None
    """xgboost, lightgbm, skops: how many features a row has."""
    names: Seq[Text] = ()
    """xgboost, lightgbm, skops: the names of its features, in order."""
    objective: Text | None = None
    """xgboost, lightgbm: what was trained for."""


class Artifact(Value):
    """The model's bytes: a tree of files in a store, named by their digest."""

    unknown: Unknown | None = None
    """Said in place of the rest when it is lost."""
    store: Name | None = None
    """The store that holds it, as named in modelspec.yaml."""
    uri: Text | None = None
    """Registered in place: where the tree, or its one file, lies; the store has what is beside it."""
    digest: Digest | None = None
    """The digest of the tree: sha256 of its `sha256sum` listing."""
    format: Text | None = None
    """What the files are: onnx, safetensors, sklearn."""
    architecture: Text | None = None
    """What kind of model it is."""
    precision: Text | None = None
    """The precision of its numbers, such as int8, when it is not that of training."""
    files: Seq[ArtifactFile] = ()
    """The files of the tree."""
    observed: Observed | None = None
    """What was read from the bytes at `register`; `verify` judges it."""
    unsafe: Literal["pickle"] | None = None
    """Said of a format that runs code when it is loaded."""
    signature: ArtifactSignature | None = None
    """A signature over the tree: who signed it, and where the bundle is."""
    captured: Free | None = None
    """What else training fixed: scalers, encoders, classes."""


class Code(Value):
    """The training code at one commit."""

    unknown: Unknown | None = None
    """Said in place of the rest when it is lost."""
    repository: Text | None = None
    """Where its repository is."""
    commit: Text | None = None
    """The whole commit id."""
    path: Text | None = None
    """The file that trains."""
    patch: Digest | None = None
    """The digest of what was not committed."""


class FeatureRef(Value):
    """A feature view at the schema that the version was trained on."""

    view: ViewName
    """The view."""
    schema_: SchemaRef = Field(alias="schema")
    """The schema of it."""


class LostFeatures(Value):
    """Features that nobody recorded."""

    unknown: Unknown
    """Said in place of the list when nobody recorded it."""


def _features_tag(value: Any) -> str:
    return "lost" if isinstance(value, dict | LostFeatures) else "list"


Features = Annotated[
    Annotated[Seq[FeatureRef], Tag("list")] | Annotated[LostFeatures, Tag("lost")],
    Discriminator(_features_tag),
]


class Dataset(Value):
    """The snapshot of data that the version was trained on."""

    unknown: Unknown | None = None
    """Said in place of the rest when it is lost."""
    name: Text | None = None
    """Its name."""
    uri: Text | None = None
    """Where it is."""
    snapshot: Text | None = None
    """Which state of it: an instant, a version, a partition."""
    digest: Digest | None = None
    """The digest of its bytes or of its manifest."""


class Lock(Value):
    """A lock file; its bytes are in the store as a tree of one file."""

    path: Text
    """The name of the file."""
    digest: Digest
    """The digest of the tree of this one file, in the store."""


class Runtime(Value):
    """What runs the artifact; `threads` is of one inference."""

    unknown: Unknown | None = None
    """Said in place of the rest when it is lost."""
    image: Text | None = None
    """The container image, by digest."""
    python: Text | None = None
    """The version of Python, quoted."""
    lock: Lock | None = None
    """The lock file of its packages."""
    packages: dict[str, str] | None = None
    """The packages that matter, with their exact versions."""
    threads: Annotated[int, Field(ge=1)] | None = None
    """How many threads one inference uses: trees change in the last bits with it."""
    accelerator: Text | None = None
    """The accelerator that it needs."""


class Threshold(Value):
    """A decision: `output op value` is what the caller acts on."""

    name: FieldName
    """The name of the decision."""
    output: FieldName
    """The output that it looks at."""
    op: Literal["<", "<=", ">", ">=", "=="]
    """How the two are compared."""
    value: float
    """The bound."""


class Config(Value):
    """Hyperparameters and decision thresholds."""

    unknown: Unknown | None = None
    """Said in place of the rest when it is lost."""
    hyperparameters: Free | None = None
    """What training was told."""
    thresholds: Seq[Threshold] = ()
    """Decisions made of outputs."""


class Input(Value):
    """A tensor that the model reads. `from` names the fields that fill it, in order; none: opaque."""

    name: FieldName
    """The name of the tensor."""
    dtype: DType
    """Its type."""
    shape: Seq[int]
    """Its dimensions; -1 where one is open."""
    sources: Seq[Text] = Field(default=(), alias="from")
    """The fields that fill it, in order: `view.field` or `request.field`; none: opaque, such as a prompt."""
    optional: bool = False
    """Whether a request may leave it out."""


class Output(Value):
    """A tensor that the model answers with."""

    name: FieldName
    """The name of the tensor."""
    dtype: DType
    """Its type."""
    shape: Seq[int]
    """Its dimensions; -1 where one is open."""
    unit: Text | None = None
    """Its unit, `logit` and `probability` included."""
    range: Range | None = None
    """The least and the greatest answer."""
    classes: Seq[Text] = ()
    """The labels, in order."""


class Signature(Value):
    """Inputs and outputs, in order."""

    inputs: Seq[Input] = ()
    """The tensors that it reads."""
    outputs: Seq[Output] = ()
    """The tensors that it answers with."""


class Need(Value):
    """A version of another model that must be served in the same environment."""

    model: Name
    """The other model."""
    version: VersionRef
    """The version of it."""


class Lineage(Value):
    """The version that this one was made from."""

    parent: VersionRef | None = None
    """The version that it was made from."""


class ModelVersion(Envelope):
    """models/<model>/versions/<version>.yaml: a complete version tuple, written once."""

    kind: Literal["ModelVersion"]
    """The kind of file."""
    model: Name
    """The model, as in the path."""
    version: SemVer
    """The version, as in the path."""
    description: Text | None = None
    """What is new in it."""
    created: Instant | None = None
    """When it was made."""
    artifact: Artifact | None = None
    """The model's bytes."""
    code: Code | None = None
    """The code that trained it."""
    features: Features | None = None
    """The feature schemas that it was trained on; `[]` when it reads none."""
    request: Seq[Feature] = ()
    """The inputs that come with the request: contracts like those of features."""
    dataset: Dataset | None = None
    """The data that it was trained on."""
    runtime: Runtime | None = None
    """What runs it."""
    config: Config | None = None
    """Hyperparameters and thresholds."""
    signature: Signature | None = None
    """Its inputs and outputs."""
    metrics: dict[FieldName, float] | None = None
    """What was measured, by name."""
    tolerance: Annotated[float, Field(ge=0)] | None = None
    """How far a replay may be off; 0 is bit for bit."""
    golden: Digest | None = None
    """Inputs and outputs kept at `register`: the digest of the tree of one file."""
    reference: Digest | None = None
    """Bins of the training sample, for drift: the digest of the tree of one file."""
    needs: Seq[Need] = ()
    """Versions of other models that must be served in the same environment."""
    lineage: Lineage | None = None
    """Where it comes from."""

    @property
    def feature_refs(self) -> tuple[FeatureRef, ...]:
        """The views that the version reads, with their schemas; empty when they are lost or missing."""
        return self.features if isinstance(self.features, tuple) else ()
