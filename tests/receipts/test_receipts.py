"""Folding: what duplicates, late and disagreeing observations come to."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelspec.spec.receipt import Receipt, written
from modelspec.trace.receipts import fold, kept, news
from receipts.words import DAY, clock, receipt, slots

PIN = ("production", "eta", "")


def told(receipts: list[Receipt]) -> list[tuple[str, str]]:
    """Return (since, digests) of the stretches of the one pin."""
    return [(f"{one.since:%H:%M}", ",".join(sorted(one.answering))) for one in fold(receipts).get(PIN, ())]


def test_duplicates_fold_to_the_earliest_since() -> None:
    many = [receipt("A", "10:05"), receipt("A", "10:02", "10:05"), receipt("A", "10:03", "10:04", "flux")]
    (only,) = fold(many)[PIN]
    assert (only.since, only.exact, only.seen) == (clock("10:02"), True, clock("10:05"))
    assert only.until is None
    assert len(only.receipts) == 3


def test_a_state_that_comes_back_is_a_stretch_of_its_own() -> None:
    line = fold([receipt("A", "10:00"), receipt("B", "11:00"), receipt("A", "12:00")])[PIN]
    assert [one.slots for one in line] == [slots("A"), slots("B"), slots("A")]
    assert [one.until for one in line] == [clock("11:00"), clock("12:00"), None]


def test_a_late_receipt_takes_its_place_in_time() -> None:
    on_time = [receipt("A", "10:00"), receipt("C", "12:00")]
    late = receipt("B", "11:00", "1.09:00")
    assert news(on_time, [late]) == [late]
    assert [since for since, _ in told([*on_time, late])] == ["10:00", "11:00", "12:00"]


@pytest.mark.parametrize(
    ("again", "why"),
    [
        (receipt("A", "10:30", source="kserve"), "another source sees the same"),
        (receipt("A", "11:00"), "the same source looks again"),
        (receipt("A", "10:00", "15:00"), "a history is read again"),
        (receipt("?A 100", "11:00", source="open-inference"), "a source that does not know slots"),
    ],
)
def test_what_is_known_is_not_told_again(again: Receipt, why: str) -> None:
    assert news([receipt("A", "10:00", "10:10")], [again]) == [], why


def test_an_earlier_beginning_is_news_and_folds() -> None:
    known, earlier = receipt("B", "10:05"), receipt("B", "10:01", "10:06", commit="c")
    assert news([known], [earlier]) == [earlier]
    (only,) = fold([known, earlier])[PIN]
    assert (only.since, only.commit) == (clock("10:01"), "c" * 40)


def test_the_commit_of_a_known_stretch_is_told_once() -> None:
    known, named = receipt("B", "10:05", source="kserve"), receipt("B", "10:06", "10:07", commit="c")
    assert news([known], [named]) == [named]
    assert news([known, named], [receipt("B", "10:08", "10:09", commit="d")]) == []


def test_that_nothing_serves_is_no_news_where_nothing_ever_did() -> None:
    nothing = receipt("", "10:00")
    assert news([], [nothing]) == []
    assert news([receipt("A", "09:00")], [nothing]) == [nothing]


def test_an_endpoint_that_shows_less_does_not_contradict() -> None:
    whole, endpoint = receipt("A 100 -B 0", "10:00", "10:01"), receipt("A", "10:05", source="open-inference")
    assert news([whole], [endpoint]) == []
    (only,) = fold([endpoint, whole])[PIN]
    assert only.slots == whole.slots


def test_a_source_is_believed_that_what_it_showed_is_gone() -> None:
    whole, without = receipt("A 100 -B 0", "10:00", "10:01"), receipt("A", "10:05", "10:06")
    assert news([whole], [without]) == [without]


def test_sources_that_disagree_at_one_instant_are_told_once_each() -> None:
    one, other = receipt("A", "10:00", "10:01"), receipt("B", "10:00", "10:02", "kserve")
    assert news([], [one, other]) == [one, other]
    assert (
        news([one, other], [receipt("A", "10:00", "10:09"), receipt("B", "10:00", "10:09", "kserve")]) == []
    )


def test_clusters_and_models_do_not_mix() -> None:
    many = [
        receipt("A", "10:00", cluster="eu"),
        receipt("A", "10:01", cluster="us"),
        receipt("A", "10:02", model="fraud"),
    ]
    assert news([], many) == many
    assert sorted(fold(many)) == [
        ("production", "eta", "eu"),
        ("production", "eta", "us"),
        ("production", "fraud", ""),
    ]


def test_a_horizon_keeps_what_lasts_beyond_it() -> None:
    many = [receipt("A", "10:00"), receipt("B", "11:00"), receipt("A", "12:00"), receipt("A", "12:30")]
    assert [one.since[11:16] for one in kept(many, clock("11:30"))] == ["11:00", "12:00", "12:30"]
    assert kept(many, clock("12:10")) == many[2:]
    assert kept(many, clock("09:00")) == many


receipts = st.builds(
    lambda state, since, late, source: Receipt(
        environment="production",
        model="eta",
        slots=slots(state),
        since=written(DAY + timedelta(minutes=since)),
        observed=written(DAY + timedelta(minutes=since + late)),
        source=source,
        evidence="drawn",
    ),
    st.sampled_from(["A", "B", "A 90 B 10", "A 100 -B 0", ""]),
    st.integers(0, 30),
    st.integers(0, 5),
    st.sampled_from(["argocd", "kserve"]),
)


def test_nothing_is_no_news_beside_a_first_state_of_the_same_instant() -> None:
    nothing, first = receipt("", "10:00"), receipt("A", "10:00")
    assert news([], [nothing, first]) == [first]
    assert news([first], [nothing, first]) == []


@given(st.lists(receipts, max_size=12), st.lists(receipts, max_size=6))
def test_what_was_told_is_never_told_twice(known: list[Receipt], seen: list[Receipt]) -> None:
    found = news(known, seen)
    assert news([*known, *found], seen) == []


@given(st.lists(receipts, max_size=12))
def test_stretches_follow_one_another_whatever_the_order(many: list[Receipt]) -> None:
    for line in fold(many).values():
        assert all(one.until == other.since for one, other in pairwise(line))
        assert all(one.since <= other.since for one, other in pairwise(line))
        assert line[-1].until is None
    assert fold(many).keys() == fold(many[::-1]).keys()


@given(st.lists(receipts, max_size=12), st.integers(0, 30), st.integers(0, 40))
def test_pruning_leaves_every_later_instant_as_it_was(many: list[Receipt], horizon: int, at: int) -> None:
    start, instant = DAY + timedelta(minutes=horizon), DAY + timedelta(minutes=horizon + at)

    def then(some: list[Receipt]) -> object:
        line = fold(some).get(PIN, ())
        found = [one for one in line if one.since <= instant]
        return found[-1].answering if found else None

    assert then(kept(many, start)) == then(many)
