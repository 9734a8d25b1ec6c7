"""What a change reaches: the pins that compile otherwise, and who reads a view that moves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from modelspec.compat.world import World
from modelspec.delta.pairs import Against, Change
from modelspec.spec.base import ref_name
from modelspec.spec.kinds import (
    ENVIRONMENT,
    FEATURE_PIN,
    MODEL,
    PIN,
    SCHEMA,
    SETTINGS,
    VERSION,
    VIEW,
    classify,
)
from modelspec.spec.registry import Registry

Name = tuple[str, str]
"""(environment, model) of a pin, or (environment, view) of a feature pin."""


@dataclass(frozen=True, slots=True)
class Reach:
    """The pins and feature pins that a change may compile otherwise, and who reads a view that moves.

    `whole`: the change touches more than pins and what is published, so the whole registry is judged.
    """

    pins: tuple[Name, ...]
    served: tuple[Name, ...]
    readers: tuple[tuple[str, str, str], ...]
    """(environment, view, model) of every model that reads a view which is served otherwise."""
    whole: bool
    judged: tuple[Name, ...] = ()
    """Pins that compile as before and may be wrong now: those of a model that retires a version."""


def reach(against: Against, head: Registry) -> Reach:
    """Return what a change reaches; the cost grows with the change, and with an environment that moves."""
    pins: set[Name] = set()
    served: set[Name] = set()
    readers: set[tuple[str, str, str]] = set()
    judged: set[Name] = set()
    whole = any(path.startswith("templates/") or classify(path) is None for path in against.paths)
    for change in against.changes:
        if not change.meant:
            continue
        if change.kind is PIN:
            pins.add((change.name[0], change.name[1]))
            whole = whole or head.get(ENVIRONMENT, change.name[0]) is None
        elif change.kind is FEATURE_PIN:
            served.add((change.name[0], change.name[1]))
            whole = whole or head.get(ENVIRONMENT, change.name[0]) is None
        elif _retires(change):
            # Who pins it may not any more; whose way back it was, the rule of windows asks by itself.
            judged |= {
                (place, change.name[0])
                for place, is_folder in head.snapshot.ls("registry/environments")
                if is_folder and head.get(PIN, place, change.name[0]) is not None
            }
        elif change.kind is ENVIRONMENT:
            pins |= {(name[0], name[1]) for name in head.names(PIN, change.name[0])}
            whole = True
        elif (
            change.kind not in (VERSION, SCHEMA)
            or change.was is not None
            or (head.get(MODEL, change.name[0]) if change.kind is VERSION else head.get(VIEW, change.name[0]))
            is None
        ):
            whole = True
            if change.kind is SETTINGS:
                pins |= {(name[0], name[1]) for name in head.names(PIN)}
    for environment, model in tuple(pins):
        pins |= {(environment, who) for who in _needing(against, head, environment, model)}
    for environment, view in served:
        for model in _readers(head, environment, view):
            pins.add((environment, model))
            readers.add((environment, view, model))
    targets = {path.split("/")[1] for path in against.paths if path.startswith("templates/")}
    pins |= set(_served_by(head, targets))
    return Reach(
        tuple(sorted(pins)), tuple(sorted(served)), tuple(sorted(readers)), whole, tuple(sorted(judged))
    )


def _retires(change: Change[Any]) -> bool:
    """Whether a model differs in its `retired` alone, which only got more lines."""
    if change.kind is not MODEL or change.before is None or change.after is None:
        return False
    was, now = change.before.document.data, change.after.document.data
    if not isinstance(was, dict) or not isinstance(now, dict):
        return False
    was, now = dict(was), dict(now)
    before, after = was.pop("retired", []), now.pop("retired", [])
    return (
        was == now and isinstance(before, list) and isinstance(after, list) and after[: len(before)] == before
    )


def _needing(against: Against, head: Registry, environment: str, model: str) -> Iterator[str]:
    """Yield the models that need one whose slots move."""
    before, after = against.base.value(PIN, environment, model), head.value(PIN, environment, model)
    slots = [None if pin is None else pin.value.slots() for pin in (before, after)]
    if slots[0] != slots[1]:
        for who, _, _ in World.of(head, environment).dependents.get(model, ()):
            yield who


def _readers(head: Registry, environment: str, view: str) -> Iterator[str]:
    for pin in head.entries(PIN, environment):
        for _, _, ref in pin.value.slots():
            version = head.value(VERSION, pin.value.model, ref_name(ref))
            if version is not None and any(one.view == view for one in version.value.feature_refs):
                yield pin.value.model
                break


def _served_by(head: Registry, targets: Iterable[str]) -> Iterator[Name]:
    wanted = frozenset(targets)
    for pin in head.entries(PIN) if wanted else ():
        if not wanted.isdisjoint(pin.value.serve):
            yield pin.value.environment, pin.value.model
