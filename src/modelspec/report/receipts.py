"""What `receipts list`, `import` and `prune` print."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from modelspec.report.table import table
from modelspec.report.words import stamp
from modelspec.spec.receipt import Receipt, ReceiptSlot
from modelspec.trace.receipts import Stretch
from modelspec.trace.stamps import Versions
from modelspec.tree.data import Data
from modelspec.tree.digest import short
from modelspec.tree.text import plural, visible

Bad = Sequence[tuple[str, str]]
"""Places, and why what lies there is no receipt."""


class Compacted(Protocol):
    """What a compaction came to."""

    @property
    def kept(self) -> int: ...
    @property
    def dropped(self) -> int: ...
    @property
    def commit(self) -> str | None: ...
    @property
    def remote(self) -> str | None: ...


def slots_text(model: str, slots: Sequence[ReceiptSlot], versions: Versions) -> str:
    """Return slots as people read them: `stable 2.3.1 90%, canary 2.4.0 10%`."""
    found = [
        f"{one.slot} {versions.name(model, one.digest) or short(one.digest)}"
        + ("" if one.share in (0, 100) else f" {one.share:g}%")
        for one in slots
    ]
    return ", ".join(found) or "nothing"


def list_text(stretches: Sequence[Stretch], versions: Versions) -> str:
    """Return the stretches as a table."""
    if not stretches:
        return "no receipts\n"
    rows = [("ENVIRONMENT", "MODEL", "SINCE", "UNTIL", "SERVED", "SOURCE", "COMMIT")]
    for one in stretches:
        where = f"{one.environment}/{visible(one.cluster)}" if one.cluster else one.environment
        rows.append(
            (
                where,
                one.model,
                stamp(one.since) + ("" if one.exact else " (first seen)"),
                stamp(one.until) if one.until is not None else "",
                slots_text(one.model, one.slots, versions),
                ", ".join(sorted({visible(receipt.source) for receipt in one.receipts})),
                (one.commit or "")[:12],
            )
        )
    return table(rows)


def list_json(stretches: Sequence[Stretch], versions: Versions, *, bad: Bad, more: bool) -> str:
    """Return the shape `modelspec/receipts/1`."""
    data: dict[str, Data] = {
        "format": "modelspec/receipts/1",
        "more": more,
        "stretches": [stretch_data(one, versions) for one in stretches],
        "unread": _bad(bad),
    }
    return json.dumps(data, indent=2) + "\n"


def stretch_data(one: Stretch, versions: Versions) -> Data:
    """Return one stretch as a map."""
    return {
        "environment": one.environment,
        "model": one.model,
        "cluster": one.cluster,
        "since": stamp(one.since),
        "until": None if one.until is None else stamp(one.until),
        "first_seen_only": not one.exact,
        "slots": slots_data(one.model, one.slots, versions),
        "commit": one.commit,
        "sources": [*sorted({receipt.source for receipt in one.receipts})],
        "evidence": [receipt.evidence for receipt in one.receipts],
    }


def slots_data(model: str, slots: Sequence[ReceiptSlot], versions: Versions) -> list[Data]:
    """Return slots as maps, each with the version that its digest is."""
    return [
        {
            "slot": one.slot,
            "version": versions.name(model, one.digest),
            "digest": one.digest,
            "share": one.share,
        }
        for one in slots
    ]


def import_text(read: int, bad: Bad, new: Sequence[Receipt], commit: str | None, remote: str | None) -> str:
    """Return what an import came to."""
    if bad:
        lines = [f"{place}: {visible(why, 300)}" for place, why in bad]
        return (
            "\n".join([*lines, f"nothing was imported: {plural(len(bad), 'place')} without a receipt"]) + "\n"
        )
    if commit is None:
        return f"nothing new: {plural(read, 'receipt')} known already\n"
    where = f", and pushed to {remote}" if remote else ""
    return f"{len(new):,} of {plural(read, 'receipt')} new, in {commit[:12]} on modelspec/receipts{where}\n"


def import_json(read: int, bad: Bad, new: Sequence[Receipt], commit: str | None, remote: str | None) -> str:
    """Return the shape `modelspec/receipts-import/1`."""
    data: dict[str, Data] = {
        "format": "modelspec/receipts-import/1",
        "read": read,
        "new": len(new),
        "commit": commit,
        "remote": remote,
        "findings": _bad(bad),
    }
    return json.dumps(data, indent=2) + "\n"


def prune_text(done: Compacted, horizon: datetime) -> str:
    """Return what a compaction came to."""
    if done.commit is None:
        return f"nothing to compact: no receipt of what ended before {stamp(horizon)}\n"
    where = f", also at {done.remote}" if done.remote else ""
    return (
        f"{plural(done.dropped, 'receipt')} of what ended before {stamp(horizon)} dropped, "
        f"{done.kept:,} kept, in {done.commit[:12]} on modelspec/receipts{where}\n"
    )


def prune_json(done: Compacted, horizon: datetime) -> str:
    """Return the shape `modelspec/receipts-prune/1`."""
    data: dict[str, Data] = {
        "format": "modelspec/receipts-prune/1",
        "horizon": stamp(horizon),
        "kept": done.kept,
        "dropped": done.dropped,
        "commit": done.commit,
        "remote": done.remote,
    }
    return json.dumps(data, indent=2) + "\n"


def _bad(bad: Bad) -> list[Data]:
    return [{"place": place, "message": why} for place, why in bad]
