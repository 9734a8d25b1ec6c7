"""What the simulated world is made of. Times are true seconds since 1970, unless a name says whose clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Final

START: Final = int(datetime(2026, 6, 1, tzinfo=UTC).timestamp())
DAY: Final = 86_400
HOUR: Final = 3600
ENVIRONMENTS: Final = ("staging", "production-eu", "production-us")
LIE: Final = 180
"""Seconds by which a clock may be off, either way: two of them may lie six minutes apart."""
ROLLOUT: Final = (20, 480)
"""Seconds in which old and new pods both answer."""


@dataclass(frozen=True, slots=True)
class Size:
    """How large the world is."""

    days: int
    models: int
    promotions: int
    records: int
    seed: int
    keep: int = 60
    """Days that an artifact is kept after its last tenure: older ones are gone when requests are traced."""

    @property
    def end(self) -> int:
        """When it ends."""
        return START + self.days * DAY


@dataclass(frozen=True, slots=True)
class Version:
    """One version: its name, its reference, the artifact that it runs, and the bytes of that."""

    name: str
    ref: str
    artifact: str
    model: bytes
    path: str
    document: bytes

    @property
    def digest(self) -> str:
        """The spec digest."""
        return self.ref.partition("@")[2]

    @property
    def stamp(self) -> str:
        """The stamp in full."""
        return self.digest.replace(":", "-")


@dataclass(frozen=True, slots=True)
class Line:
    """A model with its versions, oldest first, the view that it reads, and which fields of it."""

    name: str
    view: str
    fields: tuple[str, ...]
    versions: tuple[Version, ...]
    schema_of: tuple[int, ...]
    """For each version the number of the schema that it reads."""


Slots = tuple[tuple[str, int, int], ...]
"""(slot, index of the version, share in percent) of a pin, sorted by slot."""


@dataclass(slots=True)
class Change:
    """One declared state of a pin, and the commit that declares it."""

    time: int
    slots: Slots
    kind: str
    commit: int = 0
    """The index of the step that is its commit."""


@dataclass(slots=True)
class Pin:
    """One model in one environment: what was declared, oldest first."""

    environment: str
    model: int
    changes: list[Change] = field(default_factory=list)

    @property
    def observed(self) -> bool:
        """Whether anybody looks; of the others git's word is all that there is."""
        return self.environment != "staging" or self.model % 10 not in (4, 9)


@dataclass(frozen=True, slots=True)
class Rollout:
    """A declared state that a cluster really took on: old pods answer until `end`, new ones from `begin`."""

    change: int
    begin: float
    end: float


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster of a pin: its name (None: the only one), how far its clock is off, and what it took on."""

    name: str | None
    clock: float
    rollouts: tuple[Rollout, ...]


def lie(random: Random) -> float:
    """Return by how many seconds a clock is off."""
    return random.uniform(-LIE, LIE)
