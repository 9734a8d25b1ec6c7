"""`rollback --change`: every pin that a commit touched gets the content back that it had before it."""

from __future__ import annotations

from modelspec.api.rollback import Why, given_back, source_of
from modelspec.change.edit import Unedited
from modelspec.change.pin import serving
from modelspec.change.proposal import Declined, Proposal, Step
from modelspec.compat.verdict import Standing, standing
from modelspec.compat.world import World
from modelspec.spec.environment import FeaturePin, Pin
from modelspec.spec.history import History
from modelspec.spec.kinds import FEATURE_PIN, PIN, classify
from modelspec.spec.reader import Entry
from modelspec.spec.registry import Registry
from modelspec.tree.snapshot import Patched, Snapshot


def undo(
    registry: Registry, history: History, commit: str, *, keep_params: bool = False, why: Why | None = None
) -> Proposal | Declined:
    """Return the edits that give every pin that a commit touched its content before that commit.

    Pins that moved since are left, and named. `commit` is a full id of the first-parent history, whose
    one parent is the commit listed before it.
    """
    ids = [one.id for one in history.commits()]
    at = ids.index(commit) if commit in ids else -1
    short = commit[:12]
    if at < 0:
        return Declined(
            f"{short} is not in the first-parent history of the main branch",
            "name the commit there that brought it, a merge perhaps: git log --first-parent",
        )
    if at == 0:
        return Declined(f"{short} is the first commit: nothing was there before it", "name a later one")
    then, here = history.snapshot(ids[at - 1]), history.snapshot(commit)
    hold = (why or Why()).map(f"Rolled back what {short} changed")
    patch: dict[str, bytes | None] = {}
    steps: list[Step] = []
    already: list[str] = []
    left: list[str] = []
    for path in here.changes(then):
        found = classify(path)
        if found is None or found[0] not in (PIN, FEATURE_PIN):
            continue
        environment, name = found[1]
        was, did, now = (_read(registry, tree, path) for tree in (then, here, registry.snapshot))
        if _said(now) == _said(was):
            already.append(f"{environment}/{name} is as it was before {short}")
        elif _said(now) != _said(did):
            left.append(f"{environment}/{name} moved since: it is left as it is")
        else:
            after = _back(now, was, keep_params, hold)
            if isinstance(after, Unedited):
                return Declined.of(path, after)
            patch[path] = after
            verb = "rollback" if found[0] is PIN else "serve"
            steps.append(Step(verb, name, environment, f"as before {short}"))
    if not steps and not left and not already:
        return Declined(f"{short} touched no pin", f"git show --stat {short} says what it touched")
    head = Registry(Patched(registry.snapshot, patch), registry.reader)
    return Proposal(
        "rollback",
        f"Roll back what {short} changed",
        f"change/{short}",
        patch,
        tuple(steps),
        _standings(head, patch),
        tuple(already),
        tuple(left),
        restores=True,
    )


AnyPin = Entry[Pin] | Entry[FeaturePin]


def _read(registry: Registry, tree: Snapshot, path: str) -> AnyPin | bytes | None:
    """Return a pin in a tree; its bytes when it can't be read."""
    found = Registry(tree, registry.reader).at(path)
    entry: AnyPin | None = found if isinstance(found, Entry) else None
    return entry or source_of(tree, path)


def _said(pin: AnyPin | bytes | None) -> object:
    """Return what a pin says about what is served; why, and whether it is held, is left out."""
    if pin is None or isinstance(pin, bytes):
        return pin
    data = pin.document.data
    assert isinstance(data, dict)
    return {key: value for key, value in data.items() if key not in ("hold", "reason")}


def _back(
    now: AnyPin | bytes | None, was: AnyPin | bytes | None, keep_params: bool, hold: str
) -> bytes | Unedited | None:
    if was is None:
        # The commit was its first deployment: before it, nothing was served.
        return None
    if isinstance(was, bytes) or isinstance(now, bytes):
        return Unedited("it could not be read then, or can't be now", "edit the file by hand")
    then = was.document.source
    if was.kind is PIN:
        return given_back(now.document.source if now is not None else then, then, keep_params, hold)
    if now is None or not isinstance(now.value, FeaturePin) or not isinstance(was.value, FeaturePin):
        return then
    if (now.value.access, now.value.closes) != (was.value.access, was.value.closes):
        return then
    return serving(now.document.source, now.value, was.value.serves)


def _standings(head: Registry, patch: dict[str, bytes | None]) -> tuple[Standing, ...]:
    pins = [entry for path in patch if isinstance(entry := head.at(path), Entry) and entry.kind is PIN]
    return tuple(
        standing(World.of(head, pin.value.environment), pin.value.model, pin.value.stable.version)
        for pin in pins
    )
