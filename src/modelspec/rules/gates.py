"""MS5: the gates of an environment, holds and archived versions: what a promotion waits for."""

from __future__ import annotations

from collections.abc import Iterator

from modelspec.delta.gates import Gate, facts, gates
from modelspec.delta.pairs import Change
from modelspec.delta.pins import PinChange, pin_changes
from modelspec.delta.tenure import standings
from modelspec.rules.rule import Scene, change_rule
from modelspec.spec.base import ref_name
from modelspec.spec.environment import Environment, Pin
from modelspec.spec.kinds import ENVIRONMENT, MODEL, PIN
from modelspec.spec.reader import Entry
from modelspec.tree.finding import Problem, Related
from modelspec.tree.text import visible


@change_rule("MS531", "gate-order", of=PIN)
def gate_order(change: Change[Pin], scene: Scene) -> Iterator[Problem]:
    """A version that begins to answer in an environment was stable in the one that this comes `after`.

    By the base's first-parent history. Restores, shadows and standbys are exempt.

    *Why:* an environment that is skipped tests nothing.

    *Fix:* promote the version to the earlier environment first.
    """
    yield from _unmet(change, scene, "order")


@change_rule("MS532", "gate-soak", of=PIN)
def gate_soak(change: Change[Pin], scene: Scene) -> Iterator[Problem]:
    """It was stable there without a break for as long as `gates.soak` says.

    Within the last seven times that long: a model that is trained again every day must not starve, and last
    year's soak proves nothing.

    *Why:* most of what is wrong with a version shows within its first hours.

    *Fix:* wait; the finding says until when.
    """
    yield from _unmet(change, scene, "soak")


@change_rule("MS533", "gate-canary", of=PIN)
def gate_canary(change: Change[Pin], scene: Scene) -> Iterator[Problem]:
    """A version was canary (any weight), or a variant, for as long as `gates.canary` says, then stable.

    The first pin of a model in an environment needs none; one that was removed and comes back is no first
    pin, and is compared with what it said last. Where the same change moves a view under
    `access: current` so that old and new versions can't both read what is served, no canary is possible:
    then the gate is waived, and the report lists it.

    *Why:* a share of the traffic finds what no test had, and few notice.

    *Fix:* make it canary first, and wait; the finding says until when.
    """
    yield from _unmet(change, scene, "canary")


@change_rule("MS534", "gate-metrics", of=PIN)
def gate_metrics(change: Change[Pin], scene: Scene) -> Iterator[Problem]:
    """The metrics of a version that begins to answer keep the bounds and do not fall behind stable's.

    What one of the two does not record is not comparable, which is an error. The first pin of a model in an
    environment has nothing to fall behind.

    *Why:* a worse model that passes every other check is still a worse model.

    *Fix:* pin a better version; or change the gate, in a change of its own that its owner reviews.
    """
    yield from _unmet(change, scene, "metrics")


@change_rule("MS535", "gate-freeze", of=PIN)
def gate_freeze(change: Change[Pin], scene: Scene) -> Iterator[Problem]:
    """Nothing is promoted within a `freeze` of the environment.

    Restores go through.

    *Why:* somebody said that nobody will be there.

    *Fix:* wait until it ends; a waiver is the way for an emergency.
    """
    yield from _unmet(change, scene, "freeze")


@change_rule("MS536", "gate-reason", of=PIN)
def gate_reason(change: Change[Pin], scene: Scene) -> Iterator[Problem]:
    """Where `gates.reason` is required, a promotion says why, in the pin, and anew.

    *Why:* squash merges drop what commit messages say; the file keeps it.

    *Fix:* add or change `reason: {text: ..., link: ...}`; `modelspec promote --reason TEXT` writes it.
    """
    yield from _unmet(change, scene, "reason")


@change_rule("MS540", "gate-signature", of=PIN)
def gate_signature(change: Change[Pin], scene: Scene) -> Iterator[Problem]:
    """Where `gates.signature` names signers, what a slot gets is recorded as signed by one of them.

    Any slot, as a shadow and a standby load the bytes too. Who a signer is stands in `signers` of
    modelspec.yaml and is read from the base, so that a change can't trust itself; restores are exempt. The
    record is judged here; that the signature is real, and covers exactly the files of the version, is
    judged by `modelspec verify`, which reads the bytes.

    *Why:* whoever can open a pull request can name any digest; only its signer has the key.

    *Fix:* register the version with `--sign`; a new signer is added in a change of its own, merged first.
    """
    yield from _unmet(change, scene, "signature")


