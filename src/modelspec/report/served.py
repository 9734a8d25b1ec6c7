"""What `at --served`, `drift`, `timeline` and `wait` print."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime

from modelspec.api.drift import Drift
from modelspec.api.served import ServedPin
from modelspec.api.timeline import Row
from modelspec.report.paint import Paint
from modelspec.report.receipts import slots_data, slots_text, stretch_data
from modelspec.report.table import table
from modelspec.report.words import stamp
from modelspec.trace.declared import Declaration
from modelspec.trace.receipts import Stretch
from modelspec.trace.stamps import Versions
from modelspec.tree.data import Data
from modelspec.tree.digest import short
from modelspec.tree.text import visible


def at_served_text(instant: datetime, pins: Sequence[ServedPin], versions: Versions) -> str:
    """Return a table of what may have served, and what stands against it."""
    rows = [("ENVIRONMENT", "MODEL", "SLOT", "VERSION", "DIGEST", "SHARE", "SINCE", "BY")]
    doubts: list[str] = []
    for pin in pins:
        for one in pin.then.candidates:
            where = f"{pin.environment}/{visible(one.cluster)}" if one.cluster else pin.environment
            rows.append(
                (
                    where,
                    pin.model,
                    one.slot,
                    versions.name(pin.model, one.digest) or "unknown",
                    short(one.digest),
                    f"{one.share:g}%" if one.share else "",
                    stamp(one.since) if one.since is not None else "",
                    "receipt" if one.by == "receipt" else "git alone",
                )
            )
        if pin.then.reached and not pin.then.candidates:
            doubts.append(f"{pin.environment}/{pin.model}: nothing was served")
        doubts += [f"{pin.environment}/{pin.model}: not certain: {doubt}" for doubt in pin.then.doubts]
    head = f"served at {stamp(instant)}, by receipts\n"
    if not pins:
        return head + "no receipt, and nothing was pinned\n"
    return head + (table(rows) if len(rows) > 1 else "") + "".join(f"{line}\n" for line in doubts)


def at_served_json(
    instant: datetime, known_at: datetime | None, pins: Sequence[ServedPin], versions: Versions
) -> str:
    """Return the shape `modelspec/at-served/1`."""
    data: dict[str, Data] = {
        "format": "modelspec/at-served/1",
        "at": stamp(instant),
        "known_at": None if known_at is None else stamp(known_at),
        "pins": [_pin(pin, versions) for pin in pins],
    }
    return json.dumps(data, indent=2) + "\n"


def _pin(pin: ServedPin, versions: Versions) -> Data:
    then = pin.then
    return {
        "environment": pin.environment,
        "model": pin.model,
        "certain": then.certain,
        "reached": then.reached,
        "first_receipt": None if then.first is None else stamp(then.first),
        "doubts": list(then.doubts),
        "candidates": [
            {
                "slot": one.slot,
                "version": versions.name(pin.model, one.digest),
                "digest": one.digest,
                "share": one.share,
                "by": one.by,
                "cluster": one.cluster,
                "since": None if one.since is None else stamp(one.since),
                "evidence": one.evidence,
            }
            for one in then.candidates
        ],
    }


def drift_text(found: Sequence[Drift], versions: Versions, paint: Paint) -> str:
    """Return a line for each pin that is not in step, two more for what differs, and a count."""
    lines = [
        line for one in found if one.standing != "in step" for line in _drift_lines(one, versions, paint)
    ]
    count = {kind: sum(one.standing == kind for one in found) for kind in ("in step", "drift")}
    others = len(found) - sum(count.values())
    told = f", {others} unknown or rolling out" if others else ""
    return (
        "".join(f"{line}\n" for line in lines)
        + f"{count['in step']} in step, {count['drift']} adrift{told}\n"
    )


def _drift_lines(one: Drift, versions: Versions, paint: Paint) -> Iterator[str]:
    where = f"{one.environment}/{one.model}" + (f" in {visible(one.cluster)}" if one.cluster else "")
    if one.standing == "unknown":
        why = "no receipt tells what serves" if one.served is None else "its pin can't be read"
        yield f"{paint.bold(where)}  unknown: {why}"
        return
    since = f" since {stamp(one.since)}" if one.since is not None else ""
    yield f"{paint.bold(where)}  {one.standing}{since}: {', '.join(map(visible, one.differs))}"
    yield f"  declared  {_declared(one.model, one.declared, versions)}"
    yield f"  served    {_served(one.model, one.served, versions)}"


def _declared(model: str, one: Declaration | None, versions: Versions) -> str:
    if one is None or one.slots is None or not one.slots:
        return "nothing" if one is None else f"nothing, since {stamp(one.since)} ({one.commit.short})"
    who = visible(one.commit.author)
    said = slots_text(model, one.slots, versions)
    return (
        f"{said}, since {stamp(one.since)} ({one.commit.short} by {who}: {visible(one.commit.subject, 80)})"
    )


def _served(model: str, one: Stretch | None, versions: Versions) -> str:
    if one is None:
        return "unknown"
    when = "since" if one.exact else "first seen"
    commit = f", from {one.commit[:12]}" if one.commit else ""
    return f"{slots_text(model, one.slots, versions)}, {when} {stamp(one.since)}{commit}"


def drift_json(found: Sequence[Drift], versions: Versions) -> str:
    """Return the shape `modelspec/drift/1`."""
    pins: list[Data] = [
        {
            "environment": one.environment,
            "model": one.model,
            "cluster": one.cluster,
            "standing": one.standing,
            "since": None if one.since is None else stamp(one.since),
            "differs": list(one.differs),
            "declared": _declaration(one.model, one.declared, versions),
            "served": None if one.served is None else stretch_data(one.served, versions),
        }
        for one in found
    ]
    drift = any(one.standing == "drift" for one in found)
    return json.dumps({"format": "modelspec/drift/1", "drift": drift, "pins": pins}, indent=2) + "\n"


def _declaration(model: str, one: Declaration | None, versions: Versions) -> Data:
    if one is None:
        return None
    return {
        "commit": one.commit.id,
        "since": stamp(one.since),
        "author": one.commit.author,
        "subject": one.commit.subject,
        "slots": None if one.slots is None else slots_data(model, one.slots, versions),
    }


def timeline_text(model: str, rows: Sequence[Row], versions: Versions) -> str:
    """Return both sides as a table; an empty cell says that this side did not change."""
    if not rows:
        return "never pinned, and no receipt\n"
    cells = [("TIME", "DECLARED", "SERVED", "BY")]
    for row in rows:
        if row.merged and row.declared is not None:
            said = (
                "can't be read"
                if row.declared.slots is None
                else slots_text(model, row.declared.slots, versions)
            )
            by = f"{row.declared.commit.short} {visible(row.declared.commit.subject, 60)}"
            cells.append((stamp(row.time), said, "", by))
        elif row.served is not None:
            cells.append(
                (stamp(row.time), "", slots_text(model, row.served.slots, versions), _by(row, row.served))
            )
    return table(cells)


def _by(row: Row, served: Stretch) -> str:
    source = visible(served.receipts[0].source)
    where = f" in {visible(served.cluster)}" if served.cluster else ""
    seen = "" if served.exact else ", first seen"
    said = f"{source}{where}{seen}"
    if row.lag is None:
        return f"{said}; not what is declared" if row.declared is not None else said
    return f"{said}, {_length(row.lag)} after the merge"


def _length(seconds: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def timeline_json(
    model: str, environment: str, rows: Sequence[Row], versions: Versions, *, more: bool
) -> str:
    """Return the shape `modelspec/timeline/1`."""
    events: list[Data] = [
        {
            "time": stamp(row.time),
            "changed": "declared" if row.merged else "served",
            "declared": _declaration(model, row.declared, versions),
            "served": None if row.served is None else stretch_data(row.served, versions),
            "lag_seconds": row.lag,
        }
        for row in rows
    ]
    data: dict[str, Data] = {
        "format": "modelspec/timeline/1",
        "environment": environment,
        "model": model,
        "more": more,
        "rows": events,
    }
    return json.dumps(data, indent=2) + "\n"


def wait_json(
    model: str, environment: str, version: str, digest: str, slot: str, last: Sequence[Stretch],
    versions: Versions, *, served: bool, waited: float,
) -> str:  # fmt: skip
    """Return the shape `modelspec/wait/1`."""
    data: dict[str, Data] = {
        "format": "modelspec/wait/1",
        "environment": environment,
        "model": model,
        "version": version,
        "digest": digest,
        "slot": slot,
        "served": served,
        "waited_seconds": round(waited, 1),
        "last": [stretch_data(one, versions) for one in last],
    }
    return json.dumps(data, indent=2) + "\n"
