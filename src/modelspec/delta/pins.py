"""What a change of one pin is: told by its state before and after, never by a commit's subject."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from modelspec.delta.tenure import Standing, held, is_restore
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
    return told(was, now, lambda slot, old, new: is_restore(log, slot, old, new))


def needs_history(was: Declared | None, now: Declared | None) -> bool:
    """Whether it takes the pin's log to tell what changed between two states."""

    def asked(slot: str, old: str, new: str) -> bool:
        raise _Asked

    try:
        told(was, now, asked)
    except _Asked:
        return True
    return False


class _Asked(Exception):
    """Whether a version goes back was asked."""


def told(was: Declared | None, now: Declared | None, back: Back) -> tuple[PinChange, ...]:
    """Return what changed between two states of one pin, the most important first."""
    if was is None and now is None:
        return ()
    if was is None and now is not None:
        return (PinChange("first deployment", "stable", None, now.stable.version),)
    if was is not None and now is None:
        return (PinChange("removal", "stable", was.stable.version, None),)
    assert was is not None and now is not None
    return (*_stable(was, now, back), *_canary(was, now, back), *_others(was, now, back), *_beside(was, now))


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


def _canary(was: Declared, now: Declared, back: Back) -> Iterator[PinChange]:
    old, new = was.canary, now.canary
    if _filled(old) == _filled(new):
        return
    if new is None:
        if old is not None and old.version != now.stable.version:
            yield PinChange("canary stop", "canary", old.version, None, (old.weight, None))
        return
    if old is None or old.version != new.version:
        restores = old is not None and back("canary", old.version, new.version)
        weights = (old.weight if old else None, new.weight)
        yield PinChange(
            "canary start", "canary", old.version if old else None, new.version, weights, restores=restores
        )
        return
    # Less traffic for a canary asks nothing of anybody.
    less = new.weight < old.weight
    yield PinChange(
        "canary step", "canary", old.version, new.version, (old.weight, new.weight), restores=less
    )


def _others(was: Declared, now: Declared, back: Back) -> Iterator[PinChange]:
    before, after = held(was), held(now)
    for slot in sorted(was.variants.keys() | now.variants.keys()):
        old, new = was.variants.get(slot), now.variants.get(slot)
        if _filled(old) != _filled(new):
            restores = new is None or (
                old is not None and old.version != new.version and back(slot, before[slot], after[slot])
            )
            weights = (old.weight if old else None, new.weight if new else None)
            yield PinChange("variants", slot, before.get(slot), after.get(slot), weights, restores=restores)
    if before.get("shadow") != after.get("shadow"):
        yield PinChange("shadow", "shadow", before.get("shadow"), after.get("shadow"))
    if before.get("standby") != after.get("standby"):
        yield PinChange("standby", "standby", before.get("standby"), after.get("standby"))


def _beside(was: Declared, now: Declared) -> Iterator[PinChange]:
    if was.serve != now.serve:
        yield PinChange("params")
    if _told(was.hold) != _told(now.hold):
        yield PinChange("hold" if now.hold is not None else "release")
    if was.revalidated != now.revalidated:
        yield PinChange("revalidation")
    if _told(was.reason) != _told(now.reason):
        yield PinChange("reason")


def _filled(slot: Weighted | None) -> tuple[str, int] | None:
    """Return what fills a slot, the same whichever reader read the pin."""
    return None if slot is None else (slot.version, slot.weight)


def _told(why: Why | None) -> tuple[str, str | None] | None:
    return None if why is None else (why.text, why.link)
