"""Laws that hold for every schema, version and world, whatever the table says of one row."""

from __future__ import annotations

from itertools import chain, combinations, product
from typing import Any

import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from modelspec.compat.copins import Move, least
from modelspec.compat.fields import SchemaJudgement, judge
from modelspec.compat.modes import breaches
from modelspec.compat.reading import Offer
from modelspec.compat.table import Verdict
from modelspec.compat.verdict import Says, standing
from modelspec.compat.world import World
from modelspec.spec.base import ref_name
from modelspec.spec.feature import Feature, FeatureSchema, Mode
from modelspec.spec.kinds import SCHEMA, VERSION

from .cases import schema
from .worlds import Keys, Small, changed, contents, contracts, pairs, worlds

BASIC: tuple[Mode, ...] = ("BACKWARD", "FORWARD", "FULL")


def transitive(mode: Mode) -> Mode:
    return f"{mode}_TRANSITIVE"  # type: ignore[return-value]


@given(contents())
def test_a_schema_is_compatible_with_itself(content: Keys) -> None:
    one, again = schema(1, content), schema(2, content)
    found = judge(one, again)
    assert (found.verdict, found.changes) == (Verdict.S, ())
    for mode in BASIC:
        assert breaches(mode, [one], again) == ()


def broken(mode: Mode, earlier: list[FeatureSchema], new: FeatureSchema) -> set[tuple[int, str]]:
    return {(one.earlier.number, one.column) for one in breaches(mode, earlier, new)}


@given(pairs(), contents())
def test_full_is_backward_and_forward(pair: tuple[FeatureSchema, FeatureSchema], newest: Keys) -> None:
    earlier, new = list(pair), schema(3, newest)
    assert broken("FULL", earlier, new) == broken("BACKWARD", earlier, new) | broken("FORWARD", earlier, new)
    whole = [broken(transitive(mode), earlier, new) for mode in BASIC]
    assert whole[2] == whole[0] | whole[1]


@given(pairs(), contents())
def test_transitive_implies_pairwise(pair: tuple[FeatureSchema, FeatureSchema], newest: Keys) -> None:
    first, second = pair
    new = schema(3, newest)
    for mode in BASIC:
        assert broken(mode, [first, second], new) <= broken(transitive(mode), [first, second], new)
        # And no more than that: what it demands is every pair.
        every = broken(mode, [first], new) | broken(mode, [second], new)
        assert broken(transitive(mode), [first, second], new) == every


@given(pairs(), st.data())
def test_the_order_of_fields_changes_nothing(
    pair: tuple[FeatureSchema, FeatureSchema], data: st.DataObject
) -> None:
    trained, served = pair
    moved = [one.model_copy(update={"fields": tuple(data.draw(st.permutations(one.fields)))}) for one in pair]
    plain, permuted = judge(trained, served), judge(*moved)
    assert permuted.verdict is plain.verdict
    assert permuted.fields == plain.fields
    rows = [{one.row for one in found.shared} - {"view-order"} for found in (plain, permuted)]
    assert rows[0] == rows[1]


def told(found: SchemaJudgement) -> list[tuple[object, ...]]:
    """Return what a judgement comes to. A field that is gone is told as renamed where another one has its contract:
    the words differ, and the verdict is the same."""
    gone = {"added", "removed", "renamed"}
    fields: list[tuple[object, ...]] = [
        (one.field, one.verdict, [change.row if change.row not in gone else "gone" for change in one.changes])
        for one in found.fields
    ]
    return [*fields, (found.verdict, found.absent, {one.row for one in found.shared} - {"view-order"})]


@given(pairs(), contracts, st.sampled_from(["trained", "served", "both"]))
def test_a_field_that_nobody_reads_never_yields_a_finding(
    pair: tuple[FeatureSchema, FeatureSchema], keys: Keys, where: str
) -> None:
    trained, served = pair
    read = sorted(one.name for one in trained.fields)
    plain = told(judge(trained, served, read))
    extra = Feature.model_validate({"name": "unread"} | keys)
    more = [
        one.model_copy(update={"fields": (extra, *one.fields)}) if where in (side, "both") else one
        for side, one in (("trained", trained), ("served", served))
    ]
    assert told(judge(more[0], more[1], read)) == plain
    for dropped in read:
        rest = [name for name in read if name != dropped]
        fewer = served.model_copy(update={"fields": tuple(f for f in served.fields if f.name != dropped)})
        assert told(judge(trained, fewer, rest)) == told(judge(trained, served, rest))


@given(pairs())
def test_the_worst_part_decides_a_field_and_the_worst_field_a_version(
    pair: tuple[FeatureSchema, FeatureSchema],
) -> None:
    found = judge(*pair)
    for one in found.fields:
        assert one.verdict is max((change.verdict for change in one.changes), default=Verdict.S)
        assert set(one.judged) <= set(one.applicable)
        assert {change.part for change in one.changes if change.part} <= set(one.judged)
    names = [one.field for one in found.fields]
    for subset in chain.from_iterable(combinations(names, size) for size in range(len(names) + 1)):
        assert judge(*pair, subset).verdict <= found.verdict


