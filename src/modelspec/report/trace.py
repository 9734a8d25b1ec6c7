"""What `trace` prints: who answered and how that is known, then what it was given, and what it said."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from modelspec.api.trace import Asked, PinThen, Traced
from modelspec.report.paint import Paint
from modelspec.report.table import table
from modelspec.report.words import stamp
from modelspec.trace.candidates import GRADES
from modelspec.trace.contract import Judged, contract_words
from modelspec.tree.digest import short
from modelspec.tree.record import Scalar, Unreadable
from modelspec.tree.text import plural, visible

_VALUES: Final = 8
_HEX: Final = re.compile(r"\b((?:sha256:)?[0-9a-f]{12})[0-9a-f]{28,52}\b")


def trace_text(request: str, traces: Sequence[Traced], unreadable: Sequence[Unreadable], paint: Paint) -> str:
    """Return every request with this id, one below the other; then what could not be read on the way."""
    parts = [_one(one, paint) for one in traces]
    if len(traces) > 1:
        parts.insert(0, f"{len(traces)} different requests have the id {visible(request)}\n")
    text = "\n".join(parts)
    for bad in unreadable[:5]:
        text += f"not read: {visible(bad.place, 200)}: {visible(bad.why, 200)}\n"
    if len(unreadable) > 5:
        text += f"not read: {len(unreadable) - 5} more\n"
    return text


def _one(one: Traced, paint: Paint) -> str:
    record, found = one.record, one.identified
    when = f"{stamp(one.at)} (by {one.at_by})" if one.at is not None else "at an unknown time"
    text = f"request {visible(record.id)}, {when}\n"
    copies = (
        f", and {plural(one.copies - 1, 'copy').replace('copys', 'copies')} of it" if one.copies > 1 else ""
    )
    text += f"  in {visible(record.place, 200)}{copies}\n\n"
    if found.digest is not None and found.grade is not None:
        text += f"{paint.bold(_name(one, found.digest))} {short(found.digest)} answered\n"
        text += f"  known by {found.grade}: {GRADES[found.grade]}\n"
    else:
        text += f"{paint.bold('It is not known which version answered')}\n"
    text += "".join(f"  {why}\n" for why in found.why)
    if found.digest is None or found.grade == "witness":
        text += _candidates(one)
    if found.digest is None:
        return text + "\n" + _answer(one, paint) + _notes(one)
    if one.retired:
        text += f"  since then {visible(one.retired, 200)}\n"
    if one.held is None:
        text += "  its file is nowhere: not in the registry, and not in the history here\n"
    elif one.held.commit is not None:
        text += f"  its file is gone or another one; it is read from commit {one.held.commit[:12]}\n"
    text += "".join(_pin(pin) for pin in one.pins)
    text += _components(one) + _fields(one, paint) + _answer(one, paint)
    return text + _notes(one)


def _name(one: Traced, digest: str) -> str:
    name = one.names.get(digest)
    return "an unknown version" if name is None else f"{name[0]} {name[1]}"


def _candidates(one: Traced) -> str:
    text = ""
    for suspect in one.identified.candidates:
        said = f"; asked again: {suspect.agreement}" if suspect.agreement is not None else ""
        said += f" ({visible(suspect.note, 200)})" if suspect.note else ""
        where = ", ".join(suspect.where)
        text += f"  candidate {_name(one, suspect.digest)} {short(suspect.digest)} {where}{said}\n"
        text += "".join(f"    {visible(words, 200)}\n" for words in suspect.evidence)
    return text


def _pin(pin: PinThen) -> str:
    who = f"{visible(pin.commit.author)}: {visible(pin.commit.subject, 120)}"
    pull = f" ({pin.pull_request})" if pin.pull_request is not None else ""
    over = "" if pin.lasted else ", which had ended by then"
    by = f"{pin.commit.short} of {stamp(pin.commit.time)}{pull}{over}"
    text = f"\n{pin.environment} {pin.slot}, pinned by {by}\n"
    text += f"  {who}\n"
    if pin.reviewers:
        text += f"  reviewed by {visible(', '.join(pin.reviewers), 120)}\n"
    for slot, ref, share in pin.beside:
        at = ref.partition("@")[0]
        text += f"  beside it: {slot} {visible(at)}" + (f", {share:g}% of the requests\n" if share else "\n")
    return text


def _components(one: Traced) -> str:
    if one.shown is None:
        return ""
    rows = [("COMPONENT", "LEVEL", "IS")]
    for component in one.shown.components:
        level, note = one.levels.get(component.name, (component.level, ""))
        facts = ", ".join(f"{label} {_short(text)}" for label, text in component.facts[:4])
        rows.append((component.name, level, visible(facts + (f" ({note})" if note else ""), 110)))
    return "\n" + table(rows)


def _short(text: str) -> str:
    """Return a text with its digests and commits as people read them."""
    return _HEX.sub(r"\1", text)


def _fields(one: Traced, paint: Paint) -> str:
    if not one.fields:
        return ""
    several = max(field.row for field in one.fields) > 0
    rows = [("FIELD", "VALUE", "IS", "CONTRACT", "")]
    for field in one.fields:
        name = f"row {field.row + 1} {field.name}" if several else field.name
        words = contract_words(field.feature) if field.feature is not None else "its schema is lost"
        broken = "; ".join(found.message for found in field.violations)
        rows.append((name, shown_value(field), field.raw, words, f"<- {broken}" if broken else ""))
    text = table(rows)
    lines = [paint.severity("error", line) if " <- " in line else line for line in text.splitlines()]
    said = (
        f"{plural(one.violations, 'violation')} of the contract" if one.violations else "the contract holds"
    )
    return "\n" + "".join(f"{line}\n" for line in lines) + f"{said}\n"


def shown_value(field: Judged) -> str:
    """Return a value as people read it, to the last bit."""
    if field.hidden:
        return "hidden"
    return _value(field.value)


def _value(value: Scalar | tuple[Scalar, ...]) -> str:
    if isinstance(value, tuple):
        shown = ", ".join(_value(one) for one in value[:_VALUES])
        return f"[{shown}{', ...' if len(value) > _VALUES else ''}]"
    if value is None:
        return "null"
    return visible(value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value), 60)


def _answer(one: Traced, paint: Paint) -> str:
    text = ""
    for answer in one.answers:
        data = tuple(answer.values.data)
        shown = _value(data[0]) if len(data) == 1 else _value(data)
        text += f"{visible(answer.name) or 'the answer'} = {paint.bold(shown)}\n"
    for decided in one.decisions:
        said = {True: "yes", False: "no", None: "not one number to decide on"}[decided.decision]
        text += f"  {decided.name} ({decided.words}): {said}\n"
    if not one.answers:
        text += "no answer was logged\n"
    return "\n" + text + (replay_line(one.replay) if one.replay is not None else "")


def replay_line(asked: Asked) -> str:
    """Return one line: what the version answers today to the same request, and lines of doubt."""
    if asked.verdict is None:
        return f"not replayed: {visible(asked.why_not, 300)}\n"
    text = f"replayed: {asked.verdict}"
    if asked.verdict != "bit-equal":
        off = "no measure" if asked.difference is None else f"off by {asked.difference:.6g}"
        text += f", {off}" + (f", {asked.ulps:,} ulp" if asked.ulps is not None else "")
    return text + "\n" + "".join(f"  {visible(doubt, 200)}\n" for doubt in asked.doubts)


def _notes(one: Traced) -> str:
    return "".join(f"note: {visible(note, 300)}\n" for note in one.notes)
