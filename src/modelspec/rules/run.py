"""The runner: it owns the loop over subjects and turns problems into sorted findings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

from modelspec.delta.pairs import Against
from modelspec.rules.rule import FILE, REGISTRY, Rule, Scene
from modelspec.rules.waivers import lift
from modelspec.spec.kinds import ENVIRONMENT, FEATURE_PIN, MODEL, PIN, TARGET, WAIVER, Kind
from modelspec.spec.part import Part, Share, alone
from modelspec.spec.reader import Broken, Entry
from modelspec.spec.registry import Registry, Scope
from modelspec.tree.data import spelled
from modelspec.tree.finding import Finding, Problem, Severity

_WHOLE: Final = Part()


def run(
    rules: Iterable[Rule],
    scene: Scene,
    scope: Scope | None = None,
    before: Scope | None = None,
    *,
    wide: bool = False,
    share: Share = alone,
) -> tuple[Finding, ...]:
    """Judge the whole registry, or the scope that some pins reach; return the findings, sorted by place.

    Waivers lift findings before the rules that run last, which judge the waivers themselves and run
    only over the whole registry at an instant. Without an instant a waiver's dates do not count.
    `wide`: a scope that a change reaches, so rules for the whole registry judge it too, all but those of
    environments, which look at every pin.
    Rules on changes run where the scene has a base; what the base has too is then marked as existing. With
    a scope, `before` is what the same pins reach in the base.
    A rule that raises is a bug of ours and is not caught here: it must never count as a pass.
    `share` judges the states of the whole registry in parts; a scope is judged as one.
    """
    chosen = [one for one in rules if not one.change or scene.against is not None]
    states = [one for one in chosen if not one.last and not one.change]
    if scope is None:
        found = together(share(partial(_states, states, scene)))
    else:
        reached = [one for one in states if not one.whole or (wide and one.subject is not ENVIRONMENT)]
        found = _states(reached, scene, scope=scope)
    for one in chosen:
        if one.change:
            for kind in _kinds(one):
                found += _judge(one, scene, _changed(kind, scene.against))
    if found:
        timeless = scope is not None and scene.against is None
        found = lift(found, scene.registry.entries(WAIVER), None if timeless else scene.now)
    if scope is None and scene.now is not None:
        after = replace(scene, found=tuple(found))
        for one in chosen:
            if one.last:
                found += _states([one], after)
    if scene.against is not None:
        found = _with_existing(found, chosen, scene, scene.against, before)
    return sorted_findings(found)


def sorted_findings(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings in the order in which they are told: by place."""
    return tuple(sorted(found, key=_order))


def _with_existing(
    found: list[Finding], rules: Sequence[Rule], scene: Scene, against: Against, scope: Scope | None
) -> list[Finding]:
    """Mark what the base has too, at the same instant, in files that the change does not touch."""
    touched = frozenset((*against.paths, *_unjudged(scene.registry, against)))
    if all(one.place.path in touched for one in found):
        return found
    states = [one for one in rules if not one.change]
    before = run(
        states,
        replace(scene, registry=against.base, against=None, memo={}, found=()),
        scope,
        wide=scope is not None,
    )
    known = {one.identity for one in before}
    return [
        replace(one, existing=True) if one.identity in known and one.place.path not in touched else one
        for one in found
    ]


def _unjudged(registry: Registry, against: Against) -> Iterator[str]:
    """Yield the files that can't be read and that changed pins are judged by: gates, window, withdrawals."""
    for change in against.changes:
        if change.kind in (PIN, FEATURE_PIN):
            files: list[Any] = [registry.get(ENVIRONMENT, change.name[0])]
            if change.kind is PIN:
                files.append(registry.get(MODEL, change.name[1]))
            yield from (file.path for file in files if isinstance(file, Broken))


