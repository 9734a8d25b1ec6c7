"""Feature views and their numbered, immutable schemas."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from modelspec.spec.base import (
    Digest,
    Dimension,
    DType,
    Duration,
    Envelope,
    FieldName,
    Free,
    Link,
    SchemaRef,
    Seq,
    Text,
    Value,
    ViewName,
    Wanted,
)

Scalar = Annotated[bool | int | float | str, Wanted("a text, a number, true or false")]
Range = Annotated[
    tuple[float, float], Field(strict=False), Wanted("two numbers, the least and the greatest: [0, 120]")
]
"""[least, greatest], both inclusive."""

Mode = Literal[
    "NONE", "BACKWARD", "FORWARD", "FULL", "BACKWARD_TRANSITIVE", "FORWARD_TRANSITIVE", "FULL_TRANSITIVE"
]


class Source(Value):
    """The raw side of a field, before its transformation."""

    dtype: DType
    """The type of the raw value."""
    unit: Text | None = None
    """Its unit."""
    range: Range | None = None
    """Its least and greatest value."""
    categories: Seq[Text] = ()
    """Its possible values."""
    tz: Text | None = None
    """Its time zone."""


class Missing(Value):
    """What stands in for a missing value."""

    policy: Literal["constant", "mean", "median", "mode", "category", "indicator", "drop", "error"]
    """What is done."""
    value: Scalar | None = None
    """What stands in for it."""


class Transform(Value):
    """How the raw value becomes the served one. Which keys apply depends on the kind."""

    kind: Literal[
        "identity", "minmax", "zscore", "linear", "log", "bucket", "ordinal", "onehot", "hash", "code"
    ]
    """Which transformation; the keys that apply depend on it."""
    min: float | None = None
    """minmax: the raw value that becomes 0."""
    max: float | None = None
    """minmax: the raw value that becomes 1."""
    mean: float | None = None
    """zscore: the mean."""
    std: float | None = None
    """zscore: the standard deviation."""
    slope: float | None = None
    """linear: the factor."""
    intercept: float | None = None
    """linear: the term."""
    base: float | None = None
    """log: the base."""
    offset: float | None = None
    """log: what is added before."""
    clip: bool | None = None
    """Whether what leaves the range is cut to it."""
    edges: Seq[float] = ()
    """bucket: the edges, ascending."""
    codes: dict[str, int] | None = None
    """ordinal: category -> code; onehot: category -> column."""
    function: Text | None = None
    """hash, code: the function."""
    seed: int | None = None
    """hash: its seed."""
    buckets: Annotated[int, Field(ge=1)] | None = None
    """hash: how many."""
    digest: Digest | None = None
    """code: the digest of what computes it."""


class Aggregation(Value):
    """A value made from many: function, window length, and which time counts."""

    function: Text
    """How many become one: mean, sum, count."""
    length: Duration
    """The length of the window."""
    time: Text | None = None
    """Which time counts: event or processing."""


class Embedding(Value):
    """A vector made by another model."""

    model: Text
    """The model that makes it, with its digest."""
    dimension: Annotated[int, Field(ge=1)]
    """How many numbers it has."""
    normalised: bool | None = None
    """Whether its length is 1."""


class Feature(Value):
    """One field: its type and its value contract, as it is served."""

    name: FieldName
    """The name by which models read it."""
    description: Text | None = None
    """What it means."""
    source: Source | None = None
    """The raw side, before the transformation."""
    dtype: DType
    """The type as it is served."""
    shape: Seq[Dimension] = ()
    """The dimensions; none: one value."""
    unit: Text | None = None
    """The unit as it is served; `"1"` for none."""
    range: Range | None = None
    """The least and the greatest value that is served."""
    origin: Literal["declared", "observed"] | None = None
    """`observed`: the range is that of a sample, and never a proof."""
    categories: Seq[Text] = ()
    """The values that are served, where they are texts."""
    nullable: bool | None = None
    """Whether a value may be null."""
    nan: bool | None = None
    """Whether NaN and infinity may be served."""
    default: Scalar | None = None
    """What is served where there is no value."""
    missing: Missing | None = None
    """What stands in for a missing value."""
    transform: Transform | None = None
    """How the raw value becomes the served one; a number without one is `identity`."""
    alias: FieldName | None = None
    """The name that it had before."""
    precision: int | None = None
    """decimal: how many digits."""
    scale: int | None = None
    """decimal: how many of them behind the point."""
    tz: Text | None = None
    """The time zone of a timestamp."""
    aggregation: Aggregation | None = None
    """How many values become this one."""
    embedding: Embedding | None = None
    """The model that makes this vector."""
    tokenizer: Free | None = None
    """How a text becomes ids."""
    image: Free | None = None
    """How an image becomes numbers."""
    audio: Free | None = None
    """How a sound becomes numbers."""
    sensitive: bool | None = None
    """Whether it is personal data."""
    tags: Seq[Text] = ()
    """For people and searches; never judged."""


class SchemaCode(Value):
    """Where the feature code lives; provenance, never judged."""

    repository: Text
    """Where its repository is."""
    commit: Text
    """The commit."""
    path: Text | None = None
    """The file."""


class FeatureSchema(Envelope):
    """features/<view>/<number>.yaml: one immutable, numbered schema of a view, written once."""

    kind: Literal["FeatureSchema"]
    """The kind of file."""
    view: ViewName
    """The view, as in the path."""
    number: Annotated[int, Field(ge=1)]
    """The number, as in the path."""
    description: Text | None = None
    """What changed."""
    entity: FieldName | None = None
    """The key that joins it to a request."""
    freshness: Duration | None = None
    """How old a served value may be."""
    code: SchemaCode | None = None
    """Where the feature code is: provenance, never judged."""
    fields: Seq[Feature]
    """The features, matched by name."""


class WithdrawnSchema(Value):
    """A schema that must not be served again."""

    schema_: SchemaRef = Field(alias="schema")
    """The schema."""
    reason: Text
    """What is wrong with it."""
    link: Link | None = None
    """Where that was decided."""


class FeatureView(Envelope):
    """features/<view>/view.yaml: a named set of features with an owner."""

    kind: Literal["FeatureView"]
    """The kind of file."""
    view: ViewName
    """Its name, as in the path."""
    owner: Text
    """Who answers for it."""
    description: Text | None = None
    """What it holds."""
    compatibility: Mode = "NONE"
    """What is promised of the next schema when it is published."""
    withdrawn: Seq[WithdrawnSchema] = ()
    """Schemas that must not be served again."""