@st.composite
def narrowed(draw: st.DrawFn, field: Feature) -> Feature:
    """Draw a contract that promises more of its values, and means the same by each of them."""
    update: dict[str, Any] = {}
    clips = field.transform is not None and bool(field.transform.clip)
    if field.range is not None and not clips:
        low, high = (int(end) for end in field.range)
        ends = sorted((draw(st.integers(low, high)), draw(st.integers(low, high))))
        update["range"] = (float(ends[0]), float(ends[1]))
    if field.categories:
        update["categories"] = tuple(field.categories[: draw(st.integers(1, len(field.categories)))])
    for key in ("nullable", "nan"):
        if getattr(field, key) and draw(st.booleans()):
            update[key] = False
    return field.model_copy(update=update)


@given(pairs(), st.data())
def test_narrowing_what_is_served_never_breaks_a_reader(
    pair: tuple[FeatureSchema, FeatureSchema], data: st.DataObject
) -> None:
    trained, served = pair
    before = judge(trained, served)
    # An observed range proves nothing, so that narrowing it promises nothing either.
    assume(not any(one.origin == "observed" for one in served.fields))
    fields = tuple(data.draw(narrowed(one)) for one in served.fields)
    after = judge(trained, served.model_copy(update={"fields": fields}))
    verdicts = {one.field: one.verdict for one in after.fields}
    for one in before.fields:
        if one.verdict is Verdict.S:
            assert verdicts[one.field] is Verdict.S, after.changes


@given(worlds(), st.data())
def test_serving_fewer_schemas_to_everybody_breaks_nobody(small: Small, data: st.DataObject) -> None:
    world = small.world
    current = [view for view, offer in world.offers.items() if offer.access == "current"]
    assume(current)
    view = data.draw(st.sampled_from(sorted(current)))
    kept = data.draw(st.sampled_from(world.offers[view].refs))
    before = {one.identity for one in world.troubles()}
    assert {one.identity for one in world.serving(view, Offer("current", (kept,))).troubles()} <= before


@given(worlds(), st.data())
def test_adding_a_number_breaks_nobody_who_asks_by_number(small: Small, data: st.DataObject) -> None:
    world = small.world
    numbered = [view for view, offer in world.offers.items() if offer.access == "numbered"]
    assume(numbered)
    view = data.draw(st.sampled_from(sorted(numbered)))
    extra = data.draw(st.sampled_from([ref for (name, _), ref in small.refs.items() if name == view]))
    refs = tuple(dict.fromkeys((*world.offers[view].refs, extra)))
    before = {one.identity for one in world.troubles()}
    assert {one.identity for one in world.serving(view, Offer("numbered", refs)).troubles()} <= before


@given(worlds())
def test_a_version_whose_own_schemas_are_served_reads_them(small: Small) -> None:
    world = small.world
    for model, number in [name for name in small.refs if name[0] in "abc"]:
        version = world.version(model, number)
        assert version is not None
        placed = world
        for feature in version.feature_refs:
            placed = placed.serving(feature.view, Offer("current", (feature.schema_,)))
        assert all(reading.verdict is Verdict.S for reading in placed.readings(model, number))


Key = tuple[int, int, list[tuple[str, str]]]


def applied(world: World, model: str, ref: str, moves: tuple[Move, ...]) -> World:
    """Return the world after a version and its co-pins moved."""
    world = world.placing(model, ref)
    for move in moves:
        if move.kind == "model":
            world = world.placing(move.name, move.now[0])
        else:
            today = world.offers.get(move.name)
            world = world.serving(move.name, Offer(today.access if today else "current", move.now))
    return world


def clean(before: World, after: World, moved: set[str]) -> bool:
    """Whether nothing is wrong with what moved, and nothing with the rest that was not before."""
    known = {one.identity for one in before.troubles()}
    return all(one.model not in moved and one.identity in known for one in after.troubles())


def key(moves: tuple[Move, ...]) -> Key:
    """Return what is least of all: how many pins, how few that only add a number, their names."""
    return len(moves), -sum(one.added for one in moves), sorted((one.kind, one.name) for one in moves)


def tied(world: World, model: str, moved: dict[str, str]) -> set[str]:
    """Return the models that a chain of needs ties to a model: as pinned, and what moved versions bring along.

    A model that is tied only by the version it would move to merely reads the same views, and stays.
    """
    found = {model}
    for _ in range(4):
        for name, slots in world.slots.items():
            ends = {name, *_needed(world, name, slots[0][1])}
            found |= {one for other in ends - {name} for one in (name, other) if {name, other} & found}
        found |= {other for name in found & set(moved) for other in _needed(world, name, moved[name])}
    return found


def _needed(world: World, model: str, ref: str) -> set[str]:
    version = world.version(model, ref)
    return {need.model for need in (version.needs if version is not None else ())}


