"""In any small world: a change closes no way back of a model that the window does not look at."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from compat.worlds import Small, worlds
from modelspec.compat.verdict import deployable
from modelspec.compat.world import World
from modelspec.compile.render import HoleRenderer
from modelspec.delta.pairs import against
from modelspec.rules import window
from modelspec.rules.rule import Scene
from modelspec.spec.history import Unrecorded
from modelspec.spec.kinds import FEATURE_PIN, MODEL, PIN, SCHEMA, VERSION, VIEW
from modelspec.spec.registry import Registry
from modelspec.tree.snapshot import DictSnapshot


def closed(small: Small, moves: list[tuple[str, str]]) -> tuple[set[str], list[str]]:
    """The models that lose a way back when these models' pins move, and those that are looked at."""
    files = dict(small.files)
    for model, ref in moves:
        path = PIN.locate("e", model)
        if path in files:
            files[path] = json.dumps(json.loads(files[path]) | {"stable": {"version": ref}}).encode()
    base, head = (Registry(DictSnapshot(one)) for one in (small.files, files))
    scene, beside = Scene(head, HoleRenderer()), against(base, head, Unrecorded())
    before, after = World.of(base, "e"), World.of(head, "e")
    looked = window._models(beside, scene, after, before)
    lost = {
        model
        for (model, _), ref in small.refs.items()
        if model in after.slots and deployable(before, model, ref) and not deployable(after, model, ref)
    }
    return lost, looked


@st.composite
def moving(draw: st.DrawFn) -> tuple[Small, list[tuple[str, str]]]:
    small = draw(worlds())
    known = [(model, ref) for (model, _), ref in sorted(small.refs.items()) if model in "abc"]
    return small, draw(st.lists(st.sampled_from(known), min_size=1, max_size=2, unique_by=lambda one: one[0]))


@given(moving())
def test_what_is_not_looked_at_loses_nothing(drawn: tuple[Small, list[tuple[str, str]]]) -> None:
    lost, looked = closed(*drawn)
    assert lost <= set(looked)


def tied_by_a_view() -> tuple[Small, list[tuple[str, str]]]:
    """b 1.0.0 can come back if the view moves to schema 1: a 1.0.0 reads what is the same in both."""
    small = Small()
    small.add(VIEW, ("u",), {"view": "u", "owner": "o"})
    for number, unit in (("1", "km"), ("2", "mi")):
        fields = [{"name": "x", "dtype": "float32", "unit": unit}, {"name": "y", "dtype": "float32"}]
        small.add(SCHEMA, ("u", number), {"view": "u", "number": int(number), "fields": fields})
    content = {"environment": "e", "view": "u", "access": "current", "closes": []}
    small.add(FEATURE_PIN, ("e", "u"), content | {"serves": [small.refs["u", "2"]]})
    for model, number, schema, name in (
        ("a", "1.0.0", "2", "y"),
        ("a", "1.1.0", "2", "x"),
        ("b", "1.0.0", "1", "x"),
        ("b", "1.1.0", "2", "x"),
    ):
        inputs = [{"name": "t", "dtype": "float32", "shape": [-1, 1], "from": [f"u.{name}"]}]
        features = [{"view": "u", "schema": small.refs["u", schema]}]
        body = {"model": model, "version": number, "features": features, "signature": {"inputs": inputs}}
        small.add(VERSION, (model, number), body)
    for model, number in (("a", "1.0.0"), ("b", "1.1.0")):
        small.add(MODEL, (model,), {"model": model, "owner": "o"})
        stable = {"version": small.refs[model, number]}
        small.add(PIN, ("e", model), {"environment": "e", "model": model, "stable": stable})
    return small, [("a", small.refs["a", "1.1.0"])]


def test_a_model_that_shares_a_view_with_what_moves_is_looked_at() -> None:
    small, moves = tied_by_a_view()
    lost, looked = closed(small, moves)
    assert lost == {"b"}
    assert looked == ["a", "b"]


def test_what_reads_no_more_than_before_bars_nobody() -> None:
    small, _ = tied_by_a_view()
    back, moves = tied_by_a_view()[0], [("a", small.refs["a", "1.0.0"])]
    path = PIN.locate("e", "a")
    back.files[path] = json.dumps(
        json.loads(back.files[path]) | {"stable": {"version": small.refs["a", "1.1.0"]}}
    ).encode()
    assert closed(back, moves) == (set(), ["a"])
