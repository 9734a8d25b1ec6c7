"""What a compile writes: the outputs of each pin with its manifest, and the lock of each feature pin.

Nothing is shared between pins, and nothing in them names the tool, the time or the rest of the
environment: so concurrent changes of different pins never touch one file.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from modelspec.compile.deployment import Deployment
from modelspec.compile.pin import CompiledPin, compile_pin, folder_of
from modelspec.compile.target import MANIFEST
from modelspec.rules.rule import Scene
from modelspec.spec.base import ref_digest, ref_name
from modelspec.spec.environment import FeaturePin, Pin
from modelspec.spec.kinds import SCHEMA
from modelspec.spec.reader import Entry
from modelspec.tree.digest import sha256, spec_digest
from modelspec.tree.serialise import pretty

FORMAT = "modelspec/manifest/1"
LOCK_FORMAT = "modelspec/feature-lock/1"
LOCK = "lock.json"
_ASIDE = frozenset({"hold", "reason", "closes"})
"""Keys of a pin that say something to people and gates and nothing to what is served."""


def outputs_for(
    scene: Scene, pins: Iterable[Entry[Pin]], feature_pins: Iterable[Entry[FeaturePin]]
) -> dict[str, bytes]:
    """Return all files that these pins compile to, sorted by path.

    Call it only when no rule found an error in what they reach: a pin that can't be compiled gives an
    incomplete answer here, and its reasons there. A pin without `serve` compiles to nothing.
    """
    found: dict[str, bytes] = {}
    for pin in pins:
        compiled = compile_pin(scene, pin)
        if compiled.deployed is not None:
            files = {**compiled.outputs, MANIFEST: _manifest(compiled, compiled.deployed)}
            found |= {f"{folder_of(pin.value)}/{path}": data for path, data in files.items()}
    for served in feature_pins:
        folder = f"compiled/{served.value.environment}/features/{served.value.view}"
        found |= {f"{folder}/{path}": data for path, data in _feature_files(scene, served).items()}
    return dict(sorted(found.items()))


def _manifest(compiled: CompiledPin, deployed: Deployment) -> bytes:
    versions: dict[str, str] = {}
    schemas: dict[str, dict[str, str]] = {}
    stores: dict[str, dict[str, str]] = {}
    for slot in deployed.slots:
        version = slot.version.value
        versions[version.version] = slot.digest
        for ref in version.feature_refs:
            schemas.setdefault(ref.view, {})[ref_name(ref.schema_)] = ref_digest(ref.schema_)
        if slot.store is not None and slot.artifact.store is not None and slot.artifact.uri is None:
            known = {"path": slot.store.path, "uri": slot.store.uri}
            stores[slot.artifact.store] = {key: value for key, value in known.items() if value is not None}
    return _json(
        {
            "format": FORMAT,
            "environment": deployed.environment,
            "model": deployed.model,
            "inputs": {
                "pin": _pin_digest(deployed.pin),
                "stage": deployed.stage,
                "versions": dict(sorted(versions.items())),
                "schemas": {view: dict(sorted(numbers.items())) for view, numbers in sorted(schemas.items())},
                "stores": dict(sorted(stores.items())),
                "targets": {target.value.name: target.digests for target in compiled.targets},
            },
            "outputs": {path: sha256(data) for path, data in sorted(compiled.outputs.items())},
        }
    )


def _feature_files(scene: Scene, pin: Entry[FeaturePin]) -> dict[str, bytes]:
    """Return the lock that a feature pipeline reads, and its manifest."""
    value = pin.value
    serves: list[dict[str, Any]] = []
    for ref in value.serves:
        schema = scene.registry.value(SCHEMA, value.view, ref_name(ref))
        if schema is None:
            return {}
        code = schema.document.value(("code",))
        served: dict[str, Any] = {"number": schema.value.number, "digest": ref_digest(ref)}
        if schema.value.entity is not None:
            served["entity"] = schema.value.entity
        served["fields"] = [
            {"name": one.name, "dtype": one.dtype} | ({"alias": one.alias} if one.alias is not None else {})
            for one in schema.value.fields
        ]
        serves.append(served | ({"code": code} if code is not None else {}))
    lock = _json(
        {
            "format": LOCK_FORMAT,
            "environment": value.environment,
            "view": value.view,
            "access": value.access,
            "serves": serves,
        }
    )
    manifest = {
        "format": FORMAT,
        "environment": value.environment,
        "view": value.view,
        "inputs": {
            "pin": _pin_digest(pin),
            "schemas": {value.view: {ref_name(ref): ref_digest(ref) for ref in value.serves}},
        },
        "outputs": {LOCK: sha256(lock)},
    }
    return {LOCK: lock, MANIFEST: _json(manifest)}


def _pin_digest(pin: Entry[Any]) -> str:
    data = pin.document.data
    assert isinstance(data, dict)
    return spec_digest({key: value for key, value in data.items() if key not in _ASIDE})


def _json(data: Any) -> bytes:
    return pretty(data).encode()
