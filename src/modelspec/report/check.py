"""The report of a check: text, JSON, annotations, and the reports that forges read."""

from __future__ import annotations

import json

from modelspec.api.check import Checked
from modelspec.report.github import workflow_commands
from modelspec.report.json import findings_data
from modelspec.report.paint import Paint
from modelspec.report.text import findings_text, summary
from modelspec.spec.registry import Registry


def checked_text(registry: Registry, checked: Checked, paint: Paint) -> str:
    """Return the findings and a closing count; the next command when there is an error."""
    text = findings_text(registry, checked.findings, paint)
    text += summary(checked.findings, checked.files) + "\n"
    if checked.unrun:
        text += paint.dim("not run: the rules on changes, which need --base") + "\n"
    first = next((finding for finding in checked.findings if finding.blocks), None)
    return text + (paint.dim(f"modelspec explain {first.code} says more") + "\n" if first else "")


def checked_json(registry: Registry, checked: Checked) -> str:
    """Return the shape `modelspec/check/1`."""
    data = {
        "format": "modelspec/check/1",
        "blocked": checked.blocked,
        "files": checked.files,
        "not_run": list(checked.unrun),
        "findings": findings_data(registry, checked.findings),
    }
    return json.dumps(data, indent=2) + "\n"


def checked_github(registry: Registry, checked: Checked, prefix: str = "") -> str:
    """Return workflow commands, then the count."""
    commands = workflow_commands(registry, checked.findings, prefix)
    return "\n".join([*commands, summary(checked.findings, checked.files)]) + "\n"


def checked_as(form: str, registry: Registry, checked: Checked, prefix: str) -> str:
    """Return the report of a form that is for machines: json, github, gitlab, sarif, junit.

    `prefix`: the folder of the registry in its repository, "" or with a slash at its end.
    """
    if form == "json":
        return checked_json(registry, checked)
    if form == "github":
        return checked_github(registry, checked, prefix)
    if form == "gitlab":
        from modelspec.report.gitlab import code_quality

        return code_quality(registry, checked.findings, prefix)
    from modelspec.api.catalogue import CATALOGUE

    if form == "sarif":
        from modelspec.report.sarif import sarif

        return sarif(registry, checked.findings, CATALOGUE, prefix, compared=not checked.unrun)
    from modelspec.report.junit import junit

    return junit(registry, checked.findings, CATALOGUE, checked.unrun)
