"""`rollback`: a pin gets back the content that it had, and so do the pins that move along; it is held."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from modelspec.change.copins import moved, named
from modelspec.change.edit import Unedited
from modelspec.change.pin import explained, restored, serving
from modelspec.change.proposal import Declined, Proposal, Step
from modelspec.change.words import reason as reason_of
from modelspec.compat.copins import Move
from modelspec.compat.verdict import Says, Standing, standing
from modelspec.compat.world import World
from modelspec.delta.earlier import goes_back, last_with, previous
from modelspec.delta.tenure import Standing as Stood
from modelspec.delta.tenure import standings
from modelspec.spec.base import ref_name
from modelspec.spec.environment import Pin
from modelspec.spec.history import History
from modelspec.spec.kinds import FEATURE_PIN, MODEL, PIN, VERSION
from modelspec.spec.pinned import meaning
from modelspec.spec.reader import Entry
from modelspec.spec.registry import Registry
from modelspec.tree.snapshot import Patched, Snapshot


@dataclass(frozen=True, slots=True)
class Why:
    """What the hold says: the words given, else ones that say what was done."""

    text: str | None = None
    link: str | None = None

    def map(self, otherwise: str) -> str:
        """Return the flow map of the hold."""
        return reason_of(self.text or otherwise, self.link)


def rollback(
    registry: Registry,
    history: History,
    model: str,
    environment: str,
    *,
    to: str | None = None,
    keep_params: bool = False,
    why: Why | None = None,
) -> Proposal | Declined:
    """Return the edits that give a pin an earlier state, by the first-parent history of its base."""
    why = why or Why()
    pin = registry.get(PIN, environment, model)
    log = standings(history, registry.reader, environment, model)
    if not isinstance(pin, Entry):
        return _unpinned(model, environment, gone=pin is None and bool(log))
    before = _already(log, pin.value) if to is None else None
    branch = f"{environment}/{model}"
    if before is not None:
        said = f"{model} in {environment} went back to {before} and is held; further back: --to VERSION"
        return Proposal("rollback", "", branch, {pin.path: pin.document.source}, already=(said,))
    target = _target(registry, log, pin, to)
    if isinstance(target, Declined):
        return target
    assert target.pin is not None
    then = source_of(history.snapshot(target.commit.id), pin.path) or b""
    was, now = pin.value.stable.version, target.pin.stable.version
    left = ref_name(was) if was != now else _other_slots(pin.value)
    step = Step("rollback", model, environment, left, ref_name(now))
    after = given_back(pin.document.source, then, keep_params, why.map(_said(step)))
    if isinstance(after, Unedited):
        return Declined.of(pin.path, after)
    patch: dict[str, bytes | None] = {pin.path: after}
    stands, along = _along(registry, history, patch, target, model, environment)
    if isinstance(along, Declined):
        return along
    return Proposal(
        "rollback",
        f"Roll back {model} to {ref_name(now)} in {environment}",
        branch,
        patch | along[0],
        (step, Step("hold", model, environment), *along[1]),
        stands,
        notes=(f"restored from {target.commit.short} ({target.commit.time:%Y-%m-%d})",),
        restores=True,
    )


def _unpinned(model: str, environment: str, *, gone: bool) -> Declined:
    if gone:
        return Declined(
            f"the pin of {model} was removed from {environment}",
            "find the commit with `git log` and undo it: modelspec rollback --change COMMIT",
        )
    return Declined(
        f"{environment} has no pin of {model} that can be read", "modelspec list --env lists what is pinned"
    )


def _already(log: tuple[Stood, ...], pin: Pin) -> str | None:
    """Return the version that the pin has just gone back to, held so that it stays there, or None."""
    if pin.hold is None or len(log) < 2 or log[-2].pin is None or log[-1].pin is None:
        return None
    was, now = log[-2].pin, log[-1].pin
    back = was.stable.version != now.stable.version and goes_back(log, was.stable.version, now.stable.version)
    turned_off = was.stable.version == now.stable.version and was.canary is not None and now.canary is None
    left = was.hold is None and (back or turned_off)
    return ref_name(now.stable.version) if left and meaning(now) == meaning(pin) else None


def _target(registry: Registry, log: tuple[Stood, ...], pin: Entry[Pin], to: str | None) -> Stood | Declined:
    model, environment = pin.value.model, pin.value.environment
    owner = registry.value(MODEL, model)
    withdrawn = frozenset(
        one.version for one in (owner.value.retired if owner is not None else ()) if one.state == "withdrawn"
    )
    if to is None:
        found = previous(log, pin.value, withdrawn)
        if found is None:
            return Declined(
                f"nothing served {model} in {environment} before {ref_name(pin.value.stable.version)} "
                "that is not withdrawn",
                f"promote a good version: modelspec list {model}",
            )
        return found
    found = last_with(log, to)
    if found is None or found.pin is None:
        return Declined(
            f"{model} {to} never was stable in {environment}",
            f"that is a promotion: modelspec promote {model} {to} --to {environment}",
        )
    stable = found.pin.stable.version
    if not goes_back(log, pin.value.stable.version, stable):
        return Declined(
            f"{model} {to} came to {environment} after {ref_name(pin.value.stable.version)}",
            f"that is a promotion: modelspec promote {model} {to} --to {environment}",
        )
    if stable in withdrawn:
        return Declined(f"{model} {to} is withdrawn", "name another version: --to VERSION")
    return found


def given_back(source: bytes, then: bytes, keep_params: bool, hold: str) -> bytes | Unedited:
    """Return a pin with the content that it had then, held."""
    after = restored(source, then, keep_params=keep_params)
    return after if isinstance(after, Unedited) else explained(after, "hold", hold)


def _along(
    registry: Registry,
    history: History,
    patch: Mapping[str, bytes | None],
    target: Stood,
    model: str,
    environment: str,
) -> tuple[tuple[Standing, ...], tuple[dict[str, bytes | None], tuple[Step, ...]] | Declined]:
    """Judge the restored slots in today's world; return the verdicts, and the pins that must go back too."""
    head = Registry(Patched(registry.snapshot, patch), registry.reader)
    world = World.of(head, environment)
    assert target.pin is not None
    stands = tuple(
        standing(world, model, ref, slot)
        for slot, _, ref in target.pin.slots()
        if registry.value(VERSION, model, ref_name(ref)) is not None or slot == "stable"
    )
    moves = next((one.moves for one in stands if one.says is Says.CO_PINS), ())
    if not moves:
        return stands, ({}, ())
    then = history.snapshot(target.commit.id)
    earlier = _earlier(registry, then, environment, moves)
    if earlier is not None and _clean(registry, head, environment, earlier[0]):
        return stands, earlier
    return stands, moved(registry, environment, moves)


