"""What `verdict` prints."""

from __future__ import annotations

import json

from modelspec.api.verdict import Judged, Verdicts, Why
from modelspec.compat.copins import Move
from modelspec.compat.verdict import Says, Standing
from modelspec.report.located import located
from modelspec.report.paint import Paint
from modelspec.report.words import stamp
from modelspec.spec.base import ref_digest, ref_name
from modelspec.spec.registry import Registry
from modelspec.tree.data import Data
from modelspec.tree.place import Place
from modelspec.tree.text import plural, visible

_MORE = 300


def verdicts_text(registry: Registry, found: Verdicts, paint: Paint) -> str:
    """Return each version with its verdict, why, what would have to move, and whom that would break."""
    lines = []
    for row in found.rows:
        stands = row.standing
        head = f"{stands.model} {ref_name(stands.version)} in {stands.environment}: "
        told = _roles(row, found)
        lines.append(f"{head}{paint.bold(stands.says.value)}{f'  ({told})' if told else ''}")
        lines += [f"  {line}" for line in _why(registry, row)]
    lines += [f"no proof: {visible(path)} can't be read, `modelspec check` says why" for path in found.unread]
    if not found.rows and not found.unread:
        lines.append(f"{found.environment} never served {found.model}")
    if found.asked is None and not found.recorded:
        lines.append(
            "no git repository, so no history: only what is pinned now was judged; name a VERSION for another"
        )
    return "".join(line + "\n" for line in lines)


def _roles(row: Judged, found: Verdicts) -> str:
    """Say what a version is or was here."""
    parts = [*row.slots]
    if found.asked is None:
        if row.in_window and "stable" not in row.slots:
            parts.append("in the window")
        if row.until is not None:
            parts.append(f"stable until {stamp(row.until)}")
    return ", ".join(parts)


def _why(registry: Registry, row: Judged) -> list[str]:
    stands = row.standing
    lines = [visible(stands.reason, _MORE)] if stands.reason else []
    for why in row.whys:
        trouble = why.trouble
        reading = trouble.reading
        if reading is not None and reading.served is not None:
            judged = f"; {reading.judgement.judged}" if reading.judgement is not None else ""
            lines.append(
                f"reads {reading.view} {ref_name(reading.trained)}, served {ref_name(reading.served)}: "
                f"{visible(trouble.told, _MORE)}{judged}"
            )
        else:
            lines.append(visible(f"{trouble.told}", _MORE))
        if trouble.model != stands.model:
            lines[-1] = f"{trouble.model} {ref_name(trouble.version)}: {lines[-1]}"
        places = (("", why.place), ("served by ", why.served), ("withdrawn by ", why.withdrawn))
        shown = [f"{words}{_at(registry, place)}" for words, place in places if place is not None]
        if shown:
            lines.append("  " + ", ".join(shown))
    lines += _moves(stands)
    return lines


def _moves(stands: Standing) -> list[str]:
    lines = []
    if stands.moves:
        together = stands.says is Says.CO_PINS
        lead = "moves with it" if together else "another way: move with it"
        lines.append(f"{lead} {'; '.join(_move(one) for one in stands.moves)}")
        lines.append(
            "exposed while it rolls out: old and new meet until all have moved"
            if stands.exposed
            else "not exposed while it rolls out: what is served is only added to"
        )
    if stands.nearest is not None:
        if stands.nearest.moves:
            lines.append(f"nearest: {'; '.join(_move(one) for one in stands.nearest.moves)}")
        lines += [
            f"would break {one.model} {ref_name(one.version)} ({one.slot}): {visible(one.told, _MORE)}"
            for one in stands.nearest.breaks
        ]
        lines += [
            f"would leave {one.model} {ref_name(one.version)}: {visible(one.told, _MORE)}"
            for one in stands.nearest.remains
        ]
    return lines


def _move(move: Move) -> str:
    was, now = (", ".join(ref_name(ref) for ref in refs) or "nothing" for refs in (move.was, move.now))
    return f"{'feature pin' if move.kind == 'feature' else 'pin'} {move.name} {was} -> {now}"


def _at(registry: Registry, place: Place) -> str:
    spot = located(registry, place)
    return f"{spot.path}:{spot.mark.line}:{spot.mark.column}"


def verdicts_summary(found: Verdicts) -> str:
    """Return one line on the versions that are no way back, or ""."""
    closed = [ref_name(row.standing.version) for row in found.rows if row.in_window and not row.standing.open]
    if found.asked is not None or not closed:
        return ""
    return f"{plural(len(closed), 'version')} of the window can't serve: {', '.join(closed)}\n"


def verdicts_json(registry: Registry, found: Verdicts) -> str:
    """Return the shape `modelspec/verdict/1`."""
    data: dict[str, Data] = {
        "format": "modelspec/verdict/1",
        "model": found.model,
        "environment": found.environment,
        "asked": found.asked,
        "good": found.good,
        "history": found.recorded,
        "unread": list(found.unread),
        "verdicts": [_row(registry, row) for row in found.rows],
    }
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def _row(registry: Registry, row: Judged) -> Data:
    stands = row.standing
    near = stands.nearest
    return {
        "version": ref_name(stands.version),
        "digest": ref_digest(stands.version) or None,
        "verdict": stands.says.value,
        "slots": list(row.slots),
        "in_window": row.in_window,
        "since": stamp(row.since) if row.since is not None else None,
        "until": stamp(row.until) if row.until is not None else None,
        "reason": stands.reason,
        "troubles": [_trouble(registry, why) for why in row.whys],
        "moves": [_move_data(one) for one in stands.moves],
        "exposed": stands.exposed if stands.moves else None,
        "nearest": None
        if near is None
        else {
            "moves": [_move_data(one) for one in near.moves],
            "breaks": [
                {"model": one.model, "slot": one.slot, "version": ref_name(one.version), "message": one.told}
                for one in near.breaks
            ],
        },
    }


def _trouble(registry: Registry, why: Why) -> Data:
    trouble = why.trouble
    reading = trouble.reading
    judgement = reading.judgement if reading is not None else None
    return {
        "model": trouble.model,
        "kind": trouble.kind,
        "name": trouble.name,
        "message": trouble.told,
        "trained": reading.trained if reading is not None else None,
        "served": reading.served if reading is not None else None,
        "judged": judgement.judged if judgement is not None else None,
        "place": _at(registry, why.place) if why.place is not None else None,
        "served_by": _at(registry, why.served) if why.served is not None else None,
        "withdrawn_by": _at(registry, why.withdrawn) if why.withdrawn is not None else None,
        "changes": [
            {"row": one.row, "verdict": one.verdict.name, "message": one.message}
            for one in (judgement.changes if judgement is not None else ())
        ],
    }


def _move_data(move: Move) -> Data:
    return {
        "kind": move.kind,
        "name": move.name,
        "was": list(move.was),
        "now": list(move.now),
        "added": move.added,
    }
