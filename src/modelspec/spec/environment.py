"""Environments, the pins that fill them, and the waivers that except one finding for a while."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from modelspec.spec.base import (
    Count,
    Duration,
    Envelope,
    FieldName,
    Free,
    Instant,
    Link,
    Name,
    Percent,
    Pointer,
    SchemaRef,
    Seq,
    Text,
    Value,
    VersionRef,
    ViewName,
)

Level = Literal["unknown", "recorded", "resolvable", "verified"]
LEVELS: Final = ("unknown", "recorded", "resolvable", "verified")
PIN_KEYS: Final = (
    "apiVersion", "kind", "environment", "model", "reason", "hold", "revalidated", "serve",
    "variants", "shadow", "standby", "canary", "stable",
)  # fmt: skip
"""The order of a pin's keys, so that edits do not touch neighbouring lines."""
FEATURE_PIN_KEYS: Final = ("apiVersion", "kind", "environment", "view", "access", "serves", "closes")
"""The order of a feature pin's keys."""


class Requires(Value):
    """The level that an environment accepts of each component; the rest: recorded."""

    artifact: Level = "recorded"
    """The level that the artifact of a served version must have."""
    code: Level = "recorded"
    """The level that the code of a served version must have."""
    features: Level = "recorded"
    """The level that the features of a served version must have."""
    dataset: Level = "recorded"
    """The level that the dataset of a served version must have."""
    runtime: Level = "recorded"
    """The level that the runtime of a served version must have."""
    config: Level = "recorded"
    """The level that the config of a served version must have."""


class MetricGate(Value):
    """A bound on a metric and how much worse than stable it may be."""

    name: FieldName
    """The metric, as the version records it."""
    better: Literal["lower", "higher"]
    """Which direction is an improvement."""
    bound: float | None = None
    """The worst value that may be promoted."""
    regression: Percent | None = None
    """How much worse than stable's it may be."""


class Freeze(Value):
    """A time in which nothing is promoted."""

    start: Instant = Field(alias="from")
    """When it begins."""
    until: Instant
    """When it ends."""
    reason: Text
    """Why."""


class Gates(Value):
    """Conditions on a promotion."""

    soak: Duration | None = None
    """How long a version serves in the environment before this one first."""
    canary: Duration | None = None
    """How long a version is canary before it is stable."""
    metrics: Seq[MetricGate] = ()
    """Bounds on metrics."""
    freeze: Seq[Freeze] = ()
    """Times in which nothing is promoted."""
    reason: Literal["required"] | None = None
    """`required`: a promotion says why."""
    signature: Seq[Name] = ()
    """Names of signers: the artifact is signed by one of them."""


class Window(Value):
    """The earlier versions that must stay deployable."""

    versions: Annotated[int, Field(ge=1)]
    """How many versions, the current stable included."""
    days: Count
    """How many days ago they may have ceased to be stable."""


class Environment(Envelope):
    """environments/<environment>/environment.yaml: a place that serves, its stage and its gates."""

    kind: Literal["Environment"]
    """The kind of file."""
    environment: Name
    """Its name, as in the path."""
    description: Text | None = None
    """What it is for."""
    owner: Text | None = None
    """Who answers for it."""
    stage: Literal["development", "staging", "production"]
    """What it serves."""
    after: Name | None = None
    """The environment that a version serves in first."""
    requires: Requires = Requires()
    """The level that each component of a served version must have; the rest: recorded."""
    gates: Gates = Gates()
    """Conditions on a promotion; a restore is exempt."""
    window: Window | None = None
    """The earlier versions that must stay deployable."""


class ClosedWay(Value):
    """A way back that was given up on purpose."""

    model: Name
    """The model that can no longer go back."""
    before: VersionRef
    """The first version that it can still go back to."""
    reason: Text
    """Why the way was given up."""
    link: Link | None = None
    """Where that was decided."""


