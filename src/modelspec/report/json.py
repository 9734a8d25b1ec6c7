"""Findings as JSON, in a documented, versioned shape: `modelspec/check/1`."""

from __future__ import annotations

from collections.abc import Iterable

from modelspec.report.located import located
from modelspec.spec.registry import Registry
from modelspec.tree.data import Data
from modelspec.tree.finding import Finding
from modelspec.tree.place import Place, pointer


def findings_data(registry: Registry, findings: Iterable[Finding]) -> list[Data]:
    """Return each finding as a map; places have line and columns from 1."""
    return [_finding(registry, finding) for finding in findings]


def _finding(registry: Registry, finding: Finding) -> Data:
    return {
        "code": finding.code,
        "name": finding.name,
        "severity": finding.severity,
        **_place(registry, finding.place),
        "value": finding.value,
        "message": finding.message,
        "related": [
            {**_place(registry, related.place), "message": related.message} for related in finding.related
        ],
        "fix": finding.fix,
        "waived": finding.waived,
        "existing": finding.existing,
    }


def _place(registry: Registry, place: Place) -> dict[str, Data]:
    mark = located(registry, place).mark
    return {
        "path": place.path,
        "line": mark.line,
        "column": mark.column,
        "end_column": mark.end,
        "route": pointer(place.route),
    }
