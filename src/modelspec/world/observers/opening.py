"""From what the user names to the observer of it."""

from __future__ import annotations

from collections.abc import Sequence

from modelspec.tree.protocols import Observer
from modelspec.world.observers.saved import Saved


def observer(
    source: str,
    models: Sequence[str] = (),
    *,
    plain: bool = False,
    namespace: str | None = None,
    context: str | None = None,
) -> Observer:
    """Return the observer of a source: a file, `-`, an address, `kubectl:RESOURCES`, `sagemaker:ENDPOINT`.

    `models` are those that a server is asked for when its address names none. Raises Refusal for an address
    or a name that can't be one.
    """
    kind, colon, rest = source.partition(":")
    if kind in ("http", "https") and rest.startswith("//"):
        from modelspec.world.observers.endpoint import Endpoint

        return Endpoint(source, models, plain=plain)
    if colon and kind == "kubectl":
        from modelspec.world.observers.programs import Kubectl

        return Kubectl(rest, namespace, context)
    if colon and kind == "sagemaker":
        from modelspec.world.observers.programs import SageMaker

        return SageMaker(rest)
    return Saved(source)
