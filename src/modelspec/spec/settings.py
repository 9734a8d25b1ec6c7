"""modelspec.yaml: the format, where artifacts are, and how strict this registry is."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from modelspec.spec.base import Envelope, Name, Release, Seq, Text, Value
from modelspec.spec.trust import Signer


class StoreSettings(Value):
    """One store. `path`: a folder in this repository; `uri`: the root under which servers see its trees."""

    path: Text | None = None
    """A folder of this repository that holds the trees."""
    uri: Text | None = None
    """The root under which servers see the same trees."""


Days = Annotated[int, Field(ge=1)]
Kept = Literal["records", "receipts", "versions", "artifacts"]
"""What is kept for a while so that a request can be traced and replayed."""


class Retention(Value):
    """How long what served must stay traceable, in days: for all kinds, and where one differs, for it."""

    days: Days = 90
    """How many days each kind is kept that has no number of its own."""
    records: Days | None = None
    """How far back request logs reach; whoever writes them deletes them."""
    receipts: Days | None = None
    """How far back `receipts prune` leaves what served."""
    versions: Days | None = None
    """How many days after its last tenure `prune` leaves a version's file."""
    artifacts: Days | None = None
    """How many days after its last tenure `gc` leaves a version's artifact."""

    def says(self, kind: Kept) -> int:
        """Return the days that a kind is given."""
        own: int | None = getattr(self, kind)
        return self.days if own is None else own

    def kept_for(self, kind: Kept) -> int:
        """Return the days that a kind is kept: never less than the records, which could not be replayed."""
        return max(self.says(kind), self.says("records"))


class Settings(Envelope):
    """registry/modelspec.yaml."""

    kind: Literal["Settings"]
    """The kind of file."""
    requires: Release | None = None
    """The least version of modelspec that may judge this registry."""
    stores: dict[Name, StoreSettings] = Field(default_factory=dict)
    """Where artifact bytes live, by name."""
    severities: dict[str, Literal["error", "warn"]] = Field(default_factory=dict)
    """Rule, by code or name: `warn` lowers it to a warning."""
    refuse: Seq[Literal["pickle"]] = ()
    """Formats that run code when they are loaded, and that this registry does not take."""
    signers: dict[Name, Signer] = Field(default_factory=dict)
    """Who may sign artifacts, by a name that gates use."""
    retention: Retention = Retention()
    """How long what served must stay traceable."""
