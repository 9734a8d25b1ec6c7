"""MS4: what is published stays as it is, and history is not rewritten."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from modelspec.delta.compiled import strange
from modelspec.delta.pairs import Against, Change
from modelspec.rules.rule import REGISTRY, Scene, change_rule
from modelspec.spec.base import ref_name
from modelspec.spec.environment import FeaturePin, Pin
from modelspec.spec.feature import FeatureView
from modelspec.spec.kinds import FEATURE_PIN, MODEL, PIN, SCHEMA, SETTINGS, VERSION, VIEW, Kind
from modelspec.spec.model import Model, ModelVersion
from modelspec.spec.reader import Entry
from modelspec.tree.digest import short
from modelspec.tree.finding import Problem, Related
from modelspec.tree.place import Place, Route
from modelspec.tree.text import visible

_HEADS: Final[dict[str, Kind[Any]]] = {"ModelVersion": MODEL, "FeatureSchema": VIEW}


@change_rule("MS401", "published-unchanged", of=(VERSION, SCHEMA))
def published_unchanged(change: Change[Any], scene: Scene) -> Iterator[Problem]:
    """A published version or feature schema is never edited.

    Comments and layout may change: the spec digest may not. It is known by its number *and* its digest, and
    pins, lineages and records of predictions hold both.

    *Why:* an edit would change what served last month, and nothing would say so.

    *Fix:* take the edit back, and publish a new version (`modelspec derive`) or the next schema number.
    """
    was, now = change.before, change.after
    if was is None or change.now is None or (now is not None and was.digest == now.digest):
        return
    what = _called(change)
    if now is None:
        # Why it can't be read is said by the rules on reading; it was readable, so it was edited.
        yield Problem(Place(change.path), f"{what} is published and was edited", fix="take the edit back")
        return
    route = _first_difference(was.document.data, now.document.data)
    yield Problem(
        Place(change.path, route),
        f"{what} is published as {short(was.digest)} and was edited: it would be {short(now.digest)}",
        fix="take the edit back, and publish the next one instead",
    )


@change_rule("MS402", "published-kept", of=(VERSION, SCHEMA))
def published_kept(change: Change[Any], scene: Scene) -> Iterator[Problem]:
    """A published version or feature schema is not deleted or moved.

    A version may go when the `retired` of its model has its line, with its digest, and nothing pins it or
    needs it: that is what `modelspec prune` does. A feature schema stays.

    *Why:* what a pin, a lineage or the record of a prediction names would be nowhere.

    *Fix:* restore the file; `modelspec prune` deletes what nothing needs any more, and leaves its line.
    """
    was = change.was
    if was is None or change.now is not None:
        return
    digest = was.digest if isinstance(was, Entry) else ""
    places = [*_referring(change, scene)]
    head = scene.registry.value(_HEADS[change.kind.name], change.name[0])
    lines = head.value.retired if change.kind is VERSION and head is not None else ()
    if not places and any(one.version == f"{change.name[1]}@{digest}" for one in lines):
        return
    fix = f"restore {change.path}"
    place = places[0] if places else _headed(change, head)
    if change.kind is VERSION and not places:
        fix += ", or retire it first: `modelspec prune` keeps its line"
    yield Problem(
        place,
        f"{_called(change)} is published and was deleted",
        related=tuple(Related(other, "it is named here as well") for other in places[1:4]),
        fix=fix,
    )


@change_rule("MS403", "number-once", of=(VERSION, SCHEMA))
def number_once(change: Change[Any], scene: Scene) -> Iterator[Problem]:
    """The number of a version or a schema is never used for something else, not even after its deletion.

    The whole first-parent history of the base counts, and the lines of `retired`. Putting back what was
    there is no other use.

    *Why:* two artifacts of one name: records, dashboards and people would mean either.

    *Fix:* publish under the next number.
    """
    now = change.after
    if now is None or change.was is not None or scene.against is None:
        return
    digest = now.digest
    head = scene.registry.value(_HEADS[change.kind.name], change.name[0])
    gone = head.value.retired if change.kind is VERSION and head is not None else ()
    for index, one in enumerate(gone):
        if ref_name(one.version) == change.name[1] and one.version != f"{change.name[1]}@{digest}":
            yield Problem(
                Place(change.path, (_number(change),)),
                f"{_called(change)} was another one, which is {one.state}: its number is used up",
                related=(Related(head.place("retired", index), "its line"),) if head is not None else (),
                fix="publish it under the next number",
            )
            return
    for revision in reversed(scene.against.history.of(change.path)):
        if revision.blob is None:
            continue
        entry = scene.registry.reader.read(change.kind, change.name, change.path, revision.blob)
        if not isinstance(entry, Entry) or entry.digest == digest:
            continue
        yield Problem(
            Place(change.path, (_number(change),)),
            f"{_called(change)} was another one until its deletion: it was {short(entry.digest)} "
            f"since {revision.commit.short} ({visible(revision.commit.subject)})",
            fix="publish it under the next number",
        )
        return


@change_rule("MS404", "publish-apart", of=(PIN, FEATURE_PIN))
def publish_apart(change: Change[Any], scene: Scene) -> Iterator[Problem]:
    """Publishing a version and pinning it are two changes, and so are publishing a schema and serving it.

    The change that creates the registry is excepted.

    *Why:* the revert of a change that did both would delete what is published, so there would be no plain
    way back.

    *Fix:* merge the published files first, and the pin after that.
    """
    now, base = change.after, scene.against.base if scene.against is not None else None
    if now is None or base is None or base.get(SETTINGS) is None:
        return
    for route, kind, name in _pinned(now.value):
        if scene.registry.get(kind, *name) is None or base.get(kind, *name) is not None:
            continue
        what = "version" if kind is VERSION else "schema"
        verb = "pins" if kind is VERSION else "serves"
        yield Problem(
            now.place(*route),
            f"one change publishes {name[0]} {name[1]} and {verb} it: reverting it would delete the {what}",
            related=(Related(Place(kind.locate(*name)), "published here"),),
            fix=f"merge the {what} first, then this line",
        )


@change_rule("MS405", "retired-kept", of=(MODEL, VIEW))
def retired_kept(change: Change[Any], scene: Scene) -> Iterator[Problem]:
    """A line of `retired`, or of a view's `withdrawn`, is never taken back.

    Its reason and link may be put better, and an archived version may be withdrawn.

    *Why:* the line is what keeps a bad version out of every pin, and the number of a deleted one from being
    used again.

    *Fix:* restore the line. A version that turned out to be good after all is published as a new one.
    """
    was, now = change.before, change.after
    if was is None:
        return
    before, after = _lines(was.value), _lines(now.value) if now is not None else {}
    for ref, state in before.items():
        found = after.get(ref)
        if found == state or (state == "archived" and found == "withdrawn"):
            continue
        key = "retired" if change.kind is MODEL else "withdrawn"
        place = now.key(key) if now is not None else _headed(change, None)
        said = f"is {found} now" if found else "lost its line"
        yield Problem(
            place,
            f"{change.name[0]} {ref_name(ref)} was {state} and {said}",
            fix=f"restore the line of {ref_name(ref)}",
        )


@change_rule("MS406", "history-kept", of=REGISTRY)
def history_kept(against: Against, scene: Scene) -> Iterator[Problem]:
    """The tip of main that was seen last is among the first parents of what is judged, and tags stay.

    The remembered tip is given by `--tip`, and in CI by the event that a push made. No commit since then is
    dated more than an hour later than the instant of judgement.

    *Why:* main is the audit trail, and its first parents say what was live when. After a force push it tells
    another story, and nobody reviewed it. So it does when somebody pulls main into a branch and pushes that
    as main: what others had merged counts as one change of somebody else's. Whatever follows a commit that is
    dated ahead counts as made then, so that no soak and no canary gets older until that day.

    *Fix:* push the remembered tip back, and revert on top of it; merge the branch into main, or rebase it,
    and not main into the branch. Protect main against force pushes.
    """
    for rewrite in against.rewrites:
        ref, was, now = visible(rewrite.ref), rewrite.was[:12], rewrite.now[:12]
        fix = f"push {was} back to {ref}"
        if not rewrite.branch:
            said = f"the tag {ref} was moved from {was} to {now}"
        elif rewrite.aside:
            said = f"{ref} has another past: {was} was main, and is no first parent of {now}"
            fix = f"rebase onto {was}, or merge the branch into it: git merge --no-ff BRANCH"
        else:
            said = f"{ref} was rewritten: {was} is no ancestor of {now}"
        yield Problem(Place(SETTINGS.locate()), said, fix=fix)
    for early in against.ahead:
        yield Problem(
            Place(SETTINGS.locate()),
            f"commit {early.commit[:12]} is dated {early.time:%Y-%m-%dT%H:%M:%SZ}, which is yet to come",
            fix="set the clock of who made it, and commit again: git commit --amend --reset-author --no-edit",
        )


@change_rule("MS407", "compiled-unedited", of=REGISTRY)
def compiled_unedited(against: Against, scene: Scene) -> Iterator[Problem]:
    """A file below `compiled/` that changes is what a compile wrote: its manifest has its digest.

    `modelspec compile --check` compares all of it with what the pins say; this needs no rendering.

    *Why:* an edit by hand serves what nobody declared, until the next compile takes it away.

    *Fix:* take the edit back, change the pin instead, and run `modelspec compile`.
    """
    for path, trouble in strange(scene.registry.snapshot, against.compiled):
        yield Problem(Place(path), trouble, fix="take the edit back, and run `modelspec compile`")


def _called(change: Change[Any]) -> str:
    return f"{change.name[0]} {change.name[1]}"


def _number(change: Change[Any]) -> str:
    return "version" if change.kind is VERSION else "number"


def _headed(change: Change[Any], head: Entry[Any] | None) -> Place:
    """Return where a deletion is reported when nothing refers to what is gone: the nearest file above it."""
    return Place(head.path if head is not None else SETTINGS.locate())


def _referring(change: Change[Any], scene: Scene) -> Iterator[Place]:
    """Yield the places in head that name what was deleted: pins, needs and lineages, or served schemas."""
    first, number = change.name
    registry = scene.registry
    if change.kind is SCHEMA:
        for served in registry.entries(FEATURE_PIN):
            for index, ref in enumerate(served.value.serves if served.value.view == first else ()):
                if ref_name(ref) == number:
                    yield served.place("serves", index)
    else:
        for pin in registry.entries(PIN):
            for _, route, ref in pin.value.slots() if pin.value.model == first else ():
                if ref_name(ref) == number:
                    yield pin.place(*route, "version")
    for version in registry.entries(VERSION):
        yield from (version.place(*route) for route in _names(version.value, change))


def _names(version: ModelVersion, change: Change[Any]) -> Iterator[Route]:
    first, number = change.name
    if change.kind is SCHEMA:
        for index, feature in enumerate(version.feature_refs):
            if feature.view == first and ref_name(feature.schema_) == number:
                yield ("features", index, "schema")
        return
    for index, need in enumerate(version.needs):
        if need.model == first and ref_name(need.version) == number:
            yield ("needs", index, "version")


def _pinned(value: Pin | FeaturePin) -> Iterator[tuple[Route, Any, tuple[str, str]]]:
    if isinstance(value, Pin):
        for _, route, ref in value.slots():
            yield (*route, "version"), VERSION, (value.model, ref_name(ref))
    else:
        for index, ref in enumerate(value.serves):
            yield ("serves", index), SCHEMA, (value.view, ref_name(ref))


def _lines(value: Model | FeatureView) -> dict[str, str]:
    if isinstance(value, Model):
        return {one.version: one.state for one in value.retired}
    return {one.schema_: "withdrawn" for one in value.withdrawn}


def _first_difference(was: Any, now: Any, route: Route = ()) -> Route:
    """Return the route, in `now`, of the first node that differs: the nearest one that is there."""
    if isinstance(was, dict) and isinstance(now, dict):
        for key in now:
            if key not in was:
                return (*route, key)
            if was[key] != now[key]:
                return _first_difference(was[key], now[key], (*route, key))
    elif isinstance(was, list) and isinstance(now, list):
        for index, (one, two) in enumerate(zip(was, now, strict=False)):
            if one != two:
                return _first_difference(one, two, (*route, index))
    return route
