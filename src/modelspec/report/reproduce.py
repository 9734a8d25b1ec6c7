"""What `reproduce` prints: each part with how exact it is, and what the run said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelspec.api.reproduce import Reproduced
from modelspec.report.table import table
from modelspec.tree.digest import short
from modelspec.tree.text import plural, visible


def reproduced_text(found: Reproduced, target: str, run: Mapping[str, Any] | str | None) -> str:
    """Return a line for each part, for what is left out, and for the run."""
    rows = [("STATE", "COMPONENT", "PART", "WHERE", "NOTE")]
    rows += [
        (piece.state, piece.component, visible(piece.what), piece.path or "-", visible(piece.note, 200))
        for piece in found.pieces
    ]
    text = table(rows)
    for piece in found.pieces:
        for path, why in piece.left_out[:5]:
            text += f"  left out of {piece.component}: {visible(path, 200)}: {why}\n"
        if len(piece.left_out) > 5:
            text += f"  and {plural(len(piece.left_out) - 5, 'more path')}: reproduce.json lists them\n"
    name = f"{found.model} {found.version} {short(found.digest)}"
    text += f"\n{name} -> {visible(target, 200)}: {_summary(found)}\n"
    return text + ("" if run is None else run_text(run))


def _summary(found: Reproduced) -> str:
    missing = sum(piece.state == "missing" for piece in found.pieces)
    if missing:
        return f"{plural(missing, 'part')} can't be had"
    return "all that was recorded, exactly" if found.exact else "whole, but not all of it is exact"


def run_text(run: Mapping[str, Any] | str) -> str:
    """Return one line: what the model answered to the golden inputs."""
    if isinstance(run, str):
        return f"golden answers: not asked: {visible(run, 400)}\n"
    packages = ", ".join(f"{name} {version}" for name, version in sorted(run["packages"].items()))
    verdict = "none were recorded; the model loads" if run["verdict"] == "loads" else run["verdict"]
    text = f"golden answers: {verdict} ({packages}, Python {run['python']}, "
    text += f"{plural(run['threads'], 'thread')})\n"
    for row in run["outputs"]:
        if not row["same"]:
            apart = "another type or shape, or no number" if row["difference"] is None else row["difference"]
            text += f"  {visible(row['name'])}: greatest difference {apart}, tolerance {run['tolerance']}\n"
    return text
