"""Which fields of which views a version reads."""

from __future__ import annotations

from modelspec.spec.kinds import RESERVED_VIEW
from modelspec.spec.model import ModelVersion


def reads(version: ModelVersion) -> dict[str, tuple[str, ...] | None]:
    """Return the fields that a version reads of each view it lists, sorted: the union of its `from` lists.

    None stands for every field: what fills an opaque input is not said, so a view that no `from` names may
    be read whole.
    """
    inputs = version.signature.inputs if version.signature is not None else ()
    opaque = not inputs or any(not tensor.sources for tensor in inputs)
    named: dict[str, set[str]] = {}
    for tensor in inputs:
        for source in tensor.sources:
            view, _, field = source.rpartition(".")
            if view != RESERVED_VIEW:
                named.setdefault(view, set()).add(field)
    return {
        feature.view: tuple(sorted(named.get(feature.view, ())))
        if feature.view in named or not opaque
        else None
        for feature in version.feature_refs
    }
