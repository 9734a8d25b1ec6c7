"""What a target can do with a slot: serve it at all, and reach its artifact."""

from __future__ import annotations

from modelspec.compile.deployment import DeployedSlot
from modelspec.compile.naming import integer
from modelspec.spec.target import Target
from modelspec.tree.text import visible


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


def unlocated(target: Target, slot: DeployedSlot) -> tuple[str, str] | None:
    """Say why the target can't reach the slot's artifact, and how to mend it; None when it can."""
    name = slot.artifact.store
    if slot.artifact.digest is not None and slot.artifact.uri is not None:
        if target.storage == "uri":
            return None
        where = f"version {slot.version.value.version} lies in place in a bucket"
        return f"{where}, and {target.name} loads folders", "register it into a store"
    if slot.artifact.digest is None or name is None:
        version = slot.version.value.version
        return f"version {version} does not say where it is", "publish a version that has its artifact"
    if slot.store is None:
        return f"there is no store {visible(name)}", "name it in registry/modelspec.yaml"
    if slot.store.uri is None and (target.storage == "uri" or slot.store.path is None):
        fix = f"add `uri` to stores.{name} in registry/modelspec.yaml"
        return f"the store {visible(name)} has no uri", fix
    return None
