"""What a verb that edits pins did, or what stands in its way: text and JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass

from modelspec.api.judge import Judged
from modelspec.change.proposal import Declined, Proposal
from modelspec.compat.verdict import Says, Standing
from modelspec.report.json import findings_data
from modelspec.report.paint import Paint
from modelspec.report.text import findings_text
from modelspec.spec.base import ref_name
from modelspec.tree.data import Data
from modelspec.tree.text import plural, visible, visible_lines


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a proposal. `commit` is set when it landed, `request` when a pull request is open."""

    verb: str
    found: Proposal | Declined
    judged: Judged | None = None
    wrote: bool = False
    commit: str | None = None
    branch: str | None = None
    pushed: str | None = None
    request: str | None = None
    next: str | None = None

    @property
    def failed(self) -> bool:
        """Whether a rule, or what was asked for, stands in the way."""
        return isinstance(self.found, Declined) or (self.judged is not None and self.judged.blocked)


def outcome_text(outcome: Outcome, paint: Paint) -> str:
    """Return the verdict first, then what stands in the way, or what was done, and the next command."""
    found = outcome.found
    if isinstance(found, Declined):
        return f"{visible_lines(found.message)}\n  {paint.fix('fix:')} {visible_lines(found.fix)}\n"
    lines = [line for stands in found.standings for line in _verdict(stands, paint)]
    judged = outcome.judged
    if judged is not None and judged.blocked:
        text = "".join(line + "\n" for line in lines) + findings_text(judged.registry, judged.findings, paint)
        # What was found out on the way may be what is wrong.
        text += "".join(f"  note: {visible(one, 300)}\n" for one in found.notes)
        errors = [one for one in judged.findings if one.blocks]
        text += f"{plural(len(errors), 'error')}: nothing was changed\n"
        return text + paint.dim(f"modelspec explain {errors[0].code} says more") + "\n"
    lines += _done(outcome, found, judged)
    if outcome.next:
        lines.append(f"{paint.bold('next:')} {outcome.next}")
    return "".join(line + "\n" for line in lines)


def _done(outcome: Outcome, found: Proposal, judged: Judged | None) -> list[str]:
    lines = []
    changed = bool(judged is not None and judged.patch)
    if changed and found.title:
        lines.append(found.title)
    if found.verb != "prune" or changed:
        lines += [f"  {step}" for step in found.steps]
    lines += [visible(one, 300) for one in (*found.already, *found.left)]
    lines += [f"  note: {visible(one, 300)}" for one in (*found.notes, *found.results)]
    if judged is not None and judged.patch and (outcome.wrote or outcome.commit):
        own = [path for path in judged.patch if not path.startswith("compiled/")]
        compiled = len(judged.patch) - len(own)
        also = f" and {plural(compiled, 'file')} below compiled/" if compiled else ""
        shown = ", ".join(own[:4]) + (f", and {len(own) - 4} more" if len(own) > 4 else "")
        lines.append(f"wrote {shown}{also}" if own else f"wrote {plural(compiled, 'file')} below compiled/")
    if outcome.commit:
        lines.append(f"committed {outcome.commit[:12]} on {visible(outcome.branch or '')}")
    if outcome.pushed:
        lines.append(f"pushed to {outcome.pushed}")
    if outcome.request:
        lines.append(f"pull request: {outcome.request}")
    return lines


def _verdict(stands: Standing, paint: Paint) -> list[str]:
    head = (
        f"{stands.model} {ref_name(stands.version)} in {stands.environment}: {paint.bold(stands.says.value)}"
    )
    lines = [head + (f": {visible(stands.reason, 300)}" if stands.reason else "")]
    if stands.says is Says.SAFE:
        return lines
    lines += [f"  {visible(trouble.told, 300)}" for trouble in stands.troubles]
    for move in stands.moves:
        was, now = (", ".join(ref_name(ref) for ref in refs) for refs in (move.was, move.now))
        word = "moves along" if stands.says is Says.CO_PINS else "another way"
        lines.append(f"  {word}: {move.name} {was or 'nothing'} -> {now}")
    if stands.nearest is not None:
        lines += [f"  would break: {one.model} {visible(one.told, 200)}" for one in stands.nearest.breaks]
    return lines


def outcome_json(outcome: Outcome) -> str:
    """Return the shape `modelspec/<verb>/1`."""
    found, judged = outcome.found, outcome.judged
    data: dict[str, Data] = {
        "format": f"modelspec/{outcome.verb}/1",
        "done": not outcome.failed,
        "changed": outcome.wrote or outcome.commit is not None,
        "blocked": outcome.failed,
    }
    if isinstance(found, Declined):
        data |= {"declined": found.message, "fix": found.fix, "steps": [], "verdicts": [], "findings": []}
    else:
        data |= {
            "declined": None,
            "fix": None,
            "steps": [
                {
                    "verb": one.verb,
                    "name": one.name,
                    "environment": one.environment,
                    "was": one.was,
                    "now": one.now,
                }
                for one in found.steps
            ],
            "already": list(found.already),
            "left": list(found.left),
            "notes": [*found.notes, *found.results],
            "verdicts": [_stands(one) for one in found.standings],
            "findings": findings_data(judged.registry, judged.findings) if judged is not None else [],
            "files": list(judged.patch) if judged is not None else [],
        }
    data |= {
        "commit": outcome.commit,
        "branch": outcome.branch,
        "pushed": outcome.pushed,
        "pull_request": outcome.request,
        "next": outcome.next,
    }
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def _stands(one: Standing) -> Data:
    return {
        "model": one.model,
        "version": ref_name(one.version),
        "environment": one.environment,
        "verdict": one.says.value,
        "reason": one.reason,
        "troubles": [trouble.told for trouble in one.troubles],
        "moves": [
            {"kind": move.kind, "name": move.name, "was": list(move.was), "now": list(move.now)}
            for move in one.moves
        ],
    }
