"""Writes the pins that move along with a version, as a verdict asks for them."""

from __future__ import annotations

from collections.abc import Iterable

from modelspec.change.pin import Role, placed, serving
from modelspec.change.proposal import Declined, Step
from modelspec.compat.copins import Move
from modelspec.spec.base import ref_name
from modelspec.spec.kinds import FEATURE_PIN, PIN
from modelspec.spec.registry import Registry

Moved = tuple[dict[str, bytes | None], tuple[Step, ...]]
"""The patch of some moves, and the steps that they are."""


def moved(registry: Registry, environment: str, moves: Iterable[Move]) -> Moved | Declined:
    """Return the edits that carry out moves in one environment."""
    patch: dict[str, bytes | None] = {}
    steps: list[Step] = []
    for move in moves:
        kind = FEATURE_PIN if move.kind == "feature" else PIN
        path = kind.locate(environment, move.name)
        if move.kind == "feature":
            served = registry.value(FEATURE_PIN, environment, move.name)
            if served is None:
                return Declined(f"{environment} has no feature pin of {move.name}", f"write {path} first")
            after = serving(served.document.source, served.value, move.now)
        else:
            pin = registry.value(PIN, environment, move.name)
            if pin is None:
                return Declined(
                    f"{move.name} is needed, and {environment} has no pin of it",
                    f"modelspec promote {move.name} {ref_name(move.now[0])} --to {environment}",
                )
            after = placed(pin.document.source, pin.value, Role(), move.now[0])
        if not isinstance(after, bytes):
            return Declined.of(path, after)
        patch[path] = after
        verb = "serve" if move.kind == "feature" else "promote"
        steps.append(Step(verb, move.name, environment, named(move.was), named(move.now)))
    return patch, tuple(steps)


def named(refs: Iterable[str]) -> str:
    """Return references without their digests: `7,8`."""
    return ",".join(ref_name(ref) for ref in refs)
