"""Findings as annotations of GitHub's workflow commands, within its limits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from modelspec.report.located import located
from modelspec.report.text import shown_kind
from modelspec.spec.registry import Registry
from modelspec.tree.finding import Finding
from modelspec.tree.text import plural, visible_lines

LIMIT: Final = 10
"""GitHub shows ten annotations of each level a step and hides the rest without a word."""
_LEVELS: Final = {"error": "error", "warn": "warning", "waived": "notice", "existing": "notice"}


def workflow_commands(registry: Registry, findings: Iterable[Finding], prefix: str = "") -> Iterator[str]:
    """Yield one workflow command a finding, ten of each level; the last one of a level says what is left.

    `prefix`: the folder of the registry in its repository, which GitHub counts paths from.
    """
    levels: dict[str, list[Finding]] = {level: [] for level in dict.fromkeys(_LEVELS.values())}
    for finding in findings:
        levels[_LEVELS[shown_kind(finding)]].append(finding)
    for level, listed in levels.items():
        shown = listed if len(listed) <= LIMIT else listed[: LIMIT - 1]
        yield from (_command(registry, level, finding, prefix) for finding in shown)
        if len(listed) > len(shown):
            left = plural(len(listed) - len(shown), "more finding")
            yield f"::{level} title=modelspec::{left}: see the log of `modelspec check`"


def _command(registry: Registry, level: str, finding: Finding, prefix: str) -> str:
    spot = located(registry, finding.place)
    message = visible_lines(finding.message + (f"\nfix: {finding.fix}" if finding.fix else ""))
    properties = {
        "file": visible_lines(prefix + spot.path),
        "line": str(spot.mark.line),
        "col": str(spot.mark.column),
        "endColumn": str(spot.mark.end),
        "title": f"{finding.code} {finding.name}",
    }
    inside = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{level} {inside}::{_escape(message)}"


def _escape(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _escape(text).replace(":", "%3A").replace(",", "%2C")
