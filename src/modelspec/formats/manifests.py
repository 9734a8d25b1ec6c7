"""Kubernetes objects as `kubectl get -o json` prints them, and looks into data that may be anything."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from modelspec.formats.foreign import Unreadable
from modelspec.spec.instant import instant
from modelspec.tree.data import Data
from modelspec.tree.text import visible

MAX_OBJECTS: Final = 20_000
STAMP: Final = "modelspec/stamp"
SLOT: Final = "modelspec/slot"
MODEL: Final = "modelspec/model"
ENVIRONMENT: Final = "modelspec/environment"
Group = tuple[str | None, str]
"""Environment (None where no label says) and model."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """One object: its group (the apiVersion without the version), its kind, and all of it."""

    group: str
    kind: str
    data: dict[str, Data]

    @property
    def place(self) -> str:
        """What messages call it: `Deployment serving/eta`."""
        name = text(self.data, "metadata", "name") or "without a name"
        namespace = text(self.data, "metadata", "namespace")
        return f"{self.kind} {visible(f'{namespace}/{name}' if namespace else name, 200)}"

    @property
    def owner(self) -> Group | None:
        """The environment and the model that its labels name, None without a model."""
        labels = node(self.data, "metadata", "labels")
        model = text(labels, MODEL)
        return None if model is None else (text(labels, ENVIRONMENT), model)

    @property
    def settled(self) -> bool:
        """Whether its controller has seen the latest change of it."""
        generation = node(self.data, "metadata", "generation")
        return generation is None or node(self.data, "status", "observedGeneration") in (None, generation)

    def condition(self, kind: str) -> dict[str, Data]:
        """Return one of its conditions, empty when it has none of this type."""
        found = (one for one in items(self.data, "status", "conditions") if one.get("type") == kind)
        return next(found, {})


def manifests(data: Data) -> Iterator[Manifest]:
    """Yield the objects of a List, or the one object; raises Unreadable when there are too many."""
    waiting = [data]
    count = 0
    while waiting:
        one = waiting.pop(0)
        if not isinstance(one, dict):
            continue
        kind, version = one.get("kind"), one.get("apiVersion")
        if not isinstance(kind, str) or not isinstance(version, str):
            continue
        if kind.endswith("List") and isinstance(one.get("items"), list):
            waiting += one["items"]  # type: ignore[arg-type]  # looked at above
            if len(waiting) > MAX_OBJECTS:
                raise Unreadable(f"it has more than {MAX_OBJECTS:,} objects", "ask for one namespace")
            continue
        count += 1
        yield Manifest(version.rpartition("/")[0], kind, one)


def stamped(template: Data) -> tuple[str, str] | None:
    """Return (slot, stamp) of whatever carries labels and annotations; None without a stamp of ours.

    The annotation has the whole digest, the label its beginning. The slot is `unknown` where none is named.
    """
    stamp = text(template, "annotations", STAMP) or text(template, "labels", STAMP)
    return None if stamp is None else (text(template, "labels", SLOT) or "unknown", stamp)


def node(data: Data, *route: str) -> Data:
    """Return what stands at a route of keys, None when nothing does."""
    for key in route:
        if not isinstance(data, dict):
            return None
        data = data.get(key)
    return data


def text(data: Data, *route: str) -> str | None:
    """Return a text that is not empty, None for anything else."""
    found = node(data, *route)
    return found if isinstance(found, str) and found else None


def number(data: Data, *route: str) -> float | None:
    """Return a number that is not negative, None for anything else."""
    found = node(data, *route)
    if isinstance(found, bool) or not isinstance(found, int | float) or found < 0:
        return None
    return float(found)


def items(data: Data, *route: str) -> list[dict[str, Data]]:
    """Return the maps of a list, empty for anything else."""
    found = node(data, *route)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def moment(data: Data, *route: str) -> datetime | None:
    """Return an instant, None for a text that names none."""
    found = instant(text(data, *route) or "")
    return None if found is None else found.astimezone(UTC)
