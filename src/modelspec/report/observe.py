"""What `observe` prints: the receipts that are new, and what could not be told."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from modelspec.api.observe import Observed
from modelspec.report.receipts import slots_text
from modelspec.spec.receipt import Receipt
from modelspec.trace.stamps import Versions
from modelspec.tree.data import Data
from modelspec.tree.observed import Unclear
from modelspec.tree.text import plural, visible, visible_lines


def observe_text(
    found: Observed,
    new: Sequence[Receipt],
    versions: Versions,
    commit: str | None,
    remote: str | None,
    source: str,
) -> str:
    """Return a line for each receipt, then what was left out and what is to be mended."""
    lines = [receipt_line(one, versions) for one in new]
    if not new and not found.wrong:
        lines.append(f"nothing new at {visible(source, 200)}: {_already(found)}")
    lines += [line for note in found.notes for line in _lines(note, "left out: ")]
    lines += [line for wrong in found.wrong for line in _lines(wrong, "")]
    if commit is not None:
        where = f", and pushed to {remote}" if remote else ""
        lines.append(f"{plural(len(new), 'receipt')} in {commit[:12]} on modelspec/receipts{where}")
    return "\n".join(lines) + "\n"


def receipt_line(one: Receipt, versions: Versions) -> str:
    """Return one receipt as people read it."""
    where = f" ({visible(one.cluster)})" if one.cluster else ""
    when = f"since {one.since}" if one.since != one.observed else f"first seen {one.since}"
    said = slots_text(one.model, one.slots, versions)
    return f"{one.environment}/{one.model}: {said}{where}, {when} [{visible(one.source)}]"


def _already(found: Observed) -> str:
    return f"{plural(len(found.receipts), 'state')} known already" if found.receipts else "nothing to tell"


def _lines(one: Unclear, lead: str) -> Iterator[str]:
    yield visible_lines(f"{lead}{one.place}: {one.message}")
    if one.fix:
        yield visible_lines(f"  fix: {one.fix}")


def observe_json(
    found: Observed,
    new: Sequence[Receipt],
    versions: Versions,
    commit: str | None,
    remote: str | None,
    source: str,
) -> str:
    """Return the shape `modelspec/observe/1`; `known` counts the states that were known already."""
    findings: list[Data] = [
        {"place": one.place, "message": one.message, "fix": one.fix} for one in found.wrong
    ]
    notes: list[Data] = [{"place": one.place, "message": one.message} for one in found.notes]
    data: dict[str, Data] = {
        "format": "modelspec/observe/1",
        "source": source,
        "commit": commit,
        "remote": remote,
        "receipts": [receipt_data(one, versions) for one in new],
        "known": max(0, len(found.receipts) - len(new)),
        "findings": findings,
        "left_out": notes,
    }
    return json.dumps(data, indent=2) + "\n"


def receipt_data(one: Receipt, versions: Versions) -> Data:
    """Return a receipt as its file has it, with the version that each digest is."""
    data: dict[str, Data] = one.model_dump(mode="json", exclude={"slots"})
    data["slots"] = [
        {**slot.model_dump(mode="json"), "version": versions.name(one.model, slot.digest)}
        for slot in one.slots
    ]
    return data
