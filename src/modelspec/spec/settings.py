"""modelspec.yaml: the format, where artifacts are, and how strict this registry is."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from modelspec.spec.base import Envelope, Name, Release, Seq, Text, Value


class StoreSettings(Value):
    """One store. `path`: a folder in this repository; `uri`: the root under which servers see its trees."""

    path: Text | None = None
    """A folder of this repository that holds the trees."""
    uri: Text | None = None
    """The root under which servers see the same trees."""


class Retention(Value):
    """How long what served must stay traceable, in days."""

    days: Annotated[int, Field(ge=1)] = 90
    """How many days after its last tenure a version stays traceable."""


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
    retention: Retention = Retention()
    """How long what served must stay traceable."""
