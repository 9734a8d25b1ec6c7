"""Findings as people read them: place, rule, message, the source line with a caret, related places, fix."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from modelspec.report.located import Located, located
from modelspec.report.paint import Paint
from modelspec.spec.registry import Registry
from modelspec.tree.finding import Finding
from modelspec.tree.text import plural, visible, visible_lines

_WIDTH = 160
_ADDRESS = re.compile(r"://[^\s\"'<>]+")
_SECRET = re.compile(r"(?<=://)(?!git@).+@|(?<=\?).+")


def findings_text(registry: Registry, findings: Iterable[Finding], paint: Paint) -> str:
    """Return every finding as a block of lines."""
    return "".join("\n".join(_block(registry, finding, paint)) + "\n" for finding in findings)


def _block(registry: Registry, finding: Finding, paint: Paint) -> Iterator[str]:
    spot = located(registry, finding.place)
    kind = shown_kind(finding)
    note = {"waived": " (waived)", "existing": " (existing)", "warn": " (warning)"}.get(kind, "")
    yield f"{paint.bold(_where(spot))}: {paint.severity(kind, finding.code)} {finding.name}{note}"
    for line in visible_lines(finding.message).split("\n"):
        yield f"  {line}"
    yield from _excerpt(spot, paint)
    for related in finding.related:
        yield f"  {visible_lines(related.message)} {_where(located(registry, related.place))}"
    if finding.fix:
        yield f"  {paint.fix('fix:')} {visible_lines(finding.fix)}"
    if finding.waived:
        yield f"  waived by {visible(finding.waived, 200)}"


def shown_kind(finding: Finding) -> str:
    """Return how a finding counts: `waived`, `existing`, or its severity."""
    return "waived" if finding.waived else "existing" if finding.existing else finding.severity


def _where(spot: Located) -> str:
    return f"{visible(spot.path, 300)}:{spot.mark.line}:{spot.mark.column}"


def _excerpt(spot: Located, paint: Paint) -> Iterator[str]:
    """Show the line with a caret under what is meant; a very long line is cut around it."""
    if not spot.text.strip():
        return
    start = max(0, spot.mark.column - 1 - _WIDTH // 2) if len(spot.text) > _WIDTH else 0
    # Escaping changes widths, so the three parts are escaped one by one.
    column, end = spot.mark.column - 1, max(spot.mark.end - 1, spot.mark.column)
    line = _without_secrets(spot.text)
    before, marked = visible(line[start:column], _WIDTH), visible(line[column:end], _WIDTH)
    after = visible(line[end : start + _WIDTH], _WIDTH) if end < start + _WIDTH else ""
    number = str(spot.mark.line).rjust(4)
    yield f"  {number} | {before}{marked}{after}"
    yield f"  {' ' * len(number)} | {' ' * len(before)}{paint.caret('^' * max(len(marked), 1))}"


def _without_secrets(line: str) -> str:
    """Star what may be a password in an address, user info and queries: CI's log is read by many."""

    def starred(address: re.Match[str]) -> str:
        return _SECRET.sub(lambda found: "*" * len(found[0]), address[0])

    return _ADDRESS.sub(starred, line)


def summary(findings: Iterable[Finding], files: int) -> str:
    """Return the closing line: how many errors, warnings and waived findings in how many files."""
    listed = list(findings)
    kinds = Counter(shown_kind(finding) for finding in listed)
    if not listed:
        return f"{plural(files, 'file')}: no findings"
    parts = [
        plural(kinds[kind], noun) for kind, noun in (("error", "error"), ("warn", "warning")) if kinds[kind]
    ]
    parts += [f"{kinds[kind]} {kind}" for kind in ("existing", "waived") if kinds[kind]]
    return f"{', '.join(parts)} in {plural(files, 'file')}"
