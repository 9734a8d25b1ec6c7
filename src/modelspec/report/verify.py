"""What `verify` prints: component by level for each version, what is wrong, and the reasons for the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from modelspec.api.verify import SIGNER, Row
from modelspec.report.paint import Paint
from modelspec.report.table import table
from modelspec.spec.model import COMPONENTS
from modelspec.tree.data import Data
from modelspec.tree.text import plural, visible

_REASONS: Final = 3
"""Of each component: thousands of versions may each have a reason of their own."""


def verify_text(rows: Sequence[Row], paint: Paint, none: str) -> str:
    """Return the table, a line for each thing that is wrong, the reasons for the rest, then the count.

    `none`: what is said where there is no row.
    """
    if not rows:
        return f"{none}\n"
    heading = ("MODEL", "VERSION", *(name.upper() for name in COMPONENTS))
    cells = [(row.model, row.version, *(_cell(row, name) for name in COMPONENTS)) for row in rows]
    text = table([heading, *cells])
    if reasons := _reasons(rows):
        text += f"\n{table([('COMPONENT', 'PART', 'LEVEL', 'VERSIONS', 'WHY'), *reasons])}"
    for row in rows:
        if row.fails:
            text += f"\n{paint.bold(f'{row.model} {row.version}')}\n"
        for held in row.held:
            if held.outcome.wrong:
                text += (
                    f"  {paint.severity('error', 'wrong')}  {held.what}: {visible(held.outcome.note, 400)}\n"
                )
        for line in row.unmet:
            text += f"  {paint.severity('error', 'unmet')}  {visible(line, 200)}\n"
    failed = sum(row.fails for row in rows)
    well = f"{failed} with something wrong" if failed else "nothing wrong"
    return f"{text}\n{plural(len(rows), 'version')}, {well}\n"


def _reasons(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    """Return a row for each reason why a part that is not wrong is not verified; and for each signer."""
    found: list[tuple[str, ...]] = []
    for name in COMPONENTS:
        counted = Counter(
            (held.component, held.what, held.outcome.level, held.outcome.note)
            for row in rows
            for held in row.held
            if held.component == name
            and not held.outcome.wrong
            and (held.outcome.level != "verified" or held.what == SIGNER)
        )
        common = counted.most_common(_REASONS)
        found += [(*key[:3], str(count), visible(key[3], 200)) for key, count in common]
        if more := len(counted) - len(common):
            found.append((name, "...", "", "", f"and {plural(more, 'more reason')}: --format json"))
    return found


def verify_json(rows: Sequence[Row]) -> Data:
    """Return the shape `modelspec/verify/1`."""
    return {
        "format": "modelspec/verify/1",
        "failed": sum(row.fails for row in rows),
        "versions": [
            {
                "model": row.model,
                "version": row.version,
                "digest": row.digest,
                "levels": dict(row.levels),
                "parts": [
                    {
                        "component": held.component,
                        "what": held.what,
                        "level": held.outcome.level,
                        "note": held.outcome.note,
                        "wrong": held.outcome.wrong,
                    }
                    for held in row.held
                ],
                "unmet": [*row.unmet],
            }
            for row in rows
        ],
    }


def _cell(row: Row, component: str) -> str:
    wrong = any(held.component == component and held.outcome.wrong for held in row.held)
    return "WRONG" if wrong else row.levels[component]
