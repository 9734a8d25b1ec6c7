"""What a target can do with a slot: serve it at all, and reach its artifact."""

from __future__ import annotations

from collections.abc import Collection

from modelspec.compile.deployment import DeployedSlot
from modelspec.compile.naming import integer
from modelspec.spec.target import Target
from modelspec.tree.text import visible
from modelspec.tree.uri import served_uri


def unexpressed(target: Target, slot: DeployedSlot) -> str | None:
    """Say why the target can't serve a slot, or None when it can."""
    can = target.expresses
    version = slot.version.value.version
    if target.integers and integer(version) is None:
        return f"{target.name} knows a version only as an integer, and {version} has none"
    if (slot.kind == "shadow" and not can.shadow) or (slot.kind == "standby" and not can.standby):
        return f"{target.name} can't serve a {slot.kind}"
    if slot.kind in ("canary", "variant"):
        weights = can.canary if slot.kind == "canary" else can.variants
        if weights is False:
            return f"{target.name} can't serve a {slot.kind}"
        least, most = weights
        if not least <= slot.weight <= most:
            return f"{target.name} gives {slot.name} {least} to {most} percent, not {slot.weight}"
    return None


def unlocated(target: Target, slot: DeployedSlot, params: Collection[str]) -> tuple[str, str] | None:
    """Say why the target can't reach the slot's artifact, and how to mend it; None when it can.

    `params` are the names of those that the pin gives.
    """
    name = slot.artifact.store
    if slot.artifact.digest is not None and slot.artifact.uri is not None:
        if target.storage == "uri" and target.loads_from(slot.artifact.uri):
            return None
        where = f"version {slot.version.value.version} lies in place in a bucket"
        loads = "folders" if target.storage == "path" else "nothing from there"
        return f"{where}, and {target.name} loads {loads}", "register it into a store"
    if slot.artifact.digest is None or name is None:
        version = slot.version.value.version
        return f"version {version} does not say where it is", "publish a version that has its artifact"
    if slot.store is None:
        return f"there is no store {visible(name)}", "name it in registry/modelspec.yaml"
    if slot.store.uri is None and (target.storage == "uri" or slot.store.path is None):
        fix = f"add `uri` to stores.{name} in registry/modelspec.yaml"
        return f"the store {visible(name)} has no uri", fix
    if slot.store.uri is None or (target.storage == "path" and slot.store.path is not None):
        return None
    return _unloaded(target, name, served_uri(slot.store.uri), params)


def _unloaded(target: Target, store: str, uri: str, params: Collection[str]) -> tuple[str, str] | None:
    """Say why the system can't load what has such an address."""
    if target.loads is None or target.loads_from(uri) or target.loads.unless in params:
        return None
    scheme = visible(uri.partition("://")[0])
    schemes = ", ".join(f"{one}://" for one in target.loads.schemes)
    fix = f"keep it in a store at {schemes}" if schemes else ""
    if target.storage == "path":
        fix = f"add `path` to stores.{visible(store)} in registry/modelspec.yaml, for where servers have it"
    if target.loads.unless is not None:
        fix += f"; or serve with the param `{target.loads.unless}`"
    return f"the store {visible(store)} is at {scheme}://, from where {target.name} loads nothing", fix
