"""What a change of one pin is: told by its state before and after, never by a commit's subject."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from modelspec.delta.tenure import Standing, held, is_restore
from modelspec.spec.environment import Pin

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


def pin_changes(was: Pin | None, now: Pin | None, log: Sequence[Standing]) -> tuple[PinChange, ...]:
    """Return what changed between two states of one pin, the most important first; `log` is the base's."""
    if was is None and now is None:
        return ()
    if was is None and now is not None:
        return (PinChange("first deployment", "stable", None, now.stable.version),)
    if was is not None and now is None:
        return (PinChange("removal", "stable", was.stable.version, None),)
    assert was is not None and now is not None
    return (*_stable(was, now, log), *_canary(was, now, log), *_others(was, now, log), *_beside(was, now))


def _stable(was: Pin, now: Pin, log: Sequence[Standing]) -> Iterator[PinChange]:
    old, new = was.stable.version, now.stable.version
    if old == new:
        return
    if is_restore(log, "stable", old, new):
        yield PinChange("restore", "stable", old, new, restores=True)
    elif was.canary is not None and was.canary.version == new:
        yield PinChange("canary finish", "stable", old, new, (was.canary.weight, None))
    else:
        yield PinChange("promote", "stable", old, new)


def _canary(was: Pin, now: Pin, log: Sequence[Standing]) -> Iterator[PinChange]:
    old, new = was.canary, now.canary
    if old == new:
        return
    if new is None:
        if old is not None and old.version != now.stable.version:
            yield PinChange("canary stop", "canary", old.version, None, (old.weight, None))
        return
    if old is None or old.version != new.version:
        back = old is not None and is_restore(log, "canary", old.version, new.version)
        weights = (old.weight if old else None, new.weight)
        yield PinChange(
            "canary start", "canary", old.version if old else None, new.version, weights, restores=back
        )
        return
    # Less traffic for a canary asks nothing of anybody.
    less = new.weight < old.weight
    yield PinChange(
        "canary step", "canary", old.version, new.version, (old.weight, new.weight), restores=less
    )


def _others(was: Pin, now: Pin, log: Sequence[Standing]) -> Iterator[PinChange]:
    before, after = held(was), held(now)
    if was.variants != now.variants:
        for slot in sorted(was.variants.keys() | now.variants.keys()):
            old, new = was.variants.get(slot), now.variants.get(slot)
            if old != new:
                restores = new is None or (
                    old is not None
                    and old.version != new.version
                    and is_restore(log, slot, before[slot], after[slot])
                )
                weights = (old.weight if old else None, new.weight if new else None)
                yield PinChange(
                    "variants", slot, before.get(slot), after.get(slot), weights, restores=restores
                )
    if was.shadow != now.shadow:
        yield PinChange("shadow", "shadow", before.get("shadow"), after.get("shadow"))
    if was.standby != now.standby:
        yield PinChange("standby", "standby", before.get("standby"), after.get("standby"))


def _beside(was: Pin, now: Pin) -> Iterator[PinChange]:
    if was.serve != now.serve:
        yield PinChange("params")
    if was.hold != now.hold:
        yield PinChange("hold" if now.hold is not None else "release")
    if was.revalidated != now.revalidated:
        yield PinChange("revalidation")
    if was.reason != now.reason:
        yield PinChange("reason")
