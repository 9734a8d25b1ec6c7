"""What served at an instant: candidates, and when the evidence does not suffice."""

from __future__ import annotations

from datetime import timedelta

import pytest

from modelspec.spec.receipt import Receipt
from modelspec.trace.declared import Declaration
from modelspec.trace.receipts import fold
from modelspec.trace.served import Then, of_pin, served_then
from receipts.words import clock, declared, digest, receipt

GIT = declared(("09:00", "A"), ("14:00", "B"))


def then(receipts: list[Receipt], at: str, git: list[Declaration] | None = None, slack: int = 300) -> Then:
    lines = of_pin(fold(receipts), "production", "eta")
    return served_then(lines, clock(at), git or [], timedelta(seconds=slack))


def names(found: Then) -> str:
    """Return the letters of the versions that may have answered."""
    return "".join(name for name in "ABCD" if digest(name) in found.answering)


EXACT = [receipt("A", "09:02", "09:10"), receipt("B", "14:02", "14:10")]
SEEN = [receipt("A", "09:10"), receipt("B", "14:30")]


@pytest.mark.parametrize(
    ("at", "may", "certain"),
    [
        ("12:00", "A", True),
        ("13:56", "A", True),
        ("13:58", "AB", False),
        ("14:00", "AB", False),
        ("14:06", "AB", False),
        ("14:08", "B", True),
        ("1.20:00", "B", True),
    ],
)
def test_a_source_that_told_when(at: str, may: str, certain: bool) -> None:
    found = then(EXACT, at, GIT)
    assert (names(found), found.certain, found.reached) == (may, certain, True)
    assert found.certain == (not found.doubts)


@pytest.mark.parametrize(
    ("at", "may"),
    [("13:50", "A"), ("13:57", "AB"), ("14:20", "AB"), ("14:33", "AB"), ("14:36", "B")],
)
def test_what_was_merely_seen_began_after_it_was_merged(at: str, may: str) -> None:
    assert names(then(SEEN, at, GIT)) == may


def test_what_was_merely_seen_may_have_begun_whenever_the_last_look_was_without_git() -> None:
    assert names(then(SEEN, "10:00")) == "AB"
    assert names(then(SEEN, "09:12")) == "AB"
    assert names(then(SEEN, "15:00")) == "B"


def test_no_receipt_reaches_back() -> None:
    found = then(EXACT, "08:00", declared(("07:00", "A")))
    assert (names(found), found.reached, found.certain, found.first) == ("A", False, False, clock("09:02"))
    assert found.doubts == ("no receipt before 2026-10-01T09:02:00Z",)
    assert [one.by for one in found.candidates] == ["declared"]
    nothing = then([], "08:00")
    assert (nothing.candidates, nothing.doubts) == ((), ("there is no receipt of it",))


def test_a_switch_that_nobody_saw() -> None:
    # The observer was away: B was declared and taken back, and no receipt says whether it was live.
    git = declared(("09:00", "A"), ("14:00", "B"), ("18:00", "A"))
    receipts = [receipt("A", "09:02", "09:10")]
    assert names(then(receipts, "13:00", git)) == "A"
    lost = then(receipts, "16:00", git)
    assert (names(lost), lost.certain) == ("AB", False)
    assert {one.by for one in lost.candidates} == {"receipt", "declared"}
    assert "no receipt says whether it was live" in lost.doubts[0]
    assert names(then(receipts, "23:40", git)) == "AB", "it may not have gone yet"
    assert then(receipts, "1.00:01", git).certain


def test_a_slow_rollout_is_no_switch_that_nobody_saw() -> None:
    slow = [receipt("A", "09:02", "09:10"), receipt("B", "14:40", "14:41")]
    assert (names(then(slow, "14:20", GIT)), then(slow, "14:20", GIT).certain) == ("A", True)


def test_the_next_receipt_of_another_switch_says_nothing_of_an_earlier_one() -> None:
    git = declared(("09:00", "A"), ("14:00", "B"), ("15:00", "A"), ("16:00", "B"))
    line = [receipt("A", "09:02", "09:10"), receipt("B", "16:02", "16:03")]
    assert names(then(line, "14:30", git)) == "AB"
    assert names(then(line, "15:30", git)) == "AB"
    git = declared(("09:00", "A"), ("14:00", "B"), ("15:00", "A"), ("1.20:00", "B"))
    line = [receipt("A", "09:02", "09:10"), receipt("B", "1.20:02", "1.20:03")]
    assert names(then(line, "20:00", git)) == "AB"
    assert names(then(line, "1.18:00", git)) == "A"


