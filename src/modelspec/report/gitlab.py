"""Findings as GitLab's code quality report.

Source: GitLab, Code Quality report format. A merge request shows what its fingerprints add to those of the
target branch, so existing findings are in it with their own severity.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

from modelspec.report.fingerprint import fingerprinted
from modelspec.report.located import located
from modelspec.spec.registry import Registry
from modelspec.tree.data import Data
from modelspec.tree.finding import Finding
from modelspec.tree.text import visible, visible_lines

_SEVERITIES: Final = {"error": "critical", "warn": "minor"}


def code_quality(registry: Registry, findings: Iterable[Finding], prefix: str = "") -> str:
    """Return the list of issues; `prefix`: the folder of the registry in its repository."""
    issues: list[Data] = [
        {
            "description": visible_lines(
                f"{finding.code} {finding.name}: {finding.message}"
                + (f"\nfix: {finding.fix}" if finding.fix else "")
                + (f"\nwaived by {finding.waived}" if finding.waived else "")
            ),
            "check_name": finding.code,
            "fingerprint": fingerprint,
            "severity": "info" if finding.waived else _SEVERITIES[finding.severity],
            "location": {
                "path": visible(prefix + finding.place.path, 4096),
                "lines": {"begin": located(registry, finding.place).mark.line},
            },
        }
        for finding, fingerprint in fingerprinted(findings)
    ]
    return json.dumps(issues, indent=1) + "\n"