def every_way(world: World, small: Small, model: str, ref: str) -> list[tuple[Move, ...]]:
    """Return every set of moves that helps, by trying all there are."""
    others = [name for name in ("a", "b", "c") if name != model and (name, "1.0.0") in small.refs]
    choices: list[list[Move | None]] = []
    for name in others:
        held = world.slots.get(name, ())
        was = tuple(one for _, one in held)
        versions = [one for (owner, _), one in small.refs.items() if owner == name and one not in was]
        choices.append([None, *(Move("model", name, was, (one,)) for one in versions)])
    for view in ("u", "v"):
        today = world.offers.get(view)
        known = [one for (owner, _), one in small.refs.items() if owner == view]
        refs = [one for one in known if (view, one) not in small.withdrawn]
        was = today.refs if today is not None else ()
        if today is not None and today.access == "numbered":
            new = [one for one in refs if one not in was]
            sets = chain.from_iterable(combinations(new, size) for size in range(1, len(new) + 1))
            moves = [Move("feature", view, was, (*was, *more), added=True) for more in sets]
        else:
            moves = [Move("feature", view, was, (one,)) for one in refs if (one,) != was]
        choices.append([None, *moves])
    found = []
    for chosen in product(*choices):
        moves = tuple(one for one in chosen if one is not None)
        moved = {model: ref} | {one.name: one.now[0] for one in moves if one.kind == "model"}
        if set(moved) <= tied(world, model, moved) and clean(
            world, applied(world, model, ref, moves), set(moved)
        ):
            found.append(moves)
    return found


@given(worlds())
def test_the_co_pins_are_least_and_make_it_safe(small: Small) -> None:
    world = small.world
    for (model, _), ref in small.refs.items():
        if model not in "abc":
            continue
        ways = every_way(world, small, model, ref)
        found = least(world, model, ref)
        assert (found is None) == (not ways)
        if found is None:
            continue
        assert key(found) == min(map(key, ways))
        after = applied(world, model, ref, found)
        assert clean(world, after, {model} | {one.name for one in found if one.kind == "model"})
        answer = standing(after, model, ref)
        assert answer.says is Says.SAFE
        assert answer.troubles == ()


@given(worlds())
def test_what_is_safe_reads_nothing_that_is_withdrawn(small: Small) -> None:
    """Neither as it stands nor after the co-pins."""
    world = small.world
    for (model, _), ref in small.refs.items():
        if model not in "abc":
            continue
        answer = standing(world, model, ref)
        if answer.says in (Says.SAFE, Says.CO_PINS):
            after = applied(world, model, ref, answer.moves)
            assert not {(one.view, one.served) for one in after.readings(model, ref)} & small.withdrawn


@given(worlds())
def test_the_verdict_agrees_with_the_moves(small: Small) -> None:
    world = small.world
    for (model, _), ref in small.refs.items():
        if model not in "abc":
            continue
        answer = standing(world, model, ref)
        assert answer.open == (answer.says is not Says.UNSAFE)
        if answer.says is Says.SAFE:
            assert least(world, model, ref) == ()
        if answer.says is Says.CO_PINS:
            assert answer.moves
            assert answer.troubles
        if answer.says is Says.UNSAFE:
            assert least(world, model, ref) is None
            assert answer.nearest is not None
        if answer.says is Says.REVALIDATE:
            assert max(one.verdict for one in answer.readings) is Verdict.R


def test_small_worlds_have_every_answer() -> None:
    """The strategy is worth its laws: over some draws each verdict comes up."""
    found: set[Says] = set()
    co_models: set[bool] = set()

    @settings(max_examples=400, derandomize=True, phases=[Phase.generate])
    @given(worlds())
    def collect(small: Small) -> None:
        for (model, _), ref in small.refs.items():
            if model in "abc":
                answer = standing(small.world, model, ref)
                found.add(answer.says)
                co_models.update(one.kind == "model" for one in answer.moves)

    collect()
    assert found == set(Says)
    assert co_models == {True, False}


@pytest.mark.parametrize("kind", [SCHEMA, VERSION])
def test_references_of_small_worlds_are_right(kind: Any) -> None:
    @given(worlds())
    def check(small: Small) -> None:
        registry = small.world.judgements.registry
        for entry in registry.entries(kind):
            assert ref_name(small.refs[entry.name]) == entry.name[1]
            assert small.refs[entry.name].endswith(entry.digest)

    check()


@given(contents(), st.data())
def test_changed_schemas_differ_by_what_they_say(content: Keys, data: st.DataObject) -> None:
    """Whatever differs in a field that both have is named by a change."""
    other = data.draw(changed(content))
    trained, served = schema(1, content), schema(2, other)
    theirs = {one.name: one for one in served.fields}
    for one, found in zip(
        sorted(trained.fields, key=lambda f: f.name), judge(trained, served).fields, strict=True
    ):
        if one.name in theirs and one != theirs[one.name] and not _implied(one, theirs[one.name]):
            assert found.changes, (one, theirs[one.name])


def _implied(one: Feature, other: Feature) -> bool:
    """Whether two contracts say the same in other keys: silence about a transformation is `identity`, and no
    clipping is what is meant where nobody speaks of it; a name of a symbolic dimension is a name; codes follow
    from where they stand."""
    plain = [
        side.model_copy(update={"transform": None, "shape": (), "origin": None}) for side in (one, other)
    ]
    return plain[0] == plain[1]