def test_what_nobody_declared_and_a_receipt_shows() -> None:
    found = then([receipt("A", "09:02", "09:10"), receipt("C", "11:00", "11:02")], "13:00", GIT)
    assert (names(found), found.certain) == ("C", True)


def test_two_rollouts_that_overlap_leave_three() -> None:
    both = [receipt("A", "09:00", "09:01"), receipt("B", "14:02", "14:03"), receipt("C", "14:04", "14:05")]
    found = then(both, "14:05")
    assert (names(found), found.certain) == ("ABC", False)


def test_a_canary_has_its_share_and_is_no_doubt() -> None:
    canary = [
        receipt("A", "09:00", "09:01"),
        receipt("A 90 B 10", "14:00", "14:01"),
        receipt("A 50 B 50", "15:00"),
    ]
    found = then(canary, "14:30")
    assert found.certain
    assert {(one.slot, one.share) for one in found.candidates} == {("stable", 90.0), ("canary", 10.0)}
    assert then(canary, "14:58").certain, "another share leaves the question who answered as it is"


def test_clusters_are_asked_each() -> None:
    both = [receipt("A", "09:00", "09:01", cluster="eu"), receipt("B", "09:00", "09:01", cluster="us")]
    found = then(both, "12:00")
    assert (names(found), found.certain) == ("AB", True)
    assert {one.cluster for one in found.candidates} == {"eu", "us"}


def test_that_nothing_served_is_an_answer() -> None:
    found = then([receipt("A", "09:00", "09:01"), receipt("", "11:00", "11:01")], "12:00")
    assert (found.candidates, found.certain, found.reached) == ((), True, True)


def test_pods_tell_since_when_they_are_up_not_since_when_they_serve() -> None:
    # The node was drained at 18:00: B answered since 14:02, and only its new pods are left to tell.
    line = [receipt("A", "09:02", "09:10"), receipt("B", "18:00", "18:10", source="kubernetes")]
    assert names(then(line, "16:00", GIT)) == "AB"
    assert names(then(line, "13:00", GIT)) == "A"
    assert names(then(line, "18:16", GIT)) == "B"


def test_a_pod_that_answers_says_nothing_of_those_beside_it() -> None:
    git = declared(("09:00", "A"), ("14:00", "A 90 B 10"), ("1.14:00", "A"))
    looks = [receipt("A", "09:30", source="open-inference"), receipt("A", "15:00", source="open-inference")]
    assert names(then(looks[:1], "13:00", git)) == "A"
    assert names(then(looks, "20:00", git)) == "AB"
    # The canary's end may not have been synced: the pod that was seen is one of the canary's as well.
    stuck = [*looks, receipt("A", "1.15:00", source="open-inference")]
    assert names(then(stuck, "4.12:00", git)) == "AB"


def test_a_state_declared_minutes_ago_was_not_seen_for_sure() -> None:
    # B was seen for its first merge; what A hides is the time between the two others.
    git = declared(("09:00", "A"), ("14:00", "B"), ("14:06", "A"), ("14:11", "B"), ("14:40", "A"))
    line = [receipt("A", "09:02", "09:10"), receipt("B", "14:01", "14:13")]
    assert names(then(line, "14:20", git)) == "AB"


def test_what_nobody_saw_goes_away_slowly_too() -> None:
    git = declared(("08:00", "A"), ("09:00", "C"), ("14:00", "B"))
    line = [receipt("A", "08:02", "08:10"), receipt("B", "14:02", "14:10")]
    assert names(then(line, "14:04", git)) == "ABC"
    assert names(then(line[1:], "14:04", git[1:])) == "BC", "also where B's receipt is the first of all"


def test_old_pods_answer_while_new_ones_come_up() -> None:
    lines = of_pin(fold(EXACT), "production", "eta")
    # A rollout of eight minutes, by two clocks that are six apart.
    assert names(served_then(lines, clock("14:16"), GIT)) == "AB"
    assert served_then(lines, clock("14:18"), GIT).certain