def _earlier(
    registry: Registry, then: Snapshot, environment: str, moves: tuple[Move, ...]
) -> tuple[dict[str, bytes | None], tuple[Step, ...]] | None:
    """Return the moves as the content that those pins had then, or None where they had none."""
    patch: dict[str, bytes | None] = {}
    steps = []
    old = Registry(Patched(then, {}), registry.reader)
    for move in moves:
        if move.kind == "feature":
            was, now = (
                old.value(FEATURE_PIN, environment, move.name),
                registry.value(FEATURE_PIN, environment, move.name),
            )
            if was is None or now is None or was.value.access != now.value.access:
                return None
            after = serving(now.document.source, now.value, was.value.serves)
            step = Step("serve", move.name, environment, named(move.was), named(was.value.serves))
            path = now.path
        else:
            pin, held = old.value(PIN, environment, move.name), registry.value(PIN, environment, move.name)
            if pin is None or held is None or (pin.value.stable.version,) != move.now:
                return None
            after = restored(held.document.source, pin.document.source)
            step = Step("rollback", move.name, environment, named(move.was), named(move.now))
            path = held.path
        if isinstance(after, Unedited):
            return None
        patch[path] = after
        steps.append(step)
    return patch, tuple(steps)


def _clean(registry: Registry, head: Registry, environment: str, patch: Mapping[str, bytes | None]) -> bool:
    """Whether nothing is wrong after a patch over the head that was not wrong before both."""
    known = {one.identity for one in World.of(registry, environment).troubles()}
    after = World.of(Registry(Patched(head.snapshot, patch), head.reader), environment)
    return all(one.identity in known for one in after.troubles())


def source_of(tree: Snapshot, path: str) -> bytes | None:
    """Return the bytes of a file; None when it is not there, or no file that is read."""
    blob = tree.get(path)
    data = blob.read() if blob is not None else None
    return data if isinstance(data, bytes) else None


def _other_slots(pin: Pin) -> str:
    """Name what answers beside stable."""
    return ",".join(f"{slot} {ref_name(ref)}" for slot, _, ref in pin.slots() if slot != "stable")


def _said(step: Step) -> str:
    return f"Rolled back from {step.was or 'what was'} to {step.now or 'nothing'}"
