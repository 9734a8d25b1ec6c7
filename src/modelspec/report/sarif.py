"""Findings as SARIF 2.1.0, for code scanning.

Source: OASIS, Static Analysis Results Interchange Format 2.1.0; GitHub's limits for what is uploaded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Final

from modelspec import __version__
from modelspec.report.fingerprint import fingerprinted
from modelspec.report.located import located
from modelspec.report.text import shown_kind
from modelspec.rules.manual import explained, law
from modelspec.rules.rule import Rule
from modelspec.spec.registry import Registry
from modelspec.tree.data import Data
from modelspec.tree.finding import Finding
from modelspec.tree.place import Place
from modelspec.tree.text import plural, visible_lines

LIMIT: Final = 5000
"""Code scanning keeps 5,000 results of a run and drops the rest."""
_SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS: Final = {"error": "error", "warn": "warning"}
_ORDER: Final = ("error", "warn", "existing", "waived")
_URI_UNSAFE: Final = re.compile(rb"[^A-Za-z0-9._~/-]")


def sarif(
    registry: Registry,
    findings: Iterable[Finding],
    rules: Iterable[Rule],
    prefix: str = "",
    *,
    compared: bool = False,
) -> str:
    """Return a log of one run; `prefix`: the folder of the registry in its repository, "" or with a slash.

    `compared`: there was a base, so that each result is new or unchanged. Where there are more findings than
    a forge keeps, those that block come first, and the run says so.
    """
    ordered = sorted(fingerprinted(findings), key=lambda pair: _ORDER.index(shown_kind(pair[0])))
    known = sorted(rules, key=lambda rule: rule.code)
    index = {rule.code: at for at, rule in enumerate(known)}
    run: dict[str, Data] = {
        "tool": {
            "driver": {
                "name": "modelspec",
                "version": __version__,
                "semanticVersion": __version__,
                "rules": [_rule(rule) for rule in known],
            }
        },
        "columnKind": "unicodeCodePoints",
        "results": [
            {
                **_result(registry, finding, fingerprint, index, prefix),
                **({"baselineState": "unchanged" if finding.existing else "new"} if compared else {}),
            }
            for finding, fingerprint in ordered[:LIMIT]
        ],
    }
    if len(ordered) > LIMIT:
        left = f"{plural(len(ordered) - LIMIT, 'finding')} left out: see the log of `modelspec check`"
        run["invocations"] = [
            {
                "executionSuccessful": True,
                "toolExecutionNotifications": [{"level": "warning", "message": {"text": left}}],
            }
        ]
    log: Data = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=1) + "\n"


def _rule(rule: Rule) -> Data:
    return {
        "id": rule.code,
        "name": rule.name,
        "shortDescription": {"text": law(rule)},
        "help": {"text": rule.doc, "markdown": explained(rule)},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {"tags": ["modelspec", rule.family]},
    }


def _result(
    registry: Registry, finding: Finding, fingerprint: str, index: dict[str, int], prefix: str
) -> dict[str, Data]:
    message = finding.message + (f"\nfix: {finding.fix}" if finding.fix else "")
    result: dict[str, Data] = {
        "ruleId": finding.code,
        "level": _LEVELS[finding.severity],
        "message": {"text": visible_lines(message)},
        "locations": [_location(registry, finding.place, prefix)],
        "partialFingerprints": {"modelspec/v1": fingerprint},
    }
    if finding.code in index:
        result["ruleIndex"] = index[finding.code]
    if finding.related:
        result["relatedLocations"] = [
            {
                **_location(registry, related.place, prefix),
                "id": at,
                "message": {"text": visible_lines(related.message)},
            }
            for at, related in enumerate(finding.related)
        ]
    if finding.waived:
        lifted = f"waived by {visible_lines(finding.waived)}"
        result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": lifted}]
    return result


def _location(registry: Registry, place: Place, prefix: str) -> dict[str, Data]:
    mark = located(registry, place).mark
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": _uri(prefix + place.path), "uriBaseId": "%SRCROOT%"},
            "region": {"startLine": mark.line, "startColumn": mark.column, "endColumn": mark.end},
        }
    }


def _uri(path: str) -> str:
    """Return a path as a relative URI: all but unreserved characters are percent-encoded."""
    data = path.encode("utf-8", "surrogateescape")
    return _URI_UNSAFE.sub(lambda match: b"%%%02X" % match.group()[0], data).decode("ascii")
