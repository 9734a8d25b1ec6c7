"""Waivers: dated, reasoned, linked exceptions to one finding each; and the MS5 rules that judge them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from modelspec.rules.manual import meant
from modelspec.rules.rule import NEVER_LIFTED, Scene, rule
from modelspec.spec.environment import Waiver
from modelspec.spec.instant import instant
from modelspec.spec.kinds import WAIVER
from modelspec.spec.reader import Entry
from modelspec.tree.finding import Finding, Problem, Related
from modelspec.tree.place import pointer
from modelspec.tree.text import visible

LONGEST: Final = timedelta(days=90)
"""An exception that lasts longer is a policy: change the setting or the files instead."""


def lift(
    findings: Iterable[Finding], waivers: Iterable[Entry[Waiver]], now: datetime | None = None
) -> list[Finding]:
    """Return the findings, each that a waiver matches marked with the waiver's path.

    A waiver matches by rule (code or name), path, route and value. Without `now` its dates do not
    count; with it, only one that is current lifts.
    """
    lifting: dict[tuple[str, str, str, str], str] = {}
    for waiver in waivers:
        if now is None or current(waiver.value, now):
            lifting.setdefault(_key(waiver.value), waiver.path)
    if not lifting:
        return list(findings)
    return [_lifted(finding, lifting) for finding in findings]


def current(waiver: Waiver, now: datetime) -> bool:
    """Whether a waiver is in force: from `from` on, and no longer at `until`."""
    start, until = instant(waiver.start), instant(waiver.until)
    return start is not None and until is not None and start <= now < until


def _lifted(finding: Finding, lifting: dict[tuple[str, str, str, str], str]) -> Finding:
    if finding.code.startswith(NEVER_LIFTED):
        return finding
    for label in (finding.code, finding.name):
        path = lifting.get((label, finding.place.path, pointer(finding.place.route), finding.value))
        if path is not None:
            return replace(finding, waived=path)
    return finding


def _key(waiver: Waiver) -> tuple[str, str, str, str]:
    excepted = waiver.finding
    return waiver.rule, excepted.path, excepted.route, excepted.value or ""


@rule("MS591", "waiver-current", of=WAIVER, last=True)
def waiver_current(waiver: Entry[Waiver], scene: Scene) -> Iterator[Problem]:
    """A waiver is in force when the registry is checked, and for 90 days at most.

    `check` lifts nothing by a waiver that expired or has not begun. `compile` honours it whatever its
    date, so that no date stops a rollback.

    *Why:* an exception that nobody ends becomes the rule.

    *Fix:* mend what the waiver excepts and delete it, or have a new one reviewed with a later `until`.
    """
    start, until = instant(waiver.value.start), instant(waiver.value.until)
    if scene.now is None or start is None or until is None:
        return
    if until <= start:
        yield Problem(waiver.place("until"), "the waiver ends before it begins", fix="write a later `until`")
    elif until - start > LONGEST:
        days = (until - start).days
        yield Problem(
            waiver.place("until"),
            f"the waiver lasts {days} days; the most is {LONGEST.days}",
            fix="write an earlier `until`, or change what is excepted",
        )
    elif scene.now >= until:
        yield Problem(
            waiver.place("until"),
            f"the waiver expired at {waiver.value.until}: it lifts nothing",
            fix="mend what it excepts and delete it, or have a later `until` reviewed",
        )
    elif scene.now < start:
        yield Problem(
            waiver.place("from"),
            f"the waiver begins at {waiver.value.start}: it lifts nothing yet",
            fix="write an earlier `from`, or add the waiver then",
        )


@rule("MS592", "waiver-matches", of=WAIVER, last=True, severity="warn")
def waiver_matches(waiver: Entry[Waiver], scene: Scene) -> Iterator[Problem]:
    """A waiver that is in force lifts a finding.

    It names the finding by rule, path, route and value, never by a line. A finding at a list, a map or
    a missing key has no value.

    *Why:* a waiver that matches nothing is either no longer needed or was never right, and might one day
    lift what nobody meant.

    *Fix:* delete it, or correct `rule` and `finding` as the finding is printed.
    """
    if scene.now is None or not current(waiver.value, scene.now):
        return
    wanted = _key(waiver.value)
    lifted = {
        (label, finding.place.path, pointer(finding.place.route), finding.value)
        for finding in scene.found
        if finding.waived is not None
        for label in (finding.code, finding.name)
    }
    known = {label for one in scene.catalogue for label in (one.code, one.name) if one.waivable}
    if wanted in lifted or wanted[0] not in known:
        return
    close = [finding for finding in scene.found if _near(finding, waiver.value)]
    yield Problem(
        waiver.place("finding"),
        "the waiver lifts nothing: there is no such finding",
        related=tuple(Related(finding.place, f"this one is {_identity(finding)}") for finding in close[:3]),
        fix="delete the waiver" if not close else f"write finding: {{{_identity(close[0])}}}, or delete it",
    )


@rule("MS593", "waiver-allowed", of=WAIVER, last=True)
def waiver_allowed(waiver: Entry[Waiver], scene: Scene) -> Iterator[Problem]:
    """A waiver names a rule that exists and that may be lifted.

    Rules of MS0 (reading) and MS6 (rendering) are never lifted, nor are the rules on waivers.

    *Why:* a file that can't be read and an output that can't be rendered are no judgement that
    somebody could overrule.

    *Fix:* name the rule by its code or its name as the finding prints it, or mend the file.
    """
    named = waiver.value.rule
    for one in scene.catalogue:
        if named in (one.code, one.name):
            if not one.waivable:
                yield Problem(
                    waiver.place("rule"),
                    f"{one.code} {one.name} can't be waived",
                    fix="mend what it finds, and delete the waiver",
                )
            return
    yield Problem(
        waiver.place("rule"), f"there is no rule {visible(named)}", fix=meant(named, scene.catalogue)
    )


def _near(finding: Finding, waiver: Waiver) -> bool:
    same_file = finding.place.path == waiver.finding.path
    return same_file and finding.waived is None and waiver.rule in (finding.code, finding.name)


def _identity(finding: Finding) -> str:
    value = f', value: "{visible(finding.value)}"' if finding.value else ""
    return f"path: {visible(finding.place.path)}, route: {visible(pointer(finding.place.route))}{value}"
