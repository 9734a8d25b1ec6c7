"""Which served schema a version reads, under `current` and under `numbered`."""

from __future__ import annotations

from typing import Any

from modelspec.compat.reading import Offer, Reading
from modelspec.spec.environment import Revalidation
from modelspec.spec.kinds import FEATURE_PIN, SCHEMA, VIEW

from .worlds import Small


def small(*fields: dict[str, Any]) -> Small:
    """Return a world with one schema a field `x`, numbered from 1; the first is served."""
    found = Small()
    found.add(VIEW, ("v",), {"view": "v", "owner": "o"})
    for number, keys in enumerate(fields, 1):
        content = {"view": "v", "number": number, "fields": [{"name": "x", "dtype": "float32", **keys}]}
        found.add(SCHEMA, ("v", str(number)), content)
    pin = {"environment": "e", "view": "v", "access": "current", "closes": []}
    found.add(FEATURE_PIN, ("e", "v"), pin | {"serves": [found.refs["v", "1"]]})
    return found


def read(world: Small, access: Any, trained: str, *served: str, lifts: Any = ()) -> tuple[Reading, ...]:
    refs = tuple(world.refs["v", one] for one in served)
    return world.world.judgements.read("v", world.refs["v", trained], ("x",), Offer(access, refs), lifts)


KM, MILES = {"unit": "km", "range": [0, 9]}, {"unit": "mi", "range": [0, 9]}
WIDE, TAGGED = {"unit": "km", "range": [0, 10]}, {"unit": "km", "range": [0, 9], "tags": ["raw"]}


def test_under_current_every_served_schema_is_met() -> None:
    world = small(KM, MILES)
    assert [one.stands for one in read(world, "current", "1", "1", "2")] == [True, False]


def test_numbered_its_own_comes_first_then_the_highest_safe_one_then_the_nearest() -> None:
    world = small(KM, TAGGED, KM, WIDE, MILES)
    for served, chosen in (
        (("1", "2", "5"), "1"),
        (("2", "3", "4", "5"), "3"),
        (("4", "5"), "4"),
        (("5",), "5"),
    ):
        (met,) = read(world, "numbered", "1", *served)
        assert met.served == world.refs["v", chosen]


def test_numbered_a_safe_schema_comes_before_a_revalidated_one() -> None:
    world = small(KM, TAGGED, WIDE)
    ours, theirs = world.refs["v", "1"], world.refs["v", "3"]
    proof = Revalidation.model_validate(
        {
            "version": "1.0.0@sha256:" + "0" * 64,
            "view": "v",
            "trained": ours,
            "served": theirs,
            "metric": "auc 0.9",
            "by": "o",
            "at": "2026-11-01T00:00:00Z",
            "link": "https://tracker.example.com/1",
        }
    )
    (met,) = read(world, "numbered", "1", "2", "3", lifts=(proof,))
    assert met.served == world.refs["v", "2"]
    (met,) = read(world, "numbered", "1", "3", lifts=(proof,))
    assert met.stands and met.lifted is proof
    assert not read(world, "numbered", "1", "3")[0].stands, "asked without it, nothing is remembered of it"


def test_a_view_that_is_not_served_is_a_reason() -> None:
    (met,) = small(KM).world.judgements.read("v", "1@sha256:" + "0" * 64, ("x",), None)
    assert (met.stands, met.told) == (False, "v is not served")
