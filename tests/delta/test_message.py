"""Pull requests and reviewers are read from messages as forges write them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from modelspec.delta.message import pull_request, reviewers, trailers
from modelspec.spec.history import Commit


def commit(subject: str, body: str = "") -> Commit:
    return Commit("0" * 40, datetime(2026, 1, 1, tzinfo=UTC), "Ada", "ada@example.com", subject, body)


@pytest.mark.parametrize(
    ("subject", "body", "number"),
    [
        ("Promote eta (#12)", "", "#12"),
        ("Merge pull request #34 from team/branch", "Promote eta", "#34"),
        ("Merge branch 'x' into 'main'", "Promote\n\nSee merge request group/project!56", "!56"),
        ("Promote eta", "Why\n\nPull-Request: https://git.example.com/pull/78", "#78"),
        ("Promote eta", "PR: #9", "#9"),
        ("Promote eta", "Merge-Request: !10", "!10"),
        ("Promote eta (!11)", "", "!11"),
        ("Fix #12 in eta", "", None),
        ("Promote eta (#12) again", "", None),
        ("Promote eta", "It says: PR: none\nand more", None),
    ],
)
def test_the_number_of_the_pull_request(subject: str, body: str, number: str | None) -> None:
    assert pull_request(commit(subject, body)) == number


def test_reviewers_are_named_once_and_without_their_address() -> None:
    body = (
        "Why.\n\nReviewed-by: Ben <ben@example.com>\nApproved-by: Ben <b@example.com>\nAcked-by: @chloe\nX: y"
    )
    assert reviewers(commit("s", body)) == ("Ben", "@chloe")


def test_only_a_last_paragraph_of_nothing_else_is_trailers() -> None:
    assert trailers("Reviewed-by: Ben\n\nAn afterthought") == []
    assert trailers("Reviewed-by: Ben\nand so on") == []
    assert trailers("") == []
    assert trailers("A: b\n\n") == [("A", "b")]
