"""Going back, row by row as it was tried with git alone: what git does, and what we do."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from conftest import GIT_ENV, Git
from promote import lab

PIN = "registry/environments/production/models/m0.yaml"


def do(git: Git, *arguments: str, code: int = 0) -> str:
    """Run the command; its exit code must be this one, and the work tree must agree afterwards."""
    found, said = lab.run(git.root, *arguments)
    assert found == code, said
    assert "Traceback" not in said
    return said


def promote(git: Git, version: str, *more: str, code: int = 0) -> str:
    return do(git, "promote", "m0", version, "--to", "production", "--commit", *more, code=code)


def rollback(git: Git, *more: str, code: int = 0) -> str:
    return do(git, "rollback", "m0", "--env", "production", "--commit", *more, code=code)


def revert(git: Git, *commits: str) -> int:
    """Revert by hand; gives git's exit code, and leaves nothing half done."""
    done = subprocess.run(
        ["git", "revert", "--no-edit", *commits], cwd=git.root, env={**GIT_ENV, "PATH": "/usr/bin:/bin"},
        capture_output=True, check=False,
    )  # fmt: skip
    if done.returncode:
        git("revert", "--abort", check=False)
    return done.returncode


def served(git: Git) -> str:
    return lab.stable(git, "production", "m0")


def test_the_revert_of_a_live_promotion_is_clean_and_gives_back_exactly_the_compiled_bytes(git: Git) -> None:
    before = lab.compiled(git)
    promote(git, "1.1.0")
    assert lab.compiled(git) != before
    assert revert(git, "HEAD") == 0
    assert (served(git), lab.compiled(git)) == ("1.0.0", before)
    do(git, "check")
    do(git, "compile", "--check")


def test_the_revert_of_a_superseded_promotion_conflicts_and_rollback_restores(git: Git) -> None:
    before = lab.compiled(git)
    promote(git, "1.1.0")
    superseded = git("rev-parse", "HEAD")
    promote(git, "1.2.0")
    assert revert(git, superseded) == 1
    rollback(git, "--to", "1.0.0")
    assert (served(git), lab.compiled(git)) == ("1.0.0", before)


def test_a_revert_of_a_promotion_that_is_not_the_latest_may_be_clean_and_rollback_says_what_comes(
    git: Git,
) -> None:
    """A: 1.0 to 1.1, then 1.1 to 1.2 and back: git reverts A in silence, the pin is 1.0."""
    promote(git, "1.1.0")
    first = git("rev-parse", "HEAD")
    promote(git, "1.2.0")
    promote(git, "1.1.0")
    assert revert(git, first) == 0
    assert served(git) == "1.0.0"
    git("reset", "-q", "--hard", "HEAD~1")
    # By history, not by commit: what served before 1.1.0 ever did. The verdict and both versions are printed.
    said = rollback(git)
    assert re.search(r"m0 1\.0\.0 in production: SAFE\n", said)
    assert "rollback m0 production 1.1.0 -> 1.0.0" in said


def test_a_merge_is_undone_without_knowing_its_parents(git: Git) -> None:
    before = lab.compiled(git)
    git("switch", "-qc", "topic")
    (git.root / PIN).write_bytes(lab.pin("production", "m0", "1.1.0"))
    do(git, "compile")
    git.commit("by hand")
    git("switch", "-q", "main")
    git("merge", "-q", "--no-ff", "-m", "merge", "topic")
    merge = git("rev-parse", "HEAD")
    assert revert(git, merge) == 128 or revert(git, merge) == 1
    said = do(git, "rollback", "--change", merge, "--commit")
    assert "rollback m0 production as before" in said
    assert (served(git), lab.compiled(git)) == ("1.0.0", before)
    # The commit on the branch is not one that main's first-parent history knows.
    said = do(git, "rollback", "--change", "topic", "--commit", code=1)
    assert "is not in the first-parent history" in said


