"""Versions and schemas of the example, as values."""

from __future__ import annotations

from functools import cache

from conftest import ROOT
from modelspec.spec.feature import FeatureSchema
from modelspec.spec.kinds import SCHEMA, VERSION
from modelspec.spec.model import ModelVersion
from modelspec.spec.registry import Registry
from modelspec.trace.columns import Column, columns_of
from modelspec.tree.record import Record, Values
from modelspec.tree.snapshot import DictSnapshot


@cache
def registry() -> Registry:
    """The example's registry."""
    files = {
        path.relative_to(ROOT).as_posix(): path.read_bytes() for path in (ROOT / "registry").rglob("*.yaml")
    }
    return Registry(DictSnapshot(files))


def version(model: str = "eta", number: str = "2.3.0") -> ModelVersion:
    """Return a version of it."""
    entry = registry().value(VERSION, model, number)
    assert entry is not None
    return entry.value


def digest(model: str = "eta", number: str = "2.3.0") -> str:
    """Return the digest of a version of it."""
    entry = registry().value(VERSION, model, number)
    assert entry is not None
    return entry.digest


def schemas(one: ModelVersion) -> dict[str, FeatureSchema]:
    """Return the schemas that a version was trained on, by view."""
    found = {}
    for ref in one.feature_refs:
        entry = registry().value(SCHEMA, ref.view, ref.schema_.partition("@")[0])
        assert entry is not None
        found[ref.view] = entry.value
    return found


def columns(model: str = "eta", number: str = "2.3.0") -> tuple[Column, ...]:
    """Return the columns of a version."""
    one = version(model, number)
    return columns_of(one, schemas(one))


def features(*row: float | None, name: str = "features") -> Values:
    """One row of the example's only input."""
    return Values(name, "float32", (1, len(row)), row)


def minutes(value: float, name: str = "minutes") -> Values:
    """One answer of eta."""
    return Values(name, "float32", (1, 1), (value,))


def record(row: tuple[float | None, ...] = (0.5, 1.0, 8.0, 0.0), **more: object) -> Record:
    """A request to eta that keeps the contract of 2.3.0."""
    given = {"id": "r1", "place": "log:1", "inputs": (features(*row),), **more}
    return Record(**given)  # type: ignore[arg-type]
