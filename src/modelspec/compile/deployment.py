"""A pin and the versions that it names, as one value: what is to be served, by whom and in what shares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from modelspec.spec.base import ref_digest, ref_name
from modelspec.spec.environment import Pin
from modelspec.spec.feature import FeatureSchema
from modelspec.spec.kinds import ENVIRONMENT, SCHEMA, VERSION
from modelspec.spec.model import Artifact, ModelVersion
from modelspec.spec.reader import Entry
from modelspec.spec.registry import Registry
from modelspec.spec.settings import StoreSettings
from modelspec.tree.digest import stamp
from modelspec.tree.place import Route

Kind = Literal["stable", "canary", "variant", "standby", "shadow"]
ANSWERING: Final = frozenset({"stable", "canary", "variant"})
SHORT: Final = 32
"""Hex digits of a stamp in labels and names, which have at most 63 characters."""


@dataclass(frozen=True, slots=True, eq=False)
class DeployedSlot:
    """One slot: its share in percent, and the version in it. The stamp is `sha256-<hex>`."""

    name: str
    kind: Kind
    route: Route
    """Where it is in the pin."""
    weight: int
    version: Entry[ModelVersion]
    digest: str
    store: StoreSettings | None
    """Where its artifact is; None when its version names no store that the registry has."""
    schemas: Mapping[str, FeatureSchema]
    """The schemas that its version was trained on, by view; without those that can't be read."""

    @property
    def answers(self) -> bool:
        """Whether it takes a share of the requests."""
        return self.kind in ANSWERING

    @property
    def artifact(self) -> Artifact:
        """The artifact of its version; empty when it is unknown."""
        return self.version.value.artifact or Artifact()

    @property
    def stamp(self) -> str:
        """The spec digest as it stands on outputs and records."""
        return stamp(self.digest)

    @property
    def short(self) -> str:
        """The stamp in labels and names."""
        return self.digest.removeprefix("sha256:")[:SHORT]


@dataclass(frozen=True, slots=True, eq=False)
class Deployment:
    """A pin, resolved. Slots are in fixed order: stable, canary, variants by name, standby, shadow."""

    pin: Entry[Pin]
    environment: str
    stage: str
    model: str
    slots: tuple[DeployedSlot, ...]


def deployment(pin: Entry[Pin], registry: Registry) -> Deployment | None:
    """Return the deployment of a pin, or None when its environment or a version can't be read.

    That is a finding of other rules. Weights of answering slots sum to 100: stable gets the rest.
    """
    value = pin.value
    environment = registry.value(ENVIRONMENT, value.environment)
    if environment is None:
        return None
    stores = registry.settings.stores if registry.settings is not None else {}
    slots = []
    for name, route, ref in value.slots():
        version = registry.value(VERSION, value.model, ref_name(ref))
        if version is None:
            return None
        store = version.value.artifact.store if version.value.artifact is not None else None
        slots.append(
            DeployedSlot(
                name=name,
                kind="variant" if route[0] == "variants" else _KINDS[name],
                route=route,
                weight=_weight(value, name, route),
                version=version,
                digest=ref_digest(ref),
                store=stores.get(store) if store is not None else None,
                schemas=_schemas(version.value, registry),
            )
        )
    return Deployment(pin, value.environment, environment.value.stage, value.model, tuple(slots))


def _schemas(version: ModelVersion, registry: Registry) -> dict[str, FeatureSchema]:
    found = {
        ref.view: registry.value(SCHEMA, ref.view, ref_name(ref.schema_)) for ref in version.feature_refs
    }
    return {view: entry.value for view, entry in found.items() if entry is not None}


_KINDS: Final[dict[str, Kind]] = {
    "stable": "stable",
    "canary": "canary",
    "standby": "standby",
    "shadow": "shadow",
}


def _weight(pin: Pin, name: str, route: Route) -> int:
    if route[0] == "variants":
        return pin.variants[name].weight
    canary = pin.canary.weight if pin.canary is not None else 0
    if name == "stable":
        return 100 - canary - sum(slot.weight for slot in pin.variants.values())
    return canary if name == "canary" else 0
