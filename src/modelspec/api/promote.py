"""`promote`: a version moves into a slot of one or more environments, with the pins that move along."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from modelspec.change.copins import moved
from modelspec.change.edit import block_of
from modelspec.change.pin import Role, explained, finished, first, placed
from modelspec.change.proposal import Declined, Proposal, Step
from modelspec.compat.verdict import Says, Standing, standing
from modelspec.compat.world import World
from modelspec.delta.tenure import held
from modelspec.spec.base import ref_name
from modelspec.spec.environment import Pin
from modelspec.spec.kinds import ENVIRONMENT, PIN, VERSION
from modelspec.spec.reader import Broken, Entry
from modelspec.spec.registry import Registry


@dataclass(slots=True)
class _Draft:
    """What was put together so far."""

    patch: dict[str, bytes | None] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    standings: list[Standing] = field(default_factory=list)
    already: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def promote(
    registry: Registry,
    model: str,
    version: str,
    environments: Sequence[str],
    role: Role,
    *,
    reason: str | None = None,
) -> Proposal | Declined:
    """Return the edits that let a published version fill a slot; none where it does already.

    `reason` is the flow map that goes into the pins. Whether it may happen is judged afterwards, by rules.
    """
    entry = registry.get(VERSION, model, version)
    if not isinstance(entry, Entry):
        lost = "can't be read" if isinstance(entry, Broken) else "is not published"
        return Declined(f"{model} {version} {lost}", f"modelspec list {model} lists the versions")
    ref = f"{version}@{entry.digest}"
    draft = _Draft()
    for environment in environments:
        declined = _one(registry, draft, model, ref, environment, role, reason)
        if declined is not None:
            return declined
    return Proposal(
        "promote",
        _title(model, version, draft, environments, role),
        f"{'+'.join(environments)}/{model}",
        draft.patch,
        tuple(draft.steps),
        tuple(draft.standings),
        tuple(draft.already),
        notes=tuple(draft.notes),
    )


def _one(
    registry: Registry, draft: _Draft, model: str, ref: str, environment: str, role: Role, reason: str | None
) -> Declined | None:
    path = PIN.locate(environment, model)
    pin = registry.get(PIN, environment, model)
    if isinstance(pin, Broken):
        return Declined(f"{path} can't be read", "modelspec check says why")
    before = held(pin.value if pin is not None else None)
    if pin is None:
        if role != Role():
            return Declined(
                f"{environment} has no pin of {model} yet",
                f"fill stable first: modelspec promote {model} {ref_name(ref)} --to {environment}",
            )
        serve, origin = _served(registry, environment, model)
        after = first(environment, model, ref, serve)
        if serve:
            draft.notes.append(f"{environment}: how it is served was taken from {origin}; look at `serve`")
    else:
        if _is(pin.value, role, ref):
            draft.already.append(f"{model} is already {_at(role, ref)} in {environment}")
            # As it is: a run that was killed may have left what it compiles to behind.
            draft.patch[path] = pin.document.source
            return None
        done = placed(pin.document.source, pin.value, role, ref)
        if not isinstance(done, bytes):
            return Declined.of(path, done)
        after = done
        draft.notes += [
            f"{environment}: {slot} is dropped, it was {ref_name(ref)} too"
            for slot in finished(pin.value, role, ref)
            if slot != "canary"
        ]
    if reason is not None:
        explains = explained(after, "reason", reason)
        if not isinstance(explains, bytes):
            return Declined.of(path, explains)
        after = explains
    stands = standing(World.of(registry, environment), model, ref, role.slot)
    draft.standings.append(stands)
    draft.patch[path] = after
    draft.steps.append(_step(model, environment, role, before, ref))
    if stands.says is not Says.CO_PINS:
        return None
    along = moved(registry, environment, stands.moves)
    if isinstance(along, Declined):
        return along
    draft.patch |= along[0]
    draft.steps += along[1]
    return None


def _served(registry: Registry, environment: str, model: str) -> tuple[tuple[str, ...], str]:
    """Return how the environment before this one serves the model, as lines, and its name."""
    place = registry.value(ENVIRONMENT, environment)
    origin = place.value.after if place is not None else None
    pin = registry.value(PIN, origin, model) if origin is not None else None
    return (block_of(pin.document.source, "serve"), origin or "") if pin is not None else ((), "")


def _is(pin: Pin, role: Role, ref: str) -> bool:
    if held(pin).get(role.slot) != ref:
        return False
    if role.variant:
        return role.slot in pin.variants and pin.variants[role.slot].weight == role.weight
    return role.slot != "canary" or (pin.canary is not None and pin.canary.weight == role.weight)


def _at(role: Role, ref: str) -> str:
    share = "" if role.weight is None else f" with {role.weight} %"
    where = "" if role.slot == "stable" else f" as {role.slot}{share}"
    return f"at {ref_name(ref)}{where}"


def _step(model: str, environment: str, role: Role, before: dict[str, str], ref: str) -> Step:
    was = ref_name(before.get(role.slot, ""))
    if role.slot == "stable":
        return Step("promote", model, environment, was, ref_name(ref))
    verb = f"variant {role.slot}" if role.variant else role.slot
    share = "" if role.weight is None else f" at {role.weight}%"
    return Step(verb, model, environment, "" if was == ref_name(ref) else was, ref_name(ref) + share)


def _title(model: str, version: str, draft: _Draft, environments: Sequence[str], role: Role) -> str:
    what = "Promote" if role.slot == "stable" else f"Make {'a variant' if role.variant else role.slot}"
    was = {step.was for step in draft.steps if step.name == model and step.verb == "promote"}
    move = f"{next(iter(was))} -> {version}" if len(was) == 1 and any(was) else version
    return f"{what}: {model} {move} in {', '.join(environments)}"
