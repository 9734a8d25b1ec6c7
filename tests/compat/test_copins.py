"""Co-pins in worlds that once went wrong; that they are least is a law (test_laws)."""

from __future__ import annotations

from modelspec.compat.copins import nearest
from modelspec.compat.verdict import Says, standing
from modelspec.spec.kinds import FEATURE_PIN, MODEL, PIN, SCHEMA, VERSION, VIEW

from .worlds import Keys, Small


def reading(model: str, number: str, ref: str, needs: list[Keys]) -> Keys:
    """Return a version that reads v.x."""
    tensor = {"name": "t", "dtype": "float32", "shape": [-1, 1], "from": ["v.x"]}
    return {
        "model": model,
        "version": number,
        "features": [{"view": "v", "schema": ref}],
        "needs": needs,
        "signature": {"inputs": [tensor]},
    }


def chain(served: str) -> Small:
    """Return a world where c 2.0.0 needs b 2.0.0, which needs a 2.0.0; each 1.0.0 is pinned and reads schema 1."""
    small = Small()
    small.add(VIEW, ("v",), {"view": "v", "owner": "o"})
    for number, unit in (("1", "km"), ("2", "mi")):
        fields = [{"name": "x", "dtype": "float32", "unit": unit}]
        small.add(SCHEMA, ("v", number), {"view": "v", "number": int(number), "fields": fields})
    pin = {"environment": "e", "view": "v", "access": "current", "closes": []}
    small.add(FEATURE_PIN, ("e", "v"), pin | {"serves": [small.refs["v", served]]})
    for place, model in enumerate("abcd"):
        small.add(MODEL, (model,), {"model": model, "owner": "o"})
        for major in ("1", "2"):
            if model == "d" and major == "2":
                continue
            before = "abcd"[place - 1]
            needs = (
                [{"model": before, "version": small.refs[before, "2.0.0"]}] if major == "2" and place else []
            )
            number = f"{major}.0.0"
            small.add(VERSION, (model, number), reading(model, number, small.refs["v", major], needs))
        stable = {"version": small.refs[model, "1.0.0"]}
        small.add(PIN, ("e", model), {"environment": "e", "model": model, "stable": stable})
    return small


def test_the_nearest_move_follows_a_chain_of_needs() -> None:
    """It used to stop with an error at the first version that had to move along."""
    small = chain("1")
    found = nearest(small.world, "c", small.refs["c", "2.0.0"])
    assert [(one.kind, one.name) for one in found.moves] == [("feature", "v"), ("model", "a"), ("model", "b")]
    assert {one.model for one in found.breaks} == {"d"}, "d stays, and reads kilometres"
    assert found.remains == ()


def test_an_unsafe_verdict_names_whom_the_nearest_move_breaks() -> None:
    small = chain("1")
    told = standing(small.world, "c", small.refs["c", "2.0.0"])
    assert told.says is Says.UNSAFE
    assert told.nearest is not None
    assert [one.model for one in told.nearest.breaks] == ["d"]