def together(parts: Sequence[Sequence[Finding]]) -> list[Finding]:
    """Return what was found in several parts, each finding once.

    What a template has against it is said at the first pin that shows it: of several parts' first pins,
    the first of all.
    """
    if len(parts) == 1:
        return list(parts[0])
    found: dict[Finding, None] = {}
    said: dict[tuple[object, ...], tuple[list[str], int]] = {}
    for index, part in enumerate(parts):
        for one in part:
            if _of_template(one):
                first = (one.related[0].place.path.split("/"), index)
                said[one.code, one.place] = min(first, said.get((one.code, one.place), first))
    for index, part in enumerate(parts):
        for one in part:
            if not _of_template(one) or said[one.code, one.place][1] == index:
                found[one] = None
    return list(found)


def _of_template(finding: Finding) -> bool:
    return finding.place.path.startswith("templates/") and bool(finding.related)


def _states(
    rules: Sequence[Rule], scene: Scene, part: Part = _WHOLE, scope: Scope | None = None
) -> list[Finding]:
    """Return what rules on states find in one part of the registry, or in a scope."""
    subjects: dict[object, Sequence[Any]] = {}
    found: list[Finding] = []
    for one in rules:
        for kind in _kinds(one):
            if kind not in subjects:
                subjects[kind] = list(_subjects(kind, scene.registry, scope, part))
            found += _judge(one, scene, subjects[kind])
    return found


def _judge(one: Rule, scene: Scene, subjects: Sequence[Any]) -> Iterator[Finding]:
    for subject in subjects:
        for problem in one.judge(subject, scene):
            yield _finding(one, problem, scene)


def _changed(kind: Kind[Any] | str, against: Against | None) -> Sequence[Any]:
    if against is None:
        return ()
    return (against,) if kind == REGISTRY else [one for one in against.changes if one.kind is kind]


def _kinds(one: Rule) -> tuple[Any, ...]:
    return one.subject if isinstance(one.subject, tuple) else (one.subject,)


def _subjects(kind: Kind[Any] | str, registry: Registry, scope: Scope | None, part: Part) -> Iterator[Any]:
    if isinstance(kind, Kind):
        if scope is not None:
            yield from scope.of(kind)
            return
        for name in registry.names(kind):
            if part.has(kind.locate(*name)):
                entry = registry.get(kind, *name)
                if isinstance(entry, Entry):
                    yield entry
    elif kind == FILE:
        yield from _broken(registry, part) if scope is None else scope.broken
    elif kind == REGISTRY and scope is None and part.index == 0:
        # What concerns the registry as a whole is not reached by single pins.
        yield registry


def _broken(registry: Registry, part: Part) -> Iterator[Broken[Any]]:
    paths = [path for path, _ in registry.files()]
    paths += [TARGET.locate(*name) for name in registry.names(TARGET)]
    for path in paths:
        entry = registry.at(path) if part.has(path) else None
        if isinstance(entry, Broken):
            yield entry


def _finding(one: Rule, problem: Problem, scene: Scene) -> Finding:
    registry = scene.registry
    chosen = severity(one, registry)
    if scene.against is not None and severity(one, scene.against.base) == "error":
        # What grants trust is read from the base, and from the head only where it is stricter.
        chosen = "error"
    return Finding(
        code=one.code,
        name=one.name,
        severity=chosen,
        place=problem.place,
        message=problem.message,
        value=value_at(registry, problem),
        related=problem.related,
        fix=problem.fix,
    )


def severity(one: Rule, registry: Registry) -> Severity:
    """Return how severe a rule is in this registry: as its settings say where they may, else its own."""
    chosen = registry.settings.severities if registry.settings is not None else {}
    if not one.lowerable:
        return one.severity
    return chosen.get(one.code, chosen.get(one.name, one.severity))


def value_at(registry: Registry, problem: Problem) -> str:
    """Return the scalar at a problem's place, as text; "" where there is none."""
    entry = registry.at(problem.place.path)
    return spelled(entry.document.value(problem.place.route)) if isinstance(entry, Entry) else ""


def _order(finding: Finding) -> tuple[Any, ...]:
    place = finding.place
    mark = (place.mark.line, place.mark.column) if place.mark else (0, 0)
    related = [one.place.path for one in finding.related]
    return (place.path, mark, [str(part) for part in place.route], finding.code, finding.message, related)
