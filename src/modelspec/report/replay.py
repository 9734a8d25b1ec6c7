"""What `replay` prints: one request's answer beside the logged one, or the sum of a whole log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from modelspec.report.paint import Paint
from modelspec.trace.comparison import FAR, VERDICTS, Compared
from modelspec.trace.tally import QUANTILES, Case, Tally
from modelspec.tree.data import Data
from modelspec.tree.digest import short
from modelspec.tree.text import plural, visible

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Once:
    """One request, asked again: the version, what was logged and what is answered now, by output."""

    request: str
    place: str
    model: str
    version: str
    digest: str
    threads: int
    batch: int
    was: tuple[tuple[str, str], ...]
    now: tuple[tuple[str, str], ...]
    compared: Compared | None
    tolerance: float
    doubts: tuple[str, ...]
    served: bool
    """Whether this is the version that served; else the question is what another one would have said."""


@dataclass(frozen=True, slots=True)
class Sum:
    """A log through one version."""

    model: str
    version: str
    digest: str
    tolerance: float
    tally: Tally
    doubts: tuple[str, ...]


def once_text(one: Once, paint: Paint) -> str:
    """Return what one replay said."""
    text = f"request {visible(one.request)} in {visible(one.place, 200)}\n"
    role = "" if one.served else ", which is not the version that served it"
    text += f"{one.model} {one.version} {short(one.digest)}{role}\n"
    batch = (
        "alone"
        if one.batch == 1
        else f"in a batch of {one.batch}"
        if one.batch
        else "batch unknown: both ways"
    )
    text += f"  asked with {plural(one.threads, 'thread')}, {batch}\n"
    was = dict(one.was)
    for name, value in one.now:
        logged = f" (logged: {was[name]})" if name in was else " (not logged)"
        text += f"  {visible(name)} = {value}{logged}\n"
    if one.compared is None:
        return text + "no answer was logged: nothing to compare with\n" + _doubts(one.doubts)
    text += f"{paint.bold(_verdict(one.compared, one.tolerance))}\n"
    for name, then, now in one.compared.decisions:
        said = {True: "yes", False: "no", None: "?"}
        text += f"  {name}: {said[then]}" + (f" then, {said[now]} now\n" if then != now else "\n")
    return text + _doubts(one.doubts)


def _verdict(compared: Compared, tolerance: float) -> str:
    if compared.verdict == "bit-equal":
        return "bit-equal"
    off = "without a measure" if compared.difference is None else f"off by {compared.difference:.6g}"
    ulps = f", {compared.ulps:,} ulp" if compared.ulps is not None else ""
    return f"{compared.verdict}: {off}{ulps} (the version declares a tolerance of {tolerance:g})"


def _doubts(doubts: Sequence[str]) -> str:
    return "".join(f"  {visible(doubt, 200)}\n" for doubt in doubts)


def sums_text(
    sums: Sequence[Sum], skipped: Mapping[str, int], examples: Mapping[str, Sequence[str]], paint: Paint
) -> str:
    """Return a summary for each version, then what was not replayed."""
    text = "\n".join(_sum(one, paint) for one in sums)
    if not sums:
        text = "nothing was replayed\n"
    total = sum(skipped.values())
    if total:
        text += f"\nnot replayed, {total:,} in all:\n"
        for reason, count in sorted(skipped.items(), key=lambda pair: -pair[1])[: 2 * _SHOWN]:
            where = ", ".join(visible(one, 60) for one in examples.get(reason, ()))
            text += f"  {count:>9,}  {visible(reason, 160)} ({where})\n"
    return text


def _sum(one: Sum, paint: Paint) -> str:
    tally = one.tally
    head = f"{one.model} {one.version} {short(one.digest)}"
    text = f"{paint.bold(head)}: {plural(tally.requests, 'request')}, {plural(tally.rows, 'row')}\n"
    if tally.unlogged:
        text += f"  {plural(tally.unlogged, 'row')} without a logged answer\n"
    if not tally.compared:
        return text + _doubts(one.doubts)
    for verdict, count in zip(VERDICTS, tally.verdicts, strict=True):
        words = f"{verdict} {one.tolerance:g}" if verdict == "within tolerance" else verdict
        text += f"  {words:<24}{count:>12,}  {100 * count / tally.compared:8.4f} %\n"
    if tally.compared > tally.count("bit-equal"):
        said = ", ".join(f"{100 * share:g} % {_number(tally.quantile(share))}" for share in QUANTILES)
        ulps = f", {tally.most_ulps:,} ulp" if tally.most_ulps else ""
        text += f"  difference up to: {said}, greatest {tally.greatest:.6g}{ulps}\n"
        if tally.measureless:
            text += f"  {plural(tally.measureless, 'row')} with a difference that has no measure\n"
    for name, told in sorted(tally.thresholds.items()):
        changed = told.to_true + told.to_false
        text += f"  {visible(name)}: {plural(changed, 'decision')} changed"
        if changed:
            which = visible(", ".join(told.examples), 160)
            text += f" ({told.to_true:,} to yes, {told.to_false:,} to no: {which})"
        text += f", {told.unclear:,} unclear\n" if told.unclear else "\n"
    for case in tally.worst[:_SHOWN]:
        off = f"{case.difference:.6g}" + (f", {case.ulps:,} ulp" if case.ulps < FAR else "")
        row = f" row {case.row + 1}" if case.row else ""
        text += f"  worst: {visible(case.id)}{row} {visible(case.output)} {case.was} -> {case.now} ({off})\n"
    return text + _doubts(one.doubts)


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:.3g}"


def once_json(one: Once) -> Data:
    """Return the shape `modelspec/replay/1` of one request."""
    compared = one.compared
    return {
        "format": "modelspec/replay/1",
        "request": one.request,
        "place": one.place,
        "version": {"model": one.model, "version": one.version, "digest": one.digest, "served": one.served},
        "threads": one.threads,
        "batch": one.batch or None,
        "logged": dict[str, Data](one.was),
        "answers": dict[str, Data](one.now),
        "verdict": None if compared is None else compared.verdict,
        "ulps": None if compared is None else compared.ulps,
        "difference": None if compared is None else compared.difference,
        "tolerance": one.tolerance,
        "decisions": []
        if compared is None
        else [{"name": name, "then": then, "now": now} for name, then, now in compared.decisions],
        "doubts": list(one.doubts),
    }


def sums_json(sums: Sequence[Sum], skipped: Mapping[str, int], examples: Mapping[str, Sequence[str]]) -> Data:
    """Return the shape `modelspec/replay-log/1`."""
    return {
        "format": "modelspec/replay-log/1",
        "versions": [_sum_json(one) for one in sums],
        "skipped": [
            {"reason": reason, "count": count, "examples": list[Data](examples.get(reason, ()))}
            for reason, count in sorted(skipped.items(), key=lambda pair: (-pair[1], pair[0]))
        ],
    }


def _sum_json(one: Sum) -> Data:
    tally = one.tally
    return {
        "version": {"model": one.model, "version": one.version, "digest": one.digest},
        "tolerance": one.tolerance,
        "requests": tally.requests,
        "rows": tally.rows,
        "unlogged": tally.unlogged,
        "verdicts": dict[str, Data](zip(VERDICTS, tally.verdicts, strict=True)),
        "equal_share": tally.count("bit-equal") / tally.compared if tally.compared else None,
        "difference": {
            "quantiles": {f"{share:g}": tally.quantile(share) for share in QUANTILES},
            "greatest": tally.greatest,
            "most_ulps": tally.most_ulps,
            "measureless": tally.measureless,
        },
        "decisions": [
            {
                "name": name, "kept": told.kept, "to_true": told.to_true, "to_false": told.to_false,
                "unclear": told.unclear, "examples": list[Data](told.examples),
            }
            for name, told in sorted(tally.thresholds.items())
        ],
        "worst": [_case(case) for case in tally.worst],
        "doubts": list(one.doubts),
    }  # fmt: skip


def _case(case: Case) -> Data:
    finite = case.difference != float("inf")
    return {
        "request": case.id, "row": case.row, "output": case.output, "was": case.was, "now": case.now,
        "difference": case.difference if finite else None, "ulps": case.ulps if case.ulps < FAR else None,
    }  # fmt: skip