def test_a_branch_whose_merge_was_reverted_is_not_merged_again_but_promoted_again(git: Git) -> None:
    do(git, "promote", "m0", "1.1.0", "--to", "production", "--branch")
    git("merge", "-q", "--no-ff", "-m", "merge", "modelspec/production/m0")
    assert served(git) == "1.1.0"
    assert revert(git, "-m", "1", "HEAD") == 0
    assert "Already up to date" in git("merge", "modelspec/production/m0")
    assert served(git) == "1.0.0", "git merges nothing: the pin stays rolled back"
    promote(git, "1.1.0")
    assert served(git) == "1.1.0"


def test_a_branch_that_was_merged_is_built_anew_on_todays_main(git: Git) -> None:
    do(git, "promote", "m0", "1.1.0", "--to", "production", "--branch")
    git("merge", "-q", "--no-ff", "-m", "merge", "modelspec/production/m0")
    assert revert(git, "-m", "1", "HEAD") == 0
    do(git, "promote", "m0", "1.1.0", "--to", "production", "--branch")
    assert git("rev-parse", "modelspec/production/m0^") == git("rev-parse", "main")
    git("merge", "-q", "--ff-only", "modelspec/production/m0")
    assert served(git) == "1.1.0"


def test_already_there_is_no_error_and_no_commit(git: Git) -> None:
    before = git("rev-parse", "HEAD")
    assert "m0 is already at 1.0.0 in production" in promote(git, "1.0.0")
    assert git("rev-parse", "HEAD") == before


def test_a_withdrawn_version_is_skipped_on_the_way_back_and_never_promoted(git: Git) -> None:
    promote(git, "1.1.0")
    promote(git, "1.2.0")
    promote(git, "1.3.0")
    do(git, "retire", "m0", "1.2.0", "--state", "withdrawn", "--reason", "Late in Lisbon", "--commit")
    rollback(git)
    assert served(git) == "1.1.0"
    said = promote(git, "1.2.0", code=1)
    assert "withdrawn" in said
    assert "nothing was changed" in said
    assert served(git) == "1.1.0"


def test_two_who_are_both_right_are_judged_together(git: Git) -> None:
    """A withdraws 1.1.0, B promotes it; both are green on their own, and the merge is judged as one tree."""
    git("branch", "b")
    do(git, "retire", "m0", "1.1.0", "--state", "withdrawn", "--reason", "Bad rows", "--commit")
    git("switch", "-q", "b")
    (git.root / PIN).write_bytes(lab.pin("production", "m0", "1.1.0"))
    do(git, "compile")
    do(git, "check")
    git.commit("promote by hand")
    git("switch", "-q", "main")
    git("merge", "-q", "--no-edit", "b")
    assert "MS510" in do(git, "check", code=1)
    # Through the tool it is judged on the tip that it lands on.
    git("reset", "-q", "--hard", "HEAD^1")
    assert "MS510" in promote(git, "1.1.0", code=1)


def test_a_squash_merge_that_drops_the_trailers_loses_nothing_that_counts(git: Git) -> None:
    do(git, "promote", "m0", "1.1.0", "--to", "production", "--branch", "--reason", "Late arrivals")
    git("merge", "-q", "--squash", "modelspec/production/m0")
    git("commit", "-qm", "squashed: no trailer at all")
    rollback(git, "--reason", "Worse in Lisbon")
    text = git("show", f"HEAD:{PIN}")
    assert served(git) == "1.0.0"
    assert "hold: {text: Worse in Lisbon}" in text
    assert "Late arrivals" not in text, "the reason belonged to the version that left"


def test_every_earlier_state_comes_back_with_exactly_its_compiled_bytes(git: Git) -> None:
    trees = {"1.0.0": lab.compiled(git)}
    for version in ("1.1.0", "1.2.0", "1.3.0"):
        promote(git, version)
        trees[version] = lab.compiled(git)
    for version in ("1.2.0", "1.1.0", "1.0.0"):
        rollback(git, "--to", version)
        assert (served(git), lab.compiled(git)) == (version, trees[version])
        assert lab.clean(git)


