"""Findings as JUnit's XML, which nearly every CI reads: one test case a rule.

Source: the form that Jenkins, GitLab and others read; there is no standard.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator

from modelspec.report.located import located
from modelspec.report.text import shown_kind
from modelspec.rules.manual import law
from modelspec.rules.rule import Rule
from modelspec.spec.registry import Registry
from modelspec.tree.finding import Finding
from modelspec.tree.text import plural, visible, visible_lines


def junit(
    registry: Registry, findings: Iterable[Finding], rules: Iterable[Rule], unrun: Container[str]
) -> str:
    """Return one suite: a rule fails when a finding of it blocks, and is skipped when it was not run.

    What does not block (warnings, waived, existing) is in the output of its case.
    """
    found: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        found[finding.code].append(finding)
    known = {rule.code: rule for rule in rules}
    cases: list[str] = []
    failures = skipped = 0
    for code in sorted({*known, *found}):
        listed = found[code]
        failures += any(one.blocks for one in listed)
        skipped += code in unrun and not listed
        cases += _case(registry, code, known.get(code), listed, code in unrun and not listed)
    counts = f'tests="{len({*known, *found})}" failures="{failures}" errors="0" skipped="{skipped}"'
    head = ['<?xml version="1.0" encoding="UTF-8"?>', f'<testsuites name="modelspec" {counts}>']
    suite = [f'  <testsuite name="modelspec check" {counts}>', *cases, "  </testsuite>", "</testsuites>"]
    return "\n".join([*head, *suite]) + "\n"


def _case(
    registry: Registry, code: str, rule: Rule | None, listed: list[Finding], unrun: bool
) -> Iterator[str]:
    name = rule.name if rule is not None else listed[0].name
    inside: list[str] = []
    blocking = [one for one in listed if one.blocks]
    if blocking:
        message = _attribute(plural(len(blocking), "finding") + (f": {law(rule)}" if rule else ""))
        told = "\n\n".join(_finding_text(registry, one) for one in blocking)
        inside.append(f'      <failure type="{code}" message="{message}">{_text(told)}</failure>')
    if unrun:
        inside.append('      <skipped message="judges changes, and there was no base"/>')
    if others := [one for one in listed if not one.blocks]:
        told = "\n\n".join(f"{shown_kind(one)}: {_finding_text(registry, one)}" for one in others)
        inside.append(f"      <system-out>{_text(told)}</system-out>")
    opening = f'    <testcase classname="modelspec.{code[:3]}" name="{_attribute(f"{code} {name}")}" time="0"'
    if not inside:
        yield f"{opening}/>"
        return
    yield from (f"{opening}>", *inside, "    </testcase>")


def _finding_text(registry: Registry, finding: Finding) -> str:
    mark = located(registry, finding.place).mark
    lines = [f"{visible(finding.place.path, 300)}:{mark.line}:{mark.column}: {finding.message}"]
    if finding.fix:
        lines.append(f"fix: {finding.fix}")
    return "\n".join(lines)


def _text(text: str) -> str:
    # What XML can't hold even as a reference, `visible_lines` has escaped already.
    return visible_lines(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _attribute(text: str) -> str:
    return _text(" ".join(text.split())).replace('"', "&quot;")
