"""`show`: one model, or one version with its six components."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from modelspec.api.states import Listed, State, listed, states
from modelspec.spec.base import ref_digest, ref_name
from modelspec.spec.kinds import MODEL, VERSION
from modelspec.spec.model import COMPONENTS, Artifact, Code, Config, Dataset, ModelVersion, Runtime
from modelspec.spec.reader import Entry
from modelspec.spec.registry import Registry
from modelspec.tree.data import Data
from modelspec.tree.digest import short


@dataclass(frozen=True, slots=True)
class ShownModel:
    """A model: who owns it, its versions with their states."""

    name: str
    owner: str
    description: str
    versions: tuple[Listed, ...]


@dataclass(frozen=True, slots=True)
class Component:
    """One of the six: how far it is known, and the facts that name it (label, value)."""

    name: str
    level: str
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ShownVersion:
    """A version: its digest, its states, its components; `data` is the whole document."""

    model: str
    version: str
    digest: str
    path: str
    description: str
    states: tuple[State, ...]
    components: tuple[Component, ...]
    metrics: tuple[tuple[str, float], ...]
    parent: str
    data: Data


def show_model(registry: Registry, model: str) -> ShownModel:
    """Return a model; what its broken file would say is left empty (`check` says why)."""
    entry = registry.value(MODEL, model)
    owner = entry.value.owner if entry is not None else ""
    description = entry.value.description or "" if entry is not None else ""
    return ShownModel(model, owner, description, tuple(listed(registry, model)))


def show_version(registry: Registry, model: str, version: str) -> ShownVersion | None:
    """Return a version, or None when its file can't be read."""
    entry = registry.get(VERSION, model, version)
    if not isinstance(entry, Entry):
        return None
    value = entry.value
    return ShownVersion(
        model=model,
        version=version,
        digest=entry.digest,
        path=entry.path,
        description=value.description or "",
        states=states(registry, model).get((model, version), ()),
        components=tuple(_component(value, name) for name in COMPONENTS),
        metrics=tuple(sorted((value.metrics or {}).items())),
        parent=(value.lineage.parent or "") if value.lineage else "",
        data=entry.document.data,
    )


def _component(version: ModelVersion, name: str) -> Component:
    part = getattr(version, name)
    unknown = getattr(part, "unknown", None)
    if part is None:
        return Component(name, "missing", ())
    if unknown is not None:
        return Component(name, "unknown", (("reason", unknown.reason),))
    facts = _features(version) if name == "features" else _FACTS[name](part)
    return Component(name, "recorded", tuple((label, text) for label, text in facts if text))


Facts = list[tuple[str, str | None]]


def _artifact(artifact: Artifact) -> Facts:
    size = sum(file.size for file in artifact.files)
    return [
        ("digest", artifact.digest),
        ("format", " ".join(filter(None, (artifact.format, artifact.architecture)))),
        ("files", f"{', '.join(file.path for file in artifact.files)} ({size:,} bytes)"),
        ("store", artifact.store if artifact.uri is None else f"in place: {artifact.uri}"),
    ]


def _code(code: Code) -> Facts:
    return [("commit", code.commit), ("at", " ".join(filter(None, (code.repository, code.path))))]


def _features(version: ModelVersion) -> Facts:
    reads: Facts = [
        (ref.view, f"schema {ref_name(ref.schema_)} {short(ref_digest(ref.schema_))}")
        for ref in version.feature_refs
    ]
    asked = ", ".join(field.name for field in version.request)
    return [*reads, ("request", asked)] if reads or asked else [("none", "its inputs are opaque")]


def _dataset(dataset: Dataset) -> Facts:
    return [
        ("name", dataset.name),
        ("uri", dataset.uri),
        ("snapshot", dataset.snapshot),
        ("digest", dataset.digest),
    ]


def _runtime(runtime: Runtime) -> Facts:
    return [
        ("image", runtime.image),
        ("python", runtime.python),
        ("packages", ", ".join(" ".join(pinned) for pinned in sorted((runtime.packages or {}).items()))),
        ("threads", None if runtime.threads is None else str(runtime.threads)),
    ]


def _config(config: Config) -> Facts:
    return [
        (
            "hyperparameters",
            ", ".join(f"{key}={value}" for key, value in (config.hyperparameters or {}).items()),
        ),
        (
            "thresholds",
            ", ".join(f"{cut.name}: {cut.output} {cut.op} {cut.value:g}" for cut in config.thresholds),
        ),
    ]


_FACTS: Final[dict[str, Callable[[Any], Facts]]] = {
    "artifact": _artifact,
    "code": _code,
    "dataset": _dataset,
    "runtime": _runtime,
    "config": _config,
}
"""What identifies a component, in the order that people ask for it."""
