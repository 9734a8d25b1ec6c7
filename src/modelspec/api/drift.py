"""`drift`: what git declares against what receipts show now, with since when and which commit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from modelspec.spec.receipt import ReceiptSlot
from modelspec.trace.declared import Declaration
from modelspec.trace.receipts import Stretch

SHARES: Final = 5.0
"""Points by which a share may differ: pods are counted, and weights are not."""
Standing = Literal["in step", "drift", "rolling out", "unknown"]


@dataclass(frozen=True, slots=True)
class Drift:
    """One model in one environment (and cluster): whether what serves is what is declared.

    `differs` names what is different, in words. `since` is when they began to differ: when the later of the
    two came to be. `served` is None where no receipt tells.
    """

    environment: str
    model: str
    cluster: str | None
    standing: Standing
    declared: Declaration | None
    served: Stretch | None
    differs: tuple[str, ...] = ()
    since: datetime | None = None


def drift_of(
    environment: str,
    model: str,
    declared: Sequence[Declaration],
    lines: Iterable[Sequence[Stretch]],
    now: datetime,
    grace: timedelta,
) -> tuple[Drift, ...]:
    """Return a line for each cluster that receipts know, one without them.

    A difference to what was merged less than `grace` ago is a rollout that is under way.
    """
    wanted = declared[-1] if declared else None
    last = [line[-1] for line in lines if line]
    if not last:
        return (Drift(environment, model, None, "unknown", wanted, None),)
    return tuple(_one(environment, model, wanted, served, now, grace) for served in last)


def _one(
    environment: str,
    model: str,
    wanted: Declaration | None,
    served: Stretch,
    now: datetime,
    grace: timedelta,
) -> Drift:
    if wanted is not None and wanted.slots is None:
        return Drift(environment, model, served.cluster, "unknown", wanted, served)
    differs = differences(wanted.slots or () if wanted is not None else (), served.slots)
    if not differs:
        return Drift(environment, model, served.cluster, "in step", wanted, served)
    merged = wanted.since if wanted is not None else None
    since = max(served.since, merged) if merged is not None else served.since
    under_way = merged is not None and merged > served.since and now - merged < grace
    standing: Standing = "rolling out" if under_way else "drift"
    return Drift(environment, model, served.cluster, standing, wanted, served, differs, since)


def differences(declared: Sequence[ReceiptSlot], served: Sequence[ReceiptSlot]) -> tuple[str, ...]:
    """Return the slots that differ: what answers has to be the same; the rest, where the source shows it.

    Where a source tells no slots, the versions alone are compared.
    """
    mine = {slot.slot: slot for slot in declared}
    if any(slot.slot == "unknown" for slot in served):
        wanted = {slot.digest for slot in declared if slot.share > 0}
        return () if wanted == {slot.digest for slot in served if slot.share > 0} else ("what answers",)
    theirs: dict[str, list[ReceiptSlot]] = {}
    for slot in served:
        theirs.setdefault(slot.slot, []).append(slot)
    return tuple(name for name in sorted({*mine, *theirs}) if _differs(mine.get(name), theirs.get(name, [])))


def _differs(declared: ReceiptSlot | None, served: Sequence[ReceiptSlot]) -> bool:
    if declared is None:
        return any(slot.share > 0 for slot in served)
    if not served:
        return declared.share > 0
    if {slot.digest for slot in served} != {declared.digest}:
        return True
    return abs(sum(slot.share for slot in served) - declared.share) > SHARES


def is_served(lines: Iterable[Sequence[Stretch]], digest: str, slot: str) -> bool:
    """Whether the last receipts of every cluster show that a version alone fills a slot."""
    last = [line[-1] for line in lines if line]
    return bool(last) and all(_fills(one.slots, digest, slot) for one in last)


def _fills(slots: Sequence[ReceiptSlot], digest: str, slot: str) -> bool:
    found = [one.digest for one in slots if one.slot in (slot, "unknown")]
    return bool(found) and set(found) == {digest}