def test_a_canary_is_turned_off_and_params_come_back_unless_kept(git: Git) -> None:
    before = lab.compiled(git)
    promote(git, "1.1.0", "--canary", "10")
    promote(git, "1.1.0", "--canary", "50")
    said = rollback(git)
    assert "canary 1.1.0 -> 1.0.0" in said
    assert lab.compiled(git) == before
    do(git, "hold", "m0", "--env", "production", "--release", "--commit")
    promote(git, "1.1.0", "--canary", "10")
    promote(git, "1.1.0")
    text = git("show", f"HEAD:{PIN}")
    assert "canary" not in text
    (git.root / PIN).write_text(text.replace("min: 2", "min: 5") + "\n")
    do(git, "compile")
    git.commit("more replicas")
    rollback(git, "--keep-params")
    assert "min: 5" in git("show", f"HEAD:{PIN}")
    git("reset", "-q", "--hard", "HEAD~1")
    rollback(git)
    assert lab.compiled(git) == before, "also not back to a canary of what is left"


def test_going_back_twice_by_accident_goes_back_once(git: Git) -> None:
    promote(git, "1.1.0")
    promote(git, "1.2.0")
    rollback(git)
    at = git("rev-parse", "HEAD")
    assert "went back to 1.1.0 and is held" in rollback(git)
    assert git("rev-parse", "HEAD") == at


def test_going_back_to_what_never_served_or_came_later_is_a_promotion(git: Git) -> None:
    assert "never was stable in production" in rollback(git, "--to", "1.3.0", code=1)
    promote(git, "1.1.0")
    rollback(git, "--to", "1.0.0")
    said = rollback(git, "--to", "1.1.0", code=1)
    assert "modelspec promote m0 1.1.0 --to production" in said
    assert "nothing served m1 in production before 1.0.0" in do(
        git, "rollback", "m1", "--env", "production", "--commit", code=1
    )


def test_a_change_of_several_pins_goes_back_but_for_those_that_moved_since(git: Git) -> None:
    do(git, "promote", "m0", "1.1.0", "--to", "staging,production", "--commit")
    commit = git("rev-parse", "HEAD")
    promote(git, "1.2.0")
    said = do(git, "rollback", "--change", commit, "--commit")
    assert "production/m0 moved since: it is left as it is" in said
    assert (lab.stable(git, "staging", "m0"), served(git)) == ("1.0.0", "1.2.0")
    assert "staging/m0 is as it was before" in do(git, "rollback", "--change", commit, "--commit")


def test_comments_and_layout_stay(git: Git) -> None:
    text = (git.root / PIN).read_text()
    text = "# Owned by routing.\n" + text.replace("stable:\n", "# The one that answers.\nstable:\n")
    (git.root / PIN).write_text(text.rstrip("\n") + "   # since June\n")
    git.commit("comments")
    promote(git, "1.1.0")
    diff = [
        line for line in git("diff", "-U0", "HEAD~1", "--", PIN).splitlines() if re.match("[-+][^-+]", line)
    ]
    assert len(diff) == 2, diff
    assert all("version:" in line and "# since June" in line for line in diff)


def test_a_model_is_first_deployed_as_it_is_served_before(tmp_path: Path) -> None:
    tree = {
        path: data for path, data in lab.files(1, 2, chained=True).items() if "production/models" not in path
    }
    git = lab.repository(tmp_path / "root", tree)
    said = promote(git, "1.0.0")
    assert "how it is served was taken from staging" in said
    assert git("show", f"HEAD:{PIN}") == lab.pin("production", "m0", "1.0.0").decode().rstrip("\n")
    do(git, "compile", "--check")
    do(git, "rollback", "--change", "HEAD", "--commit")
    assert (
        git("ls-tree", "-r", "HEAD", "registry/environments/production/models", "compiled/production") == ""
    )
    assert lab.clean(git)
