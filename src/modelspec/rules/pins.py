"""MS5: pins and environments by themselves: slots, weights, order, gates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from modelspec.rules.rule import Scene, rule
from modelspec.spec.base import ref_name
from modelspec.spec.environment import Environment, FeaturePin, Pin
from modelspec.spec.instant import duration, instant
from modelspec.spec.kinds import ENVIRONMENT, FEATURE_PIN, PIN, VERSION
from modelspec.spec.model import ModelVersion
from modelspec.spec.reader import Entry
from modelspec.spec.semver import precedence
from modelspec.tree.finding import Problem, Related
from modelspec.tree.place import Route
from modelspec.tree.text import did_you_mean

_SLOTS: Final = ("stable", "canary", "shadow", "standby")
_STAGES: Final = ("development", "staging", "production")


@rule("MS515", "slots-distinct", of=PIN)
def slots_distinct(pin: Entry[Pin], scene: Scene) -> Iterator[Problem]:
    """No two slots of a pin hold one version; only `standby` may equal `stable`.

    *Why:* a canary of what is already stable measures nothing, and a promotion that left its canary
    behind would look unfinished.

    *Fix:* remove one of the slots: `modelspec promote` drops the canary that it finishes.
    """
    first: dict[str, tuple[str, Route]] = {}
    for slot, route, ref in pin.value.slots():
        other, other_route = first.setdefault(ref_name(ref), (slot, route))
        if other_route == route or (slot == "standby" and other == "stable"):
            continue
        yield Problem(
            pin.place(*route, "version"),
            f"{slot} holds {ref_name(ref)}, and so does {other}",
            related=(Related(pin.place(*other_route, "version"), f"{other} holds it"),),
            fix=f"remove {slot}, or pin another version there",
        )


@rule("MS516", "weights-sum", of=PIN)
def weights_sum(pin: Entry[Pin], scene: Scene) -> Iterator[Problem]:
    """A canary and each variant answer 1 to 99 percent, and leave at least 1 for stable.

    *Why:* a weight of 0 is no canary but a version that somebody believes to be tested; at 100 stable
    is not stable any more.

    *Fix:* lower the weights; `standby` holds a version warm without answers, and a promotion is a change
    of `stable`.
    """
    weighted: list[tuple[str, Route, int]] = []
    if pin.value.canary is not None:
        weighted.append(("canary", ("canary", "weight"), pin.value.canary.weight))
    for name, slot in pin.value.variants.items():
        weighted.append((name, ("variants", name, "weight"), slot.weight))
    wrong = [one for one in weighted if not 1 <= one[2] <= 99]
    for name, route, weight in wrong:
        yield Problem(
            pin.place(*route),
            f"{name} answers {weight} percent; a weight is 1 to 99",
            fix="write 1 to 99; `standby` is for a version that does not answer",
        )
    total = sum(weight for _, _, weight in weighted)
    if not wrong and total > 99:
        name, route, _ = weighted[-1]
        yield Problem(
            pin.place(*route),
            f"{' and '.join(name for name, _, _ in weighted)} answer {total} percent together, "
            "and nothing is left for stable",
            fix="lower them to 99 or less in all",
        )


@rule("MS517", "variants-named", of=PIN)
def variants_named(pin: Entry[Pin], scene: Scene) -> Iterator[Problem]:
    """A variant has a name of its own: not `stable`, `canary`, `shadow` or `standby`.

    *Why:* in reports, labels and logs the two could not be told apart.

    *Fix:* rename the variant.
    """
    for name in pin.value.variants:
        if name in _SLOTS:
            yield Problem(
                pin.key("variants", name), f"a variant is named {name}, which is a slot", fix="rename it"
            )


@rule("MS518", "environments-forest", of=ENVIRONMENT)
def environments_forest(environment: Entry[Environment], scene: Scene) -> Iterator[Problem]:
    """`after` names an environment that exists, of no later stage, and none comes after itself.

    The stages are development, staging, production.

    *Why:* it is the order in which a version is promoted; a circle lets nothing in, a name that does
    not exist lets in everything, and what comes after production is tried where it already serves.

    *Fix:* correct the name or the stage; remove one `after` of the circle.
    """
    name, after = environment.value.environment, environment.value.after
    if after is None:
        return
    if scene.registry.get(ENVIRONMENT, after) is None:
        there = [known[0] for known in scene.registry.names(ENVIRONMENT) if known[0] != name]
        yield Problem(
            environment.place("after"), f"there is no environment {after}", fix=did_you_mean(after, there)
        )
        return
    before = scene.registry.value(ENVIRONMENT, after)
    if before is not None and _STAGES.index(before.value.stage) > _STAGES.index(environment.value.stage):
        yield Problem(
            environment.place("after"),
            f"{name} is {environment.value.stage}, and comes after {after}, which is {before.value.stage}",
            related=(Related(before.place("stage"), "its stage"),),
            fix="correct the stage of one, or `after`",
        )
    way = [name]
    step: str | None = after
    while step is not None and step not in way:
        way.append(step)
        above = scene.registry.value(ENVIRONMENT, step)
        step = above.value.after if above is not None else None
    if step == name:
        yield Problem(
            environment.place("after"),
            f"{name} comes after itself: {' after '.join([*way, name])}",
            fix="remove one `after` of the circle",
        )


@rule("MS519", "gates-sane", of=ENVIRONMENT)
def gates_sane(environment: Entry[Environment], scene: Scene) -> Iterator[Problem]:
    """A gate demands something, and something that can be met.

    A soak and a canary have a length above zero, and a soak an environment that this one comes `after`;
    a metric stands in the gates once, with a bound, a regression, or both; a freeze ends after it began.

    *Why:* a gate that demands nothing, or what nothing can meet, is one that somebody believes to have.

    *Fix:* complete it, or remove it.
    """
    gates = environment.value.gates
    for key, length in (("soak", gates.soak), ("canary", gates.canary)):
        if length is not None and not duration(length):
            yield Problem(
                environment.place("gates", key), f"the gate {key} asks for no time", fix="remove it"
            )
    if gates.soak is not None and environment.value.after is None:
        yield Problem(
            environment.place("gates", "soak"),
            "a soak is the time served in the environment before, and there is no `after`",
            fix="add `after:`, or remove the gate",
        )
    first: dict[str, int] = {}
    for index, metric in enumerate(gates.metrics):
        other = first.setdefault(metric.name, index)
        if other != index:
            yield Problem(
                environment.place("gates", "metrics", index, "name"),
                f"the metric {metric.name} is gated twice",
                related=(Related(environment.place("gates", "metrics", other, "name"), "the first one"),),
                fix="keep one of the two",
            )
        if metric.bound is None and metric.regression is None:
            yield Problem(
                environment.place("gates", "metrics", index, "name"),
                f"the gate on {metric.name} has neither bound nor regression",
                fix="add `bound:` or `regression:`, or remove it",
            )
    for index, freeze in enumerate(gates.freeze):
        start, until = instant(freeze.start), instant(freeze.until)
        if start is not None and until is not None and until <= start:
            yield Problem(
                environment.place("gates", "freeze", index, "until"),
                f"the freeze ends at {freeze.until}, before it begins",
                related=(Related(environment.place("gates", "freeze", index, "from"), "begins here"),),
                fix="write a later `until`",
            )


@rule("MS522", "gated-metric-recorded", of=ENVIRONMENT, severity="warn", whole=True)
def gated_metric_recorded(environment: Entry[Environment], scene: Scene) -> Iterator[Problem]:
    """A metric that an environment gates is one that some version pinned there records.

    An environment with no pins may gate what will be pinned.

    *Why:* a gate on a metric that is misspelled lets everything through.

    *Fix:* correct the name; or record the metric in the versions that it is to judge.
    """
    gated = environment.value.gates.metrics
    if not gated:
        return
    recorded = _recorded(environment.value.environment, scene)
    if recorded is None:
        return
    for index, metric in enumerate(gated):
        if metric.name not in recorded:
            yield Problem(
                environment.place("gates", "metrics", index, "name"),
                f"no version pinned in {environment.value.environment} records {metric.name}",
                fix=did_you_mean(metric.name, recorded) or "record it, or remove the gate",
            )


@rule("MS520", "serves-distinct", of=FEATURE_PIN)
def serves_distinct(pin: Entry[FeaturePin], scene: Scene) -> Iterator[Problem]:
    """A feature pin serves each schema once, and at most two while readers get whatever is current.

    *Why:* two with `access: current` is a rollout, in which any reader may get either; a third says
    that one of the rollouts never ended.

    *Fix:* remove what is no longer served, or let readers ask by number: `access: numbered`.
    """
    first: dict[str, int] = {}
    for index, ref in enumerate(pin.value.serves):
        other = first.setdefault(ref_name(ref), index)
        if other != index:
            yield Problem(
                pin.place("serves", index),
                f"{pin.value.view} {ref_name(ref)} is served twice",
                related=(Related(pin.place("serves", other), "the first one"),),
                fix="keep one of the two",
            )
    if pin.value.access == "current" and len(first) > 2:
        yield Problem(
            pin.place("access"),
            f"{len(first)} schemas are current at once",
            fix="end a rollout by removing the old schema, or write `access: numbered`",
        )


@rule("MS521", "parent-earlier", of=VERSION)
def parent_earlier(version: Entry[ModelVersion], scene: Scene) -> Iterator[Problem]:
    """A version's parent comes before it in SemVer's order, and no version needs its own model.

    *Why:* a lineage that runs backwards or in a circle is not one.

    *Fix:* correct the parent; give the version a number above it.
    """
    value = version.value
    parent = value.lineage.parent if value.lineage is not None else None
    if parent is not None and precedence(ref_name(parent)) >= precedence(value.version):
        same = ref_name(parent) == value.version
        yield Problem(
            version.place("lineage", "parent"),
            f"{value.version} is its own parent" if same else f"the parent {ref_name(parent)} comes later",
            fix="name the version that this one was made from",
        )
    for index, need in enumerate(value.needs):
        if need.model == value.model:
            yield Problem(
                version.place("needs", index, "model"),
                f"{value.model} {value.version} needs {need.model} itself",
                fix="remove it: what it was made from is `lineage.parent`",
            )


def _recorded(environment: str, scene: Scene) -> set[str] | None:
    """Return the metrics of all versions pinned there; None without pins, or where one can't be read."""
    found: set[str] | None = None
    for pin in scene.registry.all(PIN, environment):
        if not isinstance(pin, Entry):
            return None
        for _, _, ref in pin.value.slots():
            version = scene.registry.value(VERSION, pin.value.model, ref_name(ref))
            if version is None:
                return None
            found = (found or set()) | set(version.value.metrics or ())
    return found
