"""Who answered: grades of evidence, and every case in which nobody is named."""

from __future__ import annotations

from modelspec.trace.candidates import Evidence, Identified, Place, identify, named_by, witnessed
from modelspec.trace.declared import Declaration
from modelspec.trace.receipts import fold
from modelspec.trace.served import of_pin, served_then
from receipts.words import clock, declared, digest, receipt

DECLARED = declared(("10:00", "A"), ("12:00", "B"))
SEEN = [receipt("A", "10:04", "10:05"), receipt("B", "12:04", "12:05")]


def place(at: str, receipts: list[object], known: list[Declaration]) -> Place:
    lines = of_pin(fold(receipts), "production", "eta")  # type: ignore[arg-type]
    return Place("production", served_then(lines, clock(at), known), tuple(known), tuple(lines))


def asked(
    at: str, receipts: list[object], known: list[Declaration], slot: str | None = None, **more: object
) -> Identified:
    return identify(Evidence(clock(at), slot=slot, places=(place(at, receipts, known),), **more))  # type: ignore[arg-type]


def test_a_stamp_names_its_version() -> None:
    found = asked("11:00", SEEN, DECLARED, stamped=(digest("A"),))
    assert (found.digest, found.grade, found.why) == (digest("A"), "stamp", ())


def test_a_stamp_counts_more_than_what_else_is_known() -> None:
    found = asked("11:00", SEEN, DECLARED, stamped=(digest("Z"),))
    assert (found.digest, found.grade) == (digest("Z"), "stamp")
    assert "a clock lies" in found.why[0]


def test_a_stamp_that_no_version_has_names_none_though_receipts_would() -> None:
    found = asked("11:00", SEEN, DECLARED, stamped=())
    assert found.digest is None and found.candidates == () and "No version has" in found.why[0]


def test_a_stamp_cut_short_may_stand_for_several() -> None:
    known = ["sha256:" + "a" * 12 + c * 52 for c in "bc"]
    assert named_by("sha256-" + "a" * 12, known) == tuple(known)
    assert named_by("sha256-" + "a" * 12 + "b", known) == (known[0],)
    assert named_by("sha256-" + "a" * 11, known) == ()
    assert named_by("2.3.1", known) == () and named_by("", known) == ()
    found = asked("11:00", SEEN, DECLARED, stamped=tuple(known))
    assert found.digest is None and len(found.candidates) == 2


def test_receipts_name_what_served() -> None:
    found = asked("11:00", SEEN, DECLARED)
    assert (found.digest, found.grade, found.why) == (digest("A"), "receipt", ())


def test_near_a_switch_both_may_have_answered() -> None:
    found = asked("12:03", SEEN, DECLARED)
    assert found.digest is None
    assert {one.digest for one in found.candidates} == {digest("A"), digest("B")}


def test_a_lost_observation_leaves_it_open() -> None:
    found = asked("13:30", SEEN[:1], DECLARED)
    assert found.digest is None and len(found.candidates) == 2
    assert any("no receipt says whether it was live" in one for one in found.why)


def test_a_canary_is_no_matter_of_time_unless_the_record_names_its_slot() -> None:
    known = declared(("10:00", "A 90 B 10"))
    seen = [receipt("A 90 B 10", "10:04", "10:05")]
    found = asked("11:00", seen, known)
    assert found.digest is None and [one.where for one in found.candidates] == [
        one.where for one in sorted(found.candidates, key=lambda one: one.digest)
    ]
    assert {one.where for one in found.candidates} == {("production stable",), ("production canary",)}
    named = asked("11:00", seen, known, slot="canary")
    assert (named.digest, named.grade) == (digest("B"), "receipt")


def test_what_stands_by_answers_nothing() -> None:
    seen = [receipt("A 100 -B 0", "10:04", "10:05")]
    assert asked("11:00", seen, declared(("10:00", "A 100 -B 0"))).digest == digest("A")


def test_git_alone_is_a_grade_of_its_own() -> None:
    found = asked("11:30", [], DECLARED)
    assert (found.digest, found.grade) == (digest("A"), "declared")
    assert found.why == ("There is no receipt of it.",)


def test_git_alone_soon_after_a_merge_names_none() -> None:
    found = asked("12:30", [], DECLARED)
    assert found.digest is None and len(found.candidates) == 2


def test_without_time_and_stamp_there_is_no_answer() -> None:
    found = identify(Evidence(None))
    assert found.digest is None and "--around" in found.why[0]


def test_before_everything_there_is_no_answer() -> None:
    assert asked("09:00", [], DECLARED).digest is None


def open_case() -> Identified:
    return asked("12:03", SEEN, DECLARED)


APART = {digest("A"): "x", digest("B"): "y"}


def said(a: str, b: str) -> dict[str, object]:
    return {digest("A"): (a, ""), digest("B"): (b, "")}


def test_a_witness_names_the_one_that_agrees_alone() -> None:
    found = witnessed(open_case(), said("differs", "agrees"), APART)  # type: ignore[arg-type]
    assert (found.digest, found.grade) == (digest("B"), "witness")


def test_a_witness_is_silent_when_not_all_were_asked() -> None:
    found = witnessed(open_case(), said("unknown", "agrees"), APART)  # type: ignore[arg-type]
    assert found.digest is None and "not every other candidate" in found.why[-1]


def test_versions_that_share_their_weights_can_not_be_told_apart() -> None:
    found = witnessed(open_case(), said("agrees", "agrees"), dict.fromkeys(APART, "x"))  # type: ignore[arg-type]
    assert found.digest is None and "share their artifact" in found.why[-1]


def test_no_candidate_agrees() -> None:
    found = witnessed(open_case(), said("differs", "differs"), APART)  # type: ignore[arg-type]
    assert found.digest is None and "another version answered" in found.why[-1]


def test_a_replay_that_differs_takes_a_name_back() -> None:
    named = asked("11:00", SEEN, DECLARED)
    taken = witnessed(named, {digest("A"): ("differs", "")}, APART)
    assert taken.digest is None and taken.grade is None
    kept = witnessed(named, {digest("A"): ("agrees", "")}, APART)
    assert (kept.digest, kept.grade) == (digest("A"), "receipt") and "gives the logged answer" in kept.why[-1]
    unasked = witnessed(named, {}, APART)
    assert unasked.digest == digest("A")
