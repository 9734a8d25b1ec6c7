"""What templates may name: a deployment as plain data. docs/targets.md describes it key by key."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from modelspec.compile.deployment import DeployedSlot, Deployment
from modelspec.compile.fields import fields_of
from modelspec.compile.naming import integer, object_name
from modelspec.spec.base import ref_digest, ref_name
from modelspec.spec.model import Artifact, Input, Output
from modelspec.spec.target import Target
from modelspec.tree.data import Data
from modelspec.tree.digest import stamp
from modelspec.tree.place import Route
from modelspec.tree.uri import served_uri

NAMES: Final = frozenset(
    {"environment", "stage", "model", "params", "tables", "slots", "answering", "variants"}
    | {"stable", "canary", "standby", "shadow"}
)
"""The names of every context; `slot` is one more, in outputs with `each: slot`."""
SLOT: Final = "slot"
TEXT_PARTS: Final = ("model", "environment", "object", "stable", "slot", "version", "short")
PART: Final = re.compile(r"\{([^{}]*)\}")


class Contexts:
    """The contexts of one deployment for one target; slots are made once."""

    def __init__(self, deployed: Deployment, target: Target, params: Data) -> None:
        self._deployed, self._target = deployed, target
        self._slots = [_slot(slot, deployed, target) for slot in deployed.slots]
        tables: dict[str, Data] = {name: dict(table) for name, table in target.tables.items()}
        self._fixed: dict[str, Data] = {
            "environment": deployed.environment,
            "stage": deployed.stage,
            "model": deployed.model,
            "params": params,
            "tables": tables,
        }
        self._by_folder: dict[str, dict[str, Data]] = {}

    def at(self, folder: str, slot: int | None = None) -> dict[str, Data]:
        """Return the context of an output in a folder; paths of artifacts are relative to that folder."""
        made = self._by_folder.get(folder)
        if made is None:
            made = self._by_folder[folder] = self._make(folder)
        if slot is None:
            return made
        slots = made["slots"]
        assert isinstance(slots, list)
        return {**made, SLOT: slots[slot]}

    def _make(self, folder: str) -> dict[str, Data]:
        slots: list[Data] = [
            {**data, "artifact": _artifact(slot, folder, self._target)}
            for slot, data in zip(self._deployed.slots, self._slots, strict=True)
        ]
        kinds: dict[str, list[Data]] = {}
        for slot, data in zip(self._deployed.slots, slots, strict=True):
            kinds.setdefault(slot.kind, []).append(data)
        answering = [data for slot, data in zip(self._deployed.slots, slots, strict=True) if slot.answers]
        context = {
            **self._fixed,
            "slots": slots,
            "answering": answering,
            "variants": kinds.get("variant", []),
        }
        for kind in ("stable", "canary", "standby", "shadow"):
            context[kind] = kinds[kind][0] if kind in kinds else None
        return context


def slots_of(source: Route, deployed: Deployment, slot: int | None) -> Iterator[tuple[int, Route]]:
    """Yield (index of the slot, route in it) of all that a route in a context holds of slots.

    `slot` is the index of the output's own slot. A list of slots holds each of them as a whole.
    """
    if not source:
        return
    first, rest = source[0], source[1:]
    if first == SLOT:
        indices = [slot] if slot is not None else []
    else:
        indices = [at for at, one in enumerate(deployed.slots) if _named(str(first), one)]
        if first in _LISTS and rest:
            index, rest = rest[0], rest[1:]
            indices = [indices[index]] if isinstance(index, int) and index < len(indices) else []
    for index in indices:
        yield index, rest


_LISTS: Final = ("slots", "answering", "variants")


def _named(name: str, slot: DeployedSlot) -> bool:
    """Whether a name of the context stands for the slot, or for a list with it."""
    return (
        name in ("slots", slot.kind)
        or (name == "answering" and slot.answers)
        or (name == "variants" and slot.kind == "variant")
    )


def _slot(slot: DeployedSlot, deployed: Deployment, target: Target) -> dict[str, Data]:
    version = slot.version.value
    runtime, signature = version.runtime, version.signature
    name = object_name(deployed.model, slot.name, target.names)
    parts = {
        "model": deployed.model,
        "environment": deployed.environment,
        "object": name,
        "stable": object_name(deployed.model, "stable", target.names),
        "slot": slot.name,
        "version": version.version,
        "short": slot.short,
    }
    texts: dict[str, Data] = {key: _text(text, parts) for key, text in target.texts.items()}
    features: list[Data] = [
        {"view": ref.view, "number": int(ref_name(ref.schema_)), "digest": ref_digest(ref.schema_)}
        for ref in version.feature_refs
    ]
    return {
        "name": slot.name,
        "kind": slot.kind,
        "answers": slot.answers,
        "weight": slot.weight,
        "object": name,
        "model": deployed.model,
        "version": version.version,
        "digest": slot.digest,
        "stamp": slot.stamp,
        "short": slot.short,
        "integer": integer(version.version),
        "image": runtime.image if runtime is not None else None,
        "python": runtime.python if runtime is not None else None,
        "threads": runtime.threads if runtime is not None else None,
        "inputs": _tensors(signature.inputs if signature is not None else ()),
        "outputs": _tensors(signature.outputs if signature is not None else ()),
        "features": features,
        "fields": fields_of(slot),
        "texts": texts,
    }


def _text(text: str, parts: Mapping[str, str]) -> str:
    return PART.sub(lambda match: parts[match.group(1)], text)


def _tensors(tensors: Sequence[Input | Output]) -> list[Data]:
    return [{"name": one.name, "dtype": one.dtype, "shape": list(one.shape)} for one in tensors]


def _artifact(slot: DeployedSlot, folder: str, target: Target) -> dict[str, Data]:
    artifact, store = slot.artifact, slot.store
    tree = stamp(artifact.digest) if artifact.digest is not None else None
    if artifact.uri is not None:
        return _located(artifact, artifact.uri, artifact.uri, target)
    uri = None
    if store is not None and store.uri is not None and tree is not None:
        uri = f"{served_uri(store.uri)}/{tree}"
    path = uri
    if store is not None and store.path is not None and tree is not None:
        path = posixpath.relpath(f"/{store.path}/{tree}", f"/{folder}")
    return _located(artifact, uri, path, target)


def _located(artifact: Artifact, uri: str | None, path: str | None, target: Target) -> dict[str, Data]:
    files: list[Data] = [
        {"path": file.path, "size": file.size, "digest": file.digest} for file in artifact.files
    ]
    return {
        "digest": artifact.digest,
        "format": artifact.format,
        "uri": uri,
        "path": path,
        "loaded": uri is not None and target.loads_from(uri),
        "files": files,
    }
