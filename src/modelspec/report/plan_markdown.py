"""A plan as the one comment of a pull request: Markdown, within a forge's limits.

The first line is a marker that the comment is found by. Sections are dropped whole, the least important
first, when the comment would be too long, and it says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from modelspec.api.plan import Plan, PlannedPin
from modelspec.delta.pins import PinChange
from modelspec.report.diff import diff_text
from modelspec.report.paint import Paint
from modelspec.report.plan import Between, back_text, gate_text, headline, reach_text
from modelspec.report.text import findings_text
from modelspec.spec.base import ref_name
from modelspec.spec.registry import Registry
from modelspec.tree.text import plural, visible

MARKER: Final = "<!-- modelspec plan -->"
BUDGET: Final = 60_000
"""Characters. GitHub refuses a comment of more than 65,536."""
_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]<>#|~@!])")
_ROWS: Final = 200
_CUT: Final = "... and more: `modelspec plan` prints all of it"
_FENCES: Final = 2
Section = tuple[str, list[str]]
"""A title and lines, the most important section first."""


def plan_markdown(head: Registry, found: Plan, between: Between) -> str:
    """Return the comment; everything that came from a file is escaped."""
    mark = "⛔" if found.blocked else "➖" if found.diff.empty else "✅"
    top = [MARKER, f"### modelspec: {mark} {escaped(headline(found))}", ""]
    top += list(_table(found))
    foot = ["", f"<sub>{escaped(between.described())}</sub>", ""]
    sections = [section for section in _sections(head, found) if section[1]]
    dropped: list[str] = []
    while len(text := _joined(top, sections, dropped, foot)) > BUDGET and len(sections) > 1:
        dropped.append(sections.pop()[0])
    if len(text) > BUDGET and sections:
        title, lines = sections[0]
        over = len(text) - BUDGET + len(_CUT)
        while over > 0 and len(lines) > _FENCES:
            over -= len(lines.pop(-2)) + 1
        sections[0] = (title, [*lines[:-1], _CUT, lines[-1]])
        text = _joined(top, sections, dropped, foot)
    return text[:BUDGET]


def _joined(top: list[str], sections: list[Section], dropped: list[str], foot: list[str]) -> str:
    body = [line for title, lines in sections for line in _folded(title, lines)]
    left = f"_Left out for length: {', '.join(dropped)}: `modelspec plan` prints them._"
    return "\n".join([*top, *body, *([left] if dropped else []), *foot])


def escaped(text: str) -> str:
    """Return untrusted text as Markdown that shows it and does nothing: no link, mention, markup or HTML."""
    return _SPECIAL.sub(r"\\\1", visible(text, 300)).replace("\\@", "@\u2060")


def _table(found: Plan) -> Iterator[str]:
    if not found.pins and not found.diff.served:
        return
    yield "| environment | model | from → to | kind | components | gates | way back |"
    yield "|---|---|---|---|---|---|---|"
    # What takes something away stands above what adds.
    ordered = sorted(found.pins, key=lambda pin: (not _takes(pin), pin.diff.environment, pin.diff.model))
    for pin in ordered[:_ROWS]:
        yield _row(pin)
    if len(ordered) > _ROWS:
        yield f"| … | {plural(len(ordered) - _ROWS, 'more pin')} | | | | | |"
    for served in found.diff.served[:_ROWS]:
        was, now = (", ".join(map(ref_name, refs)) or "none" for refs in (served.was, served.now))
        cells = (served.environment, f"view {served.view}", f"{was} → {now}", "feature rollout", "", "", "")
        yield "| " + " | ".join(escaped(cell) for cell in cells) + " |"


def _takes(pin: PlannedPin) -> bool:
    return any(change.kind in ("removal", "restore") for change in pin.diff.changes)


def _row(pin: PlannedPin) -> str:
    moved = list(dict.fromkeys(name for one in pin.diff.versions for name in one.moved))
    unmet = [gate.name for gate in pin.gates if not gate.met]
    gates = f"waits for {', '.join(dict.fromkeys(unmet))}" if unmet else "met" if pin.gates else "none"
    back = pin.back.standing.says.value if pin.back is not None else ""
    cells = (
        pin.diff.environment,
        pin.diff.model,
        "; ".join(_fromto(change) for change in pin.diff.changes if change.slot) or "unchanged",
        ", ".join(dict.fromkeys(change.kind for change in pin.diff.changes)),
        ", ".join(moved),
        gates,
        back,
    )
    return "| " + " | ".join(escaped(cell) for cell in cells) + " |"


def _fromto(change: PinChange) -> str:
    was, now = (ref_name(ref) if ref is not None else "none" for ref in (change.was, change.now))
    if change.was == change.now:
        return f"{now} {change.weights[0]} % → {change.weights[1]} %"
    share = f" {change.weights[1]} %" if change.weights[1] is not None else ""
    return f"{was} → {now}{share}"


def _sections(head: Registry, found: Plan) -> Iterator[Section]:
    """Yield (title, lines), the most important first."""
    # What blocks comes first: the end may be cut.
    own = sorted((one for one in found.findings if not one.existing), key=lambda one: not one.blocks)
    existing = len(found.findings) - len(own)
    lines = _fenced(findings_text(head, own, Paint(False)).splitlines()) if own else []
    yield f"{plural(len(own), 'finding')}" + (f", {existing} existing" if existing else ""), lines
    unmet = [(pin, gate) for pin in found.pins for gate in pin.gates]
    yield (
        "Gates",
        [
            f"- {escaped(f'{pin.diff.environment}/{pin.diff.model}: {gate_text(gate)}')}"
            for pin, gate in unmet
        ],
    )
    yield (
        "Way back",
        [
            f"- {escaped(f'{pin.diff.environment}/{pin.diff.model} {line}')}"
            for pin in found.pins
            if pin.back is not None
            for line in back_text(pin.back)
        ],
    )
    if not found.diff.empty:
        yield (
            f"What differs, reaching {reach_text(found)}",
            _fenced(diff_text(found.diff, Paint(False)).splitlines()),
        )
    yield (
        "Serving configs",
        _fenced(
            [
                line
                for one in found.rendered
                for line in (f"{one.path} {one.state}", *(one.lines if one.state == "changed" else ()))
            ],
            "diff",
        )
        if found.rendered
        else [],
    )


def _fenced(lines: list[str], language: str = "text") -> list[str]:
    shown = [visible(line, 300) for line in lines]
    longest = max((len(run) for line in shown for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return [fence + language, *shown, fence]


def _folded(title: str, lines: list[str]) -> list[str]:
    return ["", f"<details><summary>{escaped(title)}</summary>", "", *lines, "", "</details>"]
