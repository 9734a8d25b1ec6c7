"""What `bisect` prints: the change of a pin that made a command fail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from modelspec.api.log import Logged
from modelspec.delta.bisection import Verdict
from modelspec.delta.events import Event
from modelspec.report.log import event_data, log_text
from modelspec.report.paint import Paint
from modelspec.tree.data import Data


@dataclass(frozen=True, slots=True)
class Step:
    """One state that was tried; `note` says why it was skipped without a run."""

    event: Event
    verdict: Verdict
    note: str = ""


def bisected_text(suspects: Sequence[Event], why: str, steps: Sequence[Step], paint: Paint) -> str:
    """Return the change that was found, or the changes that it is among, or why there is none."""
    if not suspects:
        return f"nothing found: {why}\n"
    head = "the first change that fails" if len(suspects) == 1 else "the first that fails is one of these"
    return f"{paint.bold(head)}, after {len(steps)} tried\n" + log_text(
        Logged(tuple(reversed(suspects)), False), paint
    )


def bisected_data(suspects: Sequence[Event], why: str, steps: Sequence[Step]) -> Data:
    """Return the shape `modelspec/bisect/1`."""
    return {
        "format": "modelspec/bisect/1",
        "found": event_data(suspects[0]) if len(suspects) == 1 else None,
        "suspects": [event_data(one) for one in suspects],
        "why": why or None,
        "steps": [
            {"commit": step.event.commit.id, "verdict": step.verdict, "note": step.note or None}
            for step in steps
        ],
    }
