"""`modelspec/trace/1`: a trace for machines."""

from __future__ import annotations

import math
from collections.abc import Sequence

from modelspec.api.trace import Asked, PinThen, Traced
from modelspec.spec.receipt import written
from modelspec.trace.candidates import GRADES, Suspect
from modelspec.trace.contract import Judged, contract_words
from modelspec.tree.data import Data
from modelspec.tree.record import Record, Scalar, Unreadable, Values


def trace_json(
    request: str, traces: Sequence[Traced], unreadable: Sequence[Unreadable], more: int = 0
) -> dict[str, Data]:
    """Return the requests with this id, how many records more there are, and what could not be read."""
    return {
        "format": "modelspec/trace/1",
        "request": request,
        "traces": [_one(one) for one in traces],
        "more": more,
        "unreadable": [{"place": bad.place, "why": bad.why} for bad in unreadable],
    }


def _one(one: Traced) -> Data:
    found = one.identified
    name = one.names.get(found.digest or "")
    version: Data = None
    if found.digest is not None:
        version = {
            "model": name[0] if name else None,
            "version": name[1] if name else None,
            "digest": found.digest,
            "retired": one.retired or None,
            "file": None if one.held is None else {"path": one.held.entry.path, "commit": one.held.commit},
        }
    return {
        "record": record_json(one.record),
        "copies": one.copies,
        "at": None if one.at is None else written(one.at),
        "at_by": one.at_by or None,
        "version": version,
        "known_by": found.grade,
        "known_by_words": None if found.grade is None else GRADES[found.grade],
        "why": list(found.why),
        "candidates": [_candidate(one, suspect) for suspect in found.candidates],
        "components": _components(one),
        "pins": [_pin(pin) for pin in one.pins],
        "fields": [_field(field) for field in one.fields],
        "violations": one.violations,
        "answers": [values_json(answer.values) for answer in one.answers],
        "decisions": [
            {"name": decided.name, "threshold": decided.words, "decision": decided.decision}
            for decided in one.decisions
        ],
        "replay": None if one.replay is None else asked_json(one.replay),
        "notes": list(one.notes),
    }


def _candidate(one: Traced, suspect: Suspect) -> Data:
    name = one.names.get(suspect.digest)
    return {
        "model": name[0] if name else None,
        "version": name[1] if name else None,
        "digest": suspect.digest,
        "where": list(suspect.where),
        "evidence": list(suspect.evidence),
        "replay": suspect.agreement,
        "replay_words": suspect.note or None,
    }


def _components(one: Traced) -> Data:
    if one.shown is None:
        return []
    found: list[Data] = []
    for part in one.shown.components:
        level, note = one.levels.get(part.name, (part.level, ""))
        facts: list[Data] = [{"label": label, "value": text} for label, text in part.facts]
        found.append({"component": part.name, "level": level, "note": note or None, "facts": facts})
    return found


def _pin(pin: PinThen) -> Data:
    return {
        "environment": pin.environment,
        "slot": pin.slot,
        "commit": pin.commit.id,
        "time": written(pin.commit.time),
        "author": {"name": pin.commit.author, "email": pin.commit.email},
        "subject": pin.commit.subject,
        "pull_request": pin.pull_request,
        "reviewers": list(pin.reviewers),
        "stood": pin.lasted,
        "beside": [{"slot": slot, "version": ref, "share": share} for slot, ref, share in pin.beside],
    }


def _field(field: Judged) -> Data:
    value = field.value
    return {
        "row": field.row,
        "field": field.name,
        "value": [scalar(one) for one in value] if isinstance(value, tuple) else scalar(value),
        "hidden": field.hidden,
        "raw": field.raw or None,
        "contract": contract_words(field.feature) if field.feature is not None else None,
        "violations": [{"kind": found.kind, "message": found.message} for found in field.violations],
    }


def asked_json(asked: Asked) -> Data:
    """Return what a replay said."""
    return {
        "verdict": asked.verdict,
        "ulps": asked.ulps,
        "difference": asked.difference,
        "why_not": asked.why_not or None,
        "doubts": list(asked.doubts),
    }


def record_json(record: Record) -> dict[str, Data]:
    """Return a record, whole; numbers are exact, NaN and infinities are words."""
    return {
        "id": record.id,
        "place": record.place,
        "time": None if record.time is None else written(record.time),
        "model": record.model,
        "environment": record.environment,
        "stamp": record.stamp,
        "label": record.label,
        "slot": record.slot,
        "batch": record.batch,
        "inputs": [values_json(one) for one in record.inputs],
        "outputs": [values_json(one) for one in record.outputs],
        "hidden": list[Data](sorted(record.hidden)),
    }


def values_json(values: Values) -> dict[str, Data]:
    """Return one tensor."""
    return {
        "name": values.name,
        "dtype": values.dtype,
        "shape": list(values.shape),
        "data": [scalar(one) for one in values.data],
    }


def scalar(value: Scalar) -> Data:
    """Return a value as JSON has it."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
