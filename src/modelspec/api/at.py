"""`at`: what was declared at an instant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from modelspec.spec.kinds import FEATURE_PIN, PIN, classify
from modelspec.spec.pinned import Declared, read_pin
from modelspec.tree.data import Data
from modelspec.tree.finding import Fault
from modelspec.tree.snapshot import Blob
from modelspec.tree.usual import usual


@dataclass(frozen=True, slots=True)
class DeclaredPin:
    """One pin as it was; `pin` is None when its file could not be read."""

    environment: str
    model: str
    path: str
    pin: Declared | None


@dataclass(frozen=True, slots=True)
class DeclaredFeatures:
    """The schemas of a view that an environment served; `serves` is None when the file could not be read."""

    environment: str
    view: str
    path: str
    serves: tuple[str, ...] | None
    access: str = ""


@dataclass(frozen=True, slots=True)
class State:
    """What some files declared, sorted by path."""

    pins: tuple[DeclaredPin, ...]
    features: tuple[DeclaredFeatures, ...]


def state_of(files: Iterable[tuple[str, Blob]], model: str | None = None) -> State:
    """Return what these files declare: pins, or those of a model alone, and what serves features."""
    pins: list[DeclaredPin] = []
    features: list[DeclaredFeatures] = []
    for path, blob in files:
        found = classify(path)
        if found is None:
            continue
        kind, name = found
        if kind is PIN and model in (None, name[1]):
            pins.append(DeclaredPin(name[0], name[1], path, read_pin(blob, *name)))
        elif kind is FEATURE_PIN and model is None:
            features.append(_features(name, path, blob))
    return State(tuple(pins), tuple(features))


def _features(name: tuple[str, ...], path: str, blob: Blob) -> DeclaredFeatures:
    data = blob.read()
    document: Data = None if isinstance(data, Fault) else usual(data)
    if document is None and not isinstance(data, Fault):
        from modelspec.spec.reader import Entry, Reader

        entry = Reader().read(FEATURE_PIN, name, path, blob)
        document = entry.document.data if isinstance(entry, Entry) else None
    serves = document.get("serves") if isinstance(document, dict) else None
    access = document.get("access") if isinstance(document, dict) else None
    if not isinstance(serves, list) or not isinstance(access, str):
        return DeclaredFeatures(name[0], name[1], path, None)
    return DeclaredFeatures(name[0], name[1], path, tuple(_texts(serves)), access)


def _texts(items: list[Data]) -> Iterator[str]:
    return (item for item in items if isinstance(item, str))
