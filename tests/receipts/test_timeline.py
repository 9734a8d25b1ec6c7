"""Declared beside served: the rows of a timeline, and what drift is."""

from __future__ import annotations

from datetime import timedelta

import pytest

from modelspec.api.drift import differences, drift_of, is_served
from modelspec.api.timeline import timeline
from modelspec.trace.receipts import fold
from modelspec.trace.served import of_pin
from receipts.words import clock, declared, digest, receipt, slots

PIN = ("production", "eta")


def test_rows_follow_time_and_tell_how_long_a_switch_took() -> None:
    git = declared(("09:00", "A"), ("14:00", "B"))
    lines = fold(
        [receipt("A", "09:05", "09:06"), receipt("B", "14:02", "14:03"), receipt("C", "16:00")]
    ).values()
    rows = timeline(git, lines)
    assert [(f"{row.time:%H:%M}", row.merged, row.lag) for row in rows] == [
        ("09:00", True, None),
        ("09:05", False, 300),
        ("14:00", True, None),
        ("14:02", False, 120),
        ("16:00", False, None),
    ]
    assert rows[-1].declared == git[1]


def test_commits_of_one_second_are_told_apart_by_what_serves() -> None:
    git = declared(("09:00", "A"), ("14:00", "B"), ("14:00", "A"))
    rows = timeline(git, fold([receipt("B", "14:00", "14:01"), receipt("C", "14:00:01")]).values())
    assert [row.lag for row in rows if not row.merged] == [0, None]


@pytest.mark.parametrize(
    ("wanted", "found", "differ"),
    [
        ("A", "A", ()),
        ("A", "B", ("stable",)),
        ("A 90 B 10", "A 88 B 12", ()),
        ("A 90 B 10", "A 50 B 50", ("canary", "stable")),
        ("A 90 B 10", "A", ("canary", "stable")),
        ("A", "A 90 B 10", ("canary", "stable")),
        ("A 100 -B 0", "A", ()),
        ("A 100 -B 0", "A 100 -C 0", ("standby",)),
        ("A", "A 100 -B 0", ()),
        ("A", "", ("stable",)),
        ("A 90 B 10", "?A 90 ?B 10", ()),
        ("A", "?B 100", ("what answers",)),
    ],
)
def test_what_answers_has_to_be_the_same(wanted: str, found: str, differ: tuple[str, ...]) -> None:
    assert differences(slots(wanted), slots(found)) == differ


def standing(git: list[tuple[str, str]], served: list[str], now: str, grace: int = 15) -> list[str]:
    lines = of_pin(fold([receipt(*one.split("@")) for one in served]), *PIN)
    found = drift_of(*PIN, declared(*git), lines, clock(now), timedelta(minutes=grace))
    return [one.standing for one in found]


def test_drift_knows_a_rollout_from_a_drift() -> None:
    git = [("09:00", "A"), ("14:00", "B")]
    assert standing(git, ["A@09:01"], "14:10") == ["rolling out"]
    assert standing(git, ["A@09:01"], "14:20") == ["drift"]
    assert standing(git, ["A@09:01", "B@14:05"], "14:20") == ["in step"]
    assert standing(git, ["A@09:01", "C@14:05"], "14:10") == ["drift"], "it moved, and elsewhere"
    assert standing(git, [], "14:20") == ["unknown"]
    assert standing([], ["A@09:01"], "14:20") == ["drift"]


def test_served_means_in_every_cluster_and_alone_in_the_slot() -> None:
    def served(*some: tuple[str, str], slot: str = "stable") -> bool:
        many = [receipt(state, "09:00", cluster=cluster) for state, cluster in some]
        return is_served(of_pin(fold(many), *PIN), digest("A"), slot)

    assert served(("A", "eu"))
    assert served(("A 90 B 10", "eu"), ("A", "us"))
    assert not served(("A", "eu"), ("B", "us"))
    assert not served(("B 90 A 10", "eu"))
    assert served(("B 90 A 10", "eu"), slot="canary")
    assert served(("?A 100", "eu"))
    assert not served(("?A 50 ?B 50", "eu"))
    assert not served()
