"""What `plan` prints on a terminal, and its JSON: `modelspec/plan/1`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from modelspec.api.plan import Plan, PlannedPin, WayBack
from modelspec.compat.verdict import Says
from modelspec.delta.gates import Gate
from modelspec.report.diff import diff_data, diff_text
from modelspec.report.json import findings_data
from modelspec.report.log import change_text
from modelspec.report.paint import Paint
from modelspec.report.text import findings_text, summary
from modelspec.report.words import stamp
from modelspec.spec.base import ref_name
from modelspec.spec.registry import Registry
from modelspec.tree.data import Data
from modelspec.tree.text import plural, visible

LINES = 40
"""The most lines of one compiled file that the terminal shows."""


@dataclass(frozen=True, slots=True)
class Between:
    """The two revisions that a plan is about: the base, the head (None for the work tree), where the change
    left the base when that moved on since (None when it did not), and what the work tree is a checkout of."""

    base: str
    head: str | None
    left: str | None = None
    checked_out: str | None = None

    def described(self) -> str:
        """Return both, as people read them."""
        on = f" on {self.checked_out[:12]}" if self.checked_out and self.checked_out != self.base else ""
        head = f"the work tree{on}" if self.head is None else self.head[:12]
        text = f"{self.base[:12]} -> {head}"
        if self.left is None:
            return text
        return f"{text}; judged as merged: the base moved on since the change left it at {self.left[:12]}"


def headline(found: Plan) -> str:
    """Return the one-line verdict of a plan."""
    if found.diff.empty:
        return "no change in meaning: comments and layout only" if found.diff.layout else "no change"
    if found.blocked:
        errors = sum(1 for one in found.findings if one.blocks)
        waiting = [gate for pin in found.pins for gate in pin.gates if not gate.met]
        whens = [gate.when for gate in waiting]
        told = f"blocked: {plural(errors, 'error')}"
        if waiting and errors == len(waiting) and all(whens):
            return f"{told}; time alone lifts it, at {stamp(max(when for when in whens if when))}"
        return told
    return f"ready: {', '.join(found.kinds)}"


def plan_text(head: Registry, found: Plan, between: Between, paint: Paint) -> str:
    """Return the whole plan: verdict, differences, gates, reach, way back, configs, findings."""
    lines = [f"{paint.bold(headline(found))}", paint.dim(between.described())]
    text = "".join(f"{line}\n" for line in lines)
    if found.diff.empty:
        return text + _findings(head, found, paint)
    text += "\n" + diff_text(found.diff, paint)
    for title, body in (
        ("gates", _gates(found)),
        ("way back", _backs(found)),
        ("reaches", _reach(found)),
        ("configs", _rendered(found, paint)),
    ):
        told = list(body)
        if told:
            text += paint.bold(title) + "\n" + "".join(f"  {line}\n" for line in told)
    return text + _findings(head, found, paint)


def _findings(head: Registry, found: Plan, paint: Paint) -> str:
    shown = [one for one in found.findings if not one.existing]
    text = "\n" + findings_text(head, shown, paint) if shown else ""
    touched = sum(1 for _ in {one.place.path for one in found.findings})
    return text + (summary(found.findings, touched) + "\n" if found.findings else "")


def gate_text(gate: Gate) -> str:
    """Return the status of a gate: a mark, its name, what it found, and from when on it is met."""
    mark = "waived" if gate.waived else "met" if gate.met else "NOT MET"
    when = f" (met from {stamp(gate.when)} on)" if gate.when is not None else ""
    return f"{mark:<8}{gate.name}: {visible(gate.told, 300)}{when}"


def _gates(found: Plan) -> Iterator[str]:
    for pin in found.pins:
        for gate in pin.gates:
            yield f"{pin.diff.environment}/{pin.diff.model} {gate.slot}: {gate_text(gate)}"


def back_text(back: WayBack) -> Iterator[str]:
    """Yield what going back would mean."""
    says = back.standing.says
    told = f"to {ref_name(back.version)}: {says.value}"
    if says is Says.CO_PINS:
        told += f" ({', '.join(f'{move.kind} {move.name}' for move in back.standing.moves)})"
    if back.standing.reason:
        told += f" ({visible(back.standing.reason)})"
    yield told + ("; a warm standby holds it: nothing has to load" if back.warm else "")
    yield "a `git revert` of this change applies until a later one touches the pin or its outputs" + (
        f"; it takes along {visible(', '.join(back.along), 300)}" if back.along else ""
    )
    if back.skips is not None:
        yield f"this undoes a promotion that is not the latest: {ref_name(back.skips)} served in between"


def _backs(found: Plan) -> Iterator[str]:
    for pin in found.pins:
        for line in back_text(pin.back) if pin.back is not None else ():
            yield f"{pin.diff.environment}/{pin.diff.model} {line}"


def reach_text(found: Plan) -> str:
    """Return how far a change reaches, in numbers."""
    environments = {name for name, _ in (*found.reach.pins, *found.reach.served)}
    models = {model for _, model in found.reach.pins}
    parts = [plural(len(environments), "environment"), plural(len(models), "model")]
    parts.append(plural(len(found.rendered), "compiled file"))
    return ", ".join(parts)


def _reach(found: Plan) -> Iterator[str]:
    yield reach_text(found)
    moved = {(pin.diff.environment, pin.diff.model) for pin in found.pins}
    for environment, view, model in found.reach.readers:
        if (environment, model) not in moved:
            yield f"{environment}/{model} reads {view} too, and does not move"


def _rendered(found: Plan, paint: Paint) -> Iterator[str]:
    for one in found.rendered:
        yield f"{one.path} {one.state}"
        for line in one.lines[:LINES] if one.state == "changed" else ():
            yield "  " + (paint.fix(visible(line, 160)) if line.startswith("+") else visible(line, 160))
        if one.state == "changed" and len(one.lines) > LINES:
            yield f"  ... {plural(len(one.lines) - LINES, 'more line')}"


def plan_json(head: Registry, found: Plan, between: Between) -> str:
    """Return the shape `modelspec/plan/1`."""
    data: dict[str, Any] = {
        "format": "modelspec/plan/1",
        "headline": headline(found),
        "base": between.base,
        "head": between.head,
        "checked_out": between.checked_out,
        "left_base_at": between.left,
        "changes": not found.diff.empty,
        "blocked": found.blocked,
        "kinds": list(found.kinds),
        "diff": diff_data(found.diff, between.base, between.head or "work tree"),
        "pins": [_pin(pin) for pin in found.pins],
        "reach": {
            "pins": ["/".join(name) for name in found.reach.pins],
            "feature_pins": ["/".join(name) for name in found.reach.served],
            "readers": [
                {"environment": environment, "view": view, "model": model}
                for environment, view, model in found.reach.readers
            ],
        },
        "compiled": [
            {"path": one.path, "state": one.state, "diff": list(one.lines)} for one in found.rendered
        ],
        "findings": findings_data(head, found.findings),
    }
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def _pin(pin: PlannedPin) -> Data:
    back: Data = None
    if pin.back is not None:
        back = {
            "version": pin.back.version,
            "verdict": pin.back.standing.says.value,
            "moves": [f"{move.kind} {move.name}" for move in pin.back.standing.moves],
            "reason": pin.back.standing.reason,
            "warm": pin.back.warm,
            "along": list(pin.back.along),
            "skips": pin.back.skips,
        }
    return {
        "environment": pin.diff.environment,
        "model": pin.diff.model,
        "kinds": [change.kind for change in pin.diff.changes],
        "changes": [change_text(change) for change in pin.diff.changes],
        "gates": [
            {
                "name": gate.name,
                "slot": gate.slot,
                "met": gate.met,
                "waived": gate.waived,
                "told": gate.told,
                "when": None if gate.when is None else stamp(gate.when),
            }
            for gate in pin.gates
        ],
        "way_back": back,
    }