class FeaturePin(Envelope):
    """environments/<environment>/features/<view>.yaml: which schemas of a view are served there."""

    kind: Literal["FeaturePin"]
    """The kind of file."""
    environment: Name
    """The environment, as in the path."""
    view: ViewName
    """The view, as in the path."""
    access: Literal["current", "numbered"]
    """`current`: readers get whatever is served now; `numbered`: they ask for a schema by its number."""
    serves: Annotated[tuple[SchemaRef, ...], Field(strict=False, min_length=1)]
    """The schemas that are served; two with `current` are a rollout."""
    closes: Seq[ClosedWay] = ()
    """Ways back that are given up by serving these."""


class Reason(Value):
    """Why, in words and with a link."""

    text: Text
    """Why, for people."""
    link: Link | None = None
    """Where more is said."""


class Slot(Value):
    """A slot that takes no share of the answers: shadow, standby, stable."""

    version: VersionRef
    """The version that fills the slot."""


class WeightedSlot(Value):
    """A slot that answers a share of the requests, in percent."""

    version: VersionRef
    """The version that fills the slot."""
    weight: int
    """Its share of the answers, in percent."""


class Revalidation(Value):
    """Recorded proof that one version works on one schema it was not trained on."""

    version: VersionRef
    """The version that was tested."""
    view: ViewName
    """The view whose schema changed."""
    trained: SchemaRef
    """The schema that it was trained on."""
    served: SchemaRef
    """The schema that it was tested with."""
    metric: Text
    """What was measured, and the result."""
    by: Text
    """Who vouches for it."""
    at: Instant
    """When."""
    link: Link
    """Where the result is."""


class Pin(Envelope):
    """environments/<environment>/models/<model>.yaml: which versions fill the slots of a model."""

    kind: Literal["Pin"]
    """The kind of file."""
    environment: Name
    """The environment, as in the path."""
    model: Name
    """The model, as in the path."""
    reason: Reason | None = None
    """Why this is served; a gate may demand it."""
    hold: Reason | None = None
    """While it stands, the pin must not move on."""
    revalidated: Seq[Revalidation] = ()
    """Recorded proofs, each of which lifts one *revalidate*."""
    serve: dict[Name, Free] = Field(default_factory=dict)
    """The targets to compile for, each with its params; none: judged, not compiled."""
    variants: dict[Name, WeightedSlot] = Field(default_factory=dict)
    """Further slots that answer, by name."""
    shadow: Slot | None = None
    """Gets a copy of the traffic; its answers are dropped."""
    standby: Slot | None = None
    """Warm, weight 0: going back does not wait for a load."""
    canary: WeightedSlot | None = None
    """Answers a share of the requests."""
    stable: Slot
    """Answers the rest."""

    def slots(self) -> list[tuple[str, tuple[str, ...], str]]:
        """Return (slot, its route, version reference): stable, canary, variants, standby, shadow."""
        found: list[tuple[str, tuple[str, ...], str]] = [("stable", ("stable",), self.stable.version)]
        if self.canary is not None:
            found.append(("canary", ("canary",), self.canary.version))
        found += [(name, ("variants", name), slot.version) for name, slot in sorted(self.variants.items())]
        if self.standby is not None:
            found.append(("standby", ("standby",), self.standby.version))
        if self.shadow is not None:
            found.append(("shadow", ("shadow",), self.shadow.version))
        return found


class Excepted(Value):
    """The identity of the finding that a waiver lifts."""

    path: Text
    """The file that the finding is in."""
    route: Pointer
    """The place in the file, as a JSON pointer."""
    value: Text | None = None
    """The value that stands there, as text."""


class Waiver(Envelope):
    """waivers/<name>.yaml: a dated, reasoned, linked exception to one finding, which expires."""

    kind: Literal["Waiver"]
    """The kind of file."""
    rule: Text
    """The rule, by code or name."""
    finding: Excepted
    """The finding that is lifted: no other one is."""
    by: Text
    """Who takes the responsibility."""
    reason: Text
    """Why it may be lifted."""
    link: Link
    """Where that was decided."""
    start: Instant = Field(alias="from")
    """When it begins."""
    until: Instant
    """When it expires."""
