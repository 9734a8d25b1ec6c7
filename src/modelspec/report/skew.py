"""What `skew` prints: a line for each feature, then what is behind the lines that matter."""

from __future__ import annotations

import math

from modelspec.report.paint import Paint
from modelspec.report.table import table
from modelspec.report.words import stamp
from modelspec.trace.contract import contract_words
from modelspec.trace.skew import Drift, FeatureSkew, Skew
from modelspec.tree.data import Data
from modelspec.tree.digest import short
from modelspec.tree.text import plural, visible

_SHOWN = 10


def skew_text(found: Skew, paint: Paint) -> str:
    """Return the summary of a window."""
    text = f"{paint.bold(f'{found.model} {found.version}')} {short(found.digest)} in {found.environment}: "
    text += f"{plural(found.rows, 'row')} of {visible(found.log, 120)}{window(found)}\n"
    rows = [("FEATURE", "BROKEN", "BY", "PSI", "DRIFT", "MEAN", "LEAST", "GREATEST")]
    for one in found.features:
        by = ", ".join(f"{kind} {count:,}" for kind, count in one.violations.items())
        psi, word = ("", "no bins") if one.drift is None else (f"{one.drift.psi:.4f}", drift_word(one.drift))
        rows.append(
            (one.name, f"{100 * one.share:.3g} %" if one.broken else "", by, psi, word,
             _number(one.stats.mean), _number(one.stats.least), _number(one.stats.greatest))
        )  # fmt: skip
    lines = table(rows).splitlines()
    bad = {index + 1 for index, one in enumerate(found.features) if one.broken or is_large(one)}
    text += "".join(
        f"{paint.severity('error', line) if i in bad else line}\n" for i, line in enumerate(lines)
    )
    for one in found.features:
        text += f"{one.name}: {visible(one.unit, 160)}\n" if one.unit else ""
    if found.worst:
        text += "\nthe rows that break most of it:\n"
        for row in found.worst:
            said = "; ".join(f"{name}: {message}" for name, message in row.violations[:4])
            text += f"  {visible(row.id)}  {visible(said, 240)}\n"
    total = sum(found.left_out.values())
    if total:
        text += f"\nleft out, {total:,} in all:\n"
        for reason, count in sorted(found.left_out.items(), key=lambda pair: -pair[1])[:_SHOWN]:
            where = ", ".join(visible(one, 60) for one in found.examples.get(reason, ()))
            text += f"  {count:>9,}  {visible(reason, 160)}" + (f" ({where})\n" if where else "\n")
    text += "".join(f"note: {visible(note, 300)}\n" for note in found.notes)
    text += "".join(f"{paint.severity('error', 'over the bound')}: {line}\n" for line in found.crossed)
    return text


def window(found: Skew) -> str:
    """Return the window in words, with a space before it; "" for all of the log."""
    since = f" from {stamp(found.since)}" if found.since is not None else ""
    return since + (f" until {stamp(found.until)}" if found.until is not None else "")


def is_large(one: FeatureSkew) -> bool:
    """Whether a feature has drifted far, and not by chance."""
    return one.drift is not None and one.drift.word == "large"


def drift_word(drift: Drift) -> str:
    """Return the drift in a word; with the exact KS distance where it was asked for."""
    if drift.ks is None or drift.ks_chance is None:
        return drift.word
    return f"{drift.word}; KS {drift.ks:.4f} (by chance: {drift.ks_chance:.2g})"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def skew_json(found: Skew) -> dict[str, Data]:
    """Return the shape `modelspec/skew/1`."""
    return {
        "format": "modelspec/skew/1",
        "model": found.model,
        "version": found.version,
        "digest": found.digest,
        "environment": found.environment,
        "log": found.log,
        "from": None if found.since is None else stamp(found.since),
        "until": None if found.until is None else stamp(found.until),
        "rows": found.rows,
        "features": [_feature(one) for one in found.features],
        "worst": [
            {
                "request": row.id,
                "values": {name: _scalar(value) for name, value in row.values},
                "violations": [{"field": name, "message": message} for name, message in row.violations],
            }
            for row in found.worst
        ],
        "left_out": [
            {"reason": reason, "count": count, "examples": list[Data](found.examples.get(reason, ()))}
            for reason, count in sorted(found.left_out.items(), key=lambda pair: (-pair[1], pair[0]))
        ],
        "notes": list(found.notes),
        "over": list(found.crossed),
    }


def _feature(one: FeatureSkew) -> Data:
    stats = one.stats
    return {
        "field": one.name,
        "contract": contract_words(one.feature) if one.feature is not None else None,
        "rows": stats.rows,
        "violations": {str(kind): count for kind, count in one.violations.items()},
        "share": one.share,
        "nulls": stats.nulls,
        "not_finite": stats.infinite,
        "least": stats.least,
        "greatest": stats.greatest,
        "mean": stats.mean,
        "deviation": stats.deviation,
        "unit": one.unit or None,
        "drift": None if one.drift is None else _drift(one.drift),
    }


def _drift(drift: Drift) -> Data:
    return {
        "psi": drift.psi,
        "by_chance": drift.chance,
        "word": drift.word,
        "ks": drift.ks,
        "ks_by_chance": drift.ks_chance,
        "bins": [
            {"label": label, "sample": sample, "served": served}
            for label, sample, served in zip(drift.labels, drift.sample, drift.served, strict=True)
        ],
    }


def _scalar(value: object) -> Data:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if isinstance(value, bool | int | float | str) else None