@change_rule("MS537", "hold-respected", of=PIN)
def hold_respected(change: Change[Pin], scene: Scene) -> Iterator[Problem]:
    """A pin on hold moves on only in a change that removes the hold.

    Dropping a canary and restoring are allowed.

    *Why:* a rollback that the next run of a bot takes back is none.

    *Fix:* `modelspec hold MODEL --env ENV --release`, in a change that says why; or wait.
    """
    was, now = change.before, change.after
    if was is None or now is None or was.value.hold is None or now.value.hold is None:
        return
    for moved in _moved(change, scene):
        if moved.promotes:
            yield Problem(
                now.place(*_route(now, moved.slot)),
                f"{now.value.environment}/{now.value.model} is on hold: {visible(was.value.hold.text)}",
                related=(Related(now.key("hold"), "the hold"),),
                fix="remove the hold in this change, or wait",
            )


@change_rule("MS538", "archived-not-promoted", of=PIN)
def archived_not_promoted(change: Change[Pin], scene: Scene) -> Iterator[Problem]:
    """No slot gets a version that its model has archived, unless it is a restore.

    *Why:* it is old: somebody decided that its time is over, though it may be gone back to.

    *Fix:* pin a version that is not retired.
    """
    now = change.after
    if now is None:
        return
    owner = scene.registry.value(MODEL, now.value.model)
    archived = {
        ref_name(gone.version): index
        for index, gone in enumerate(owner.value.retired if owner is not None else ())
        if gone.state == "archived"
    }
    for moved in _moved(change, scene) if archived else ():
        index = archived.get(ref_name(moved.now)) if moved.now is not None else None
        if index is None or moved.restores or moved.now == moved.was or owner is None:
            continue
        yield Problem(
            now.place(*_route(now, moved.slot)),
            f"{moved.slot} pins {now.value.model} {ref_name(moved.now or '')}, which is archived: "
            f"{visible(owner.value.retired[index].reason)}",
            related=(Related(owner.place("retired", index), "archived here"),),
            fix="pin another version",
        )


@change_rule("MS539", "canary-waived", of=PIN, severity="warn")
def canary_waived(change: Change[Pin], scene: Scene) -> Iterator[Problem]:
    """A canary that is asked for but not possible is listed.

    *Why:* nobody should find out from a dashboard that a version went from nothing to everything.

    *Fix:* nothing needs to be done. To have a canary, serve both schemas under `access: numbered` first.
    """
    now = change.after
    for gate in _gates(change, scene):
        if gate.waived and now is not None:
            yield Problem(now.place(*gate.route), gate.told)


def _unmet(change: Change[Pin], scene: Scene, name: str) -> Iterator[Problem]:
    now = change.after
    for gate in _gates(change, scene):
        if gate.name != name or gate.met or now is None:
            continue
        home = scene.registry.value(ENVIRONMENT, now.value.environment)
        key = "after" if name == "order" else f"gates.{name}"
        related = () if home is None else (Related(home.key(*_present(home, key)), "the gate"),)
        yield Problem(now.place(*gate.route), gate.told, related, gate.fix)


def _present(home: Entry[Environment], key: str) -> tuple[str, ...]:
    """Return the route of a gate in the head's environment.yaml, or of what is left of it."""
    route = tuple(key.split("."))
    while route and home.document.value(route) is None:
        route = route[:-1]
    return route or ("environment",)


def _gates(change: Change[Pin], scene: Scene) -> tuple[Gate, ...]:
    was, now = change.before, change.after
    if now is None or scene.against is None or scene.now is None:
        return ()
    against, instant = scene.against, scene.now
    name = (now.value.environment, now.value.model)

    def judged() -> tuple[Gate, ...]:
        pins = (was.value if was is not None else None, now.value)
        return tuple(gates(facts(scene.registry, against, instant, name, pins)))

    return scene.once(("gates", change.path), judged)


def _moved(change: Change[Pin], scene: Scene) -> tuple[PinChange, ...]:
    was, now = change.before, change.after
    if now is None or scene.against is None:
        return ()
    against = scene.against

    def found() -> tuple[PinChange, ...]:
        log = standings(against.history, scene.registry.reader, now.value.environment, now.value.model)
        return pin_changes(was.value if was is not None else None, now.value, log)

    return scene.once(("moved", change.path), found)


def _route(entry: Entry[Pin], slot: str) -> tuple[str | int, ...]:
    return next((*route, "version") for name, route, _ in entry.value.slots() if name == slot)
