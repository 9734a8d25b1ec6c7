"""Edits of pins and feature pins: which lines change when a version moves in, is held or goes back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from modelspec.change.edit import Unedited, block_of, drop_line, put_line, set_key, set_scalar
from modelspec.spec.environment import FEATURE_PIN_KEYS, PIN_KEYS, FeaturePin, Pin
from modelspec.tree.yaml import read

_RESTORED: Final = ("reason", "revalidated", "serve", "variants", "shadow", "standby", "canary", "stable")
"""What going back gives back; a hold is of today."""
_PARAMS: Final = "serve"
Edit = Callable[[bytes], bytes | Unedited]


@dataclass(frozen=True, slots=True)
class Role:
    """The slot that a version is to fill; `weight` in percent for those that have one."""

    slot: str = "stable"
    weight: int | None = None
    variant: bool = False

    @property
    def answers(self) -> bool:
        """Whether people see what the slot answers."""
        return self.variant or self.slot in ("stable", "canary")


def placed(source: bytes, pin: Pin, role: Role, ref: str) -> bytes | Unedited:
    """Fill one slot; what that finishes (the canary that becomes stable) is dropped.

    A reason that spoke of the version that leaves goes with it.
    """
    edits: list[Edit] = [_without(slot) for slot in finished(pin, role, ref)]
    filled = {slot: held for slot, _, held in pin.slots()}
    if role.answers and filled.get(role.slot) != ref and pin.reason is not None:
        edits.append(lambda text: set_key(text, "reason", [], PIN_KEYS))
    return _chain(source, [*edits, lambda text: _filled(text, pin, role, ref)])


def finished(pin: Pin, role: Role, ref: str) -> tuple[str, ...]:
    """Return the other slots that a version leaves when it fills this one."""
    if not role.answers:
        return ()
    kept = ("stable", "standby") if role.slot == "stable" else ("stable",)
    return tuple(slot for slot, _, held in pin.slots() if held == ref and slot not in (*kept, role.slot))


def first(environment: str, model: str, ref: str, serve: Sequence[str]) -> bytes:
    """Return a new pin with one version; `serve` is the block of lines that says how it is served."""
    lines = ["apiVersion: modelspec/v1", "kind: Pin", f"environment: {environment}", f"model: {model}"]
    return "\n".join([*lines, *serve, "stable:", f"  version: {ref}", ""]).encode()


def explained(source: bytes, key: str, reason: str | None) -> bytes | Unedited:
    """Set or (None) take out `reason` or `hold`; `reason` is the flow map that says why."""
    return set_key(source, key, [] if reason is None else [f"{key}: {reason}"], PIN_KEYS)


def restored(source: bytes, then: bytes, *, keep_params: bool = False) -> bytes | Unedited:
    """Give a pin the slots, params and revalidations of an earlier text of it, comments on them included."""
    now, _ = read(source)
    before, faults = read(then)
    if faults or not isinstance(now, dict) or not isinstance(before, dict):
        return Unedited("the earlier pin can't be read", "name another version: --to VERSION")
    keys = [key for key in _RESTORED if not (keep_params and key == _PARAMS)]
    edits = [_block(key, block_of(then, key)) for key in keys if now.get(key) != before.get(key)]
    return _chain(source, edits)


def serving(source: bytes, pin: FeaturePin, refs: Sequence[str]) -> bytes | Unedited:
    """Let a feature pin serve these schemas."""
    if len(refs) == len(pin.serves):
        changed = [
            (at, ref) for at, (held, ref) in enumerate(zip(pin.serves, refs, strict=True)) if held != ref
        ]
        return _chain(source, [_scalar(("serves", at), ref) for at, ref in changed])
    return set_key(source, "serves", ["serves:", *(f"  - {ref}" for ref in refs)], FEATURE_PIN_KEYS)


def _filled(source: bytes, pin: Pin, role: Role, ref: str) -> bytes | Unedited:
    route = ("variants", role.slot) if role.variant else (role.slot,)
    there = any(slot == role.slot for slot, _, _ in pin.slots())
    if there:
        edits = [_scalar((*route, "version"), ref)]
        if role.weight is not None:
            edits.append(_scalar((*route, "weight"), str(role.weight)))
        return _chain(source, edits)
    if role.variant:
        return put_line(
            source, "variants", f"{role.slot}: {{version: {ref}, weight: {role.weight}}}", PIN_KEYS
        )
    weight = [] if role.weight is None else [f"  weight: {role.weight}"]
    return set_key(source, role.slot, [f"{role.slot}:", f"  version: {ref}", *weight], PIN_KEYS)


def _without(slot: str) -> Edit:
    if slot in ("canary", "shadow", "standby"):
        return _block(slot, ())
    return lambda text: drop_line(text, "variants", slot, PIN_KEYS)


def _block(key: str, lines: Sequence[str]) -> Edit:
    return lambda text: set_key(text, key, lines, PIN_KEYS)


def _scalar(route: tuple[str | int, ...], text: str) -> Edit:
    return lambda source: set_scalar(source, route, text)


def _chain(source: bytes, edits: Sequence[Edit]) -> bytes | Unedited:
    for edit in edits:
        after = edit(source)
        if isinstance(after, Unedited):
            return after
        source = after
    return source
