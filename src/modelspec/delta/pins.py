"""What a change of one pin is: told by its state before and after, never by a commit's subject."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from modelspec.delta.tenure import Standing, held, is_restore, last_said
from modelspec.spec.pinned import Declared, Weighted, Why

Back: TypeAlias = Callable[[str, str, str], bool]
"""Whether giving a slot (first) the third version instead of the second goes back."""

PinKind = Literal[
    "first deployment", "promote", "restore", "canary start", "canary step", "canary finish", "canary stop",
    "shadow", "standby", "variants", "removal", "params", "hold", "release", "revalidation", "reason",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class PinChange:
    """One thing that a change does to a pin. `slot` is "" where no slot is concerned."""

    kind: PinKind
    slot: str = ""
    was: str | None = None
    now: str | None = None
    weights: tuple[int | None, int | None] = (None, None)
    restores: bool = False
    """The slot gets back a version that held it before the one that leaves: exempt from the gates."""

    @property
    def promotes(self) -> bool:
        """Whether a version starts to answer here, or answers more than before: what the gates judge."""
        return (
            self.kind in ("promote", "canary start", "canary step", "canary finish", "variants")
            and not self.restores
        )


def pin_changes(was: Declared | None, now: Declared | None, log: Sequence[Standing]) -> tuple[PinChange, ...]:
    """Return what changed between two states of one pin, the most important first; `log` is the base's."""
    return changes_between(was, now, lambda slot, old, new: is_restore(log, slot, old, new), last_said(log))


def needs_history(was: Declared | None, now: Declared | None) -> bool:
    """Whether it takes the pin's log to tell what changed between two states."""

    def asked(slot: str, old: str, new: str) -> bool:
        raise _Asked

    if was is None:
        return now is not None
    try:
        changes_between(was, now, asked)
    except _Asked:
        return True
    return False


class _Asked(Exception):
    """Whether a version goes back was asked."""


def changes_between(
    was: Declared | None, now: Declared | None, back: Back, last: Declared | None = None
) -> tuple[PinChange, ...]:
    """Return what changed between two states of one pin, the most important first.

    `last`: what the pin said before it was removed. One that comes back is no first deployment.
    """
    if now is None:
        return () if was is None else (PinChange("removal", "stable", was.stable.version, None),)
    if was is not None:
        return (
            *_stable(was, now, back),
            *_canary(was, now, back),
            *_others(was, now, back),
            *_other_keys(was, now),
        )
    if last is None:
        first = PinChange("first deployment", "stable", None, now.stable.version)
        return (first, *_canary(None, now, back), *_others(None, now, back))
    found = changes_between(last, now, back)
    stable = [replace(one, was=None) for one in found if one.slot == "stable"]
    same = PinChange("restore", "stable", None, now.stable.version, restores=True)
    return (*(stable or [same]), *(one for one in found if one.slot != "stable"))


def _stable(was: Declared, now: Declared, back: Back) -> Iterator[PinChange]:
    old, new = was.stable.version, now.stable.version
    if old == new:
        return
    if back("stable", old, new):
        yield PinChange("restore", "stable", old, new, restores=True)
    elif was.canary is not None and was.canary.version == new:
        yield PinChange("canary finish", "stable", old, new, (was.canary.weight, None))
    else:
        yield PinChange("promote", "stable", old, new)


def _canary(was: Declared | None, now: Declared, back: Back) -> Iterator[PinChange]:
    old, new = was.canary if was is not None else None, now.canary
    if _filled(old) == _filled(new):
        return
    if new is None:
        if old is not None and old.version != now.stable.version:
            yield PinChange("canary stop", "canary", old.version, None, (old.weight, None))
        return
    weights = (old.weight if old else None, new.weight)
    kind: PinKind = "canary start" if old is None or old.version != new.version else "canary step"
    restores = _no_more(was, new) or (
        old is not None and kind == "canary start" and back("canary", old.version, new.version)
    )
    before = old.version if old else None
    yield PinChange(kind, "canary", before, new.version, weights, restores=restores)


def _others(was: Declared | None, now: Declared, back: Back) -> Iterator[PinChange]:
    before, after = held(was), held(now)
    variants = was.variants if was is not None else {}
    for slot in sorted(variants.keys() | now.variants.keys()):
        old, new = variants.get(slot), now.variants.get(slot)
        if _filled(old) != _filled(new):
            restores = new is None or _no_more(was, new)
            if new is not None and not restores and old is not None and old.version != new.version:
                restores = back(slot, before[slot], after[slot])
            weights = (old.weight if old else None, new.weight if new else None)
            yield PinChange("variants", slot, before.get(slot), after.get(slot), weights, restores=restores)
    if before.get("shadow") != after.get("shadow"):
        yield PinChange("shadow", "shadow", before.get("shadow"), after.get("shadow"))
    if before.get("standby") != after.get("standby"):
        yield PinChange("standby", "standby", before.get("standby"), after.get("standby"))


def _no_more(was: Declared | None, slot: Weighted) -> bool:
    """Whether what fills a slot answers no more than it did: as the revert of a finished canary leaves it.

    Less traffic for a version asks nothing of anybody.
    """
    if was is None:
        return False
    shares = [one for one in (was.canary, *was.variants.values()) if one is not None]
    share = sum(one.weight for one in shares if one.version == slot.version)
    if was.stable.version == slot.version:
        share += 100 - sum(one.weight for one in shares)
    return share >= slot.weight


def _other_keys(was: Declared, now: Declared) -> Iterator[PinChange]:
    if was.serve != now.serve:
        yield PinChange("params")
    if _reason_said(was.hold) != _reason_said(now.hold):
        yield PinChange("hold" if now.hold is not None else "release")
    if was.revalidated != now.revalidated:
        yield PinChange("revalidation")
    if _reason_said(was.reason) != _reason_said(now.reason):
        yield PinChange("reason")


def _filled(slot: Weighted | None) -> tuple[str, int] | None:
    """Return what fills a slot, the same whichever reader read the pin."""
    return None if slot is None else (slot.version, slot.weight)


def _reason_said(why: Why | None) -> tuple[str, str | None] | None:
    return None if why is None else (why.text, why.link)
