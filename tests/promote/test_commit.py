"""`--commit` in every shape that a checkout comes in, beside other people's work, and against hostile ones."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from conftest import Git
from promote import lab

PIN = "registry/environments/staging/models/m0.yaml"
VERB = ("promote", "m0", "1.1.0", "--to", "staging")


def promote(git: Git, *more: str, code: int = 0, root: Path | None = None) -> str:
    found, said = lab.run(root or git.root, *VERB, *(more or ("--commit",)))
    assert found == code, said
    assert "Traceback" not in said
    return said


def test_one_commit_with_its_trailer_and_nothing_of_anybody_else(git: Git) -> None:
    (git.root / "staged.txt").write_text("staged")
    git("add", "staged.txt")
    (git.root / "staged.txt").write_text("and changed again")
    (git.root / "templates/kserve/target.yaml").write_text("dirty, and not ours to commit")
    before = git("rev-parse", "HEAD")
    promote(git)
    assert git("rev-parse", "HEAD^") == before
    assert git("log", "-1", "--format=%an <%ae>%n%B").rstrip() == (
        "Ada <ada@example.com>\nPromote: m0 1.0.0 -> 1.1.0 in staging\n\n"
        "Modelspec-Change: promote m0 staging 1.0.0 -> 1.1.0"
    )
    assert git("show", "--name-only", "--format=").split() == [
        "compiled/staging/models/m0/kserve/inference-service.yaml",
        "compiled/staging/models/m0/manifest.json",
        PIN,
    ]
    assert git("status", "--porcelain").splitlines() == ["AM staged.txt", " M templates/kserve/target.yaml"]
    assert git("interpret-trailers", "--parse", check=False) == ""
    assert "modelspec: Promote" in git("reflog", "-1", "main")


@pytest.mark.parametrize("staged", [False, True])
def test_a_pin_with_changes_is_refused(git: Git, staged: bool) -> None:
    before = git("rev-parse", "HEAD")
    with (git.root / PIN).open("a") as file:
        file.write("# mine\n")
    if staged:
        git("add", PIN)
    said = promote(git, code=3)
    assert f"{PIN} has changes that are not committed" in said
    assert f"git restore --staged --worktree {PIN}" in said
    assert git("rev-parse", "HEAD") == before
    assert (git.root / PIN).read_text().endswith("# mine\n")
    # Beside the work tree it is nobody's business.
    promote(git, "--branch")
    assert (git.root / PIN).read_text().endswith("# mine\n")


def test_a_checkout_with_other_line_ends_is_refused_with_a_cure_that_helps(git: Git) -> None:
    def check_out_again() -> None:
        git("rm", "--cached", "-r", "-q", ".")
        git("reset", "-q", "--hard")

    git("config", "core.autocrlf", "true")
    check_out_again()
    assert git("status", "--porcelain") == ""
    said = promote(git, code=3)
    assert "other line ends" in said and "text eol=lf" in said
    (git.root / ".gitattributes").write_text("* text eol=lf\n")
    git.commit("Line ends")
    check_out_again()
    promote(git)
    assert lab.clean(git)


def test_another_branch_or_none_is_refused_and_a_branch_is_built_beside_it(git: Git) -> None:
    main = git("rev-parse", "main")
    git("switch", "-qc", "topic")
    said = promote(git, code=3)
    assert "topic is checked out, and --commit writes to main" in said
    assert "git switch main, or --branch" in said
    git("switch", "-q", "--detach")
    assert "HEAD is detached" in promote(git, code=3)
    promote(git, "--branch")
    assert git("rev-parse", "modelspec/staging/m0^") == main
    assert lab.stable(git, "staging", "m0", "modelspec/staging/m0") == "1.1.0"
    assert git("rev-parse", "main") == main
    assert lab.clean(git)


def test_an_unborn_branch_is_refused(tmp_path: Path) -> None:
    git = lab.repository(tmp_path / "root", lab.files(1, 2))
    git("update-ref", "-d", "refs/heads/main")
    assert "no commit yet" in promote(git, code=3)
    # Without --commit it is a change of files, and there is no history to judge it by.
    promote(git, "--format", "text")


def test_no_main_branch_is_refused_with_the_cure(git: Git) -> None:
    git("branch", "-m", "main", "trunk")
    said = promote(git, code=3)
    assert "there is no main branch here" in said
    assert "git remote set-head origin --auto" in said
    git("update-ref", "refs/remotes/origin/trunk", "HEAD")
    git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/trunk")
    promote(git)
    assert lab.stable(git, "staging", "m0", "trunk") == "1.1.0"


def test_a_work_tree_beside_the_main_one(git: Git, tmp_path: Path) -> None:
    beside = tmp_path / "beside"
    git("worktree", "add", "-q", "-b", "topic", str(beside))
    assert "topic is checked out" in promote(git, root=beside, code=3)
    git("switch", "-q", "--detach")
    inside = Git.__new__(Git)
    inside.root = beside
    inside("switch", "-q", "main")
    promote(git, root=beside)
    assert lab.stable(git, "staging", "m0", "main") == "1.1.0"
    assert lab.clean(inside)
    # The branch of a pin that is checked out somewhere is not pulled from under it.
    inside("switch", "-qc", "modelspec/staging/m0")
    code, said = lab.run(git.root, "promote", "m0", "1.2.0", "--to", "staging", "--branch")
    assert (code, "is checked out in" in said) == (3, True), said


def test_a_submodule_and_a_folder_of_a_monorepo(git: Git, tmp_path: Path) -> None:
    outer = tmp_path / "outer"
    outer.mkdir()
    above = Git(outer)
    above("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(git.root), "ml")
    inner = Git.__new__(Git)
    inner.root = outer / "ml"
    inner("config", "user.name", "Ada")
    inner("config", "user.email", "ada@example.com")
    promote(git, root=inner.root)
    assert lab.stable(inner, "staging", "m0") == "1.1.0"
    assert lab.clean(inner)
    mono = tmp_path / "mono"
    shutil.copytree(git.root, mono / "teams" / "ml", ignore=shutil.ignore_patterns(".git"))
    whole = Git(mono)
    whole("config", "user.name", "Ada")
    whole("config", "user.email", "ada@example.com")
    whole.commit("all")
    promote(git, root=mono / "teams" / "ml")
    assert whole("show", "--name-only", "--format=").split()[-1] == f"teams/ml/{PIN}"
    assert lab.clean(whole)


def test_a_registry_that_is_a_submodule_of_its_root_is_refused_with_the_cure(
    git: Git, tmp_path: Path
) -> None:
    inner = tmp_path / "inner"
    shutil.copytree(git.root / "registry", inner)
    Git(inner).commit("registry alone")
    outer = tmp_path / "outer"
    outer.mkdir()
    above = Git(outer)
    above("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inner), "registry")
    above.commit("with a submodule")
    said = promote(git, root=outer, code=3)
    assert "run this in the submodule's repository" in said


def test_a_sparse_checkout_loses_nothing_of_what_is_not_checked_out(git: Git) -> None:
    git("sparse-checkout", "set", "registry", "templates")
    assert not (git.root / "compiled").exists()
    before = set(git("ls-tree", "-r", "--name-only", "HEAD").split())
    promote(git)
    assert set(git("ls-tree", "-r", "--name-only", "HEAD").split()) == before
    assert lab.stable(git, "staging", "m0") == "1.1.0"
    assert lab.clean(git)
    assert not (git.root / "compiled").exists()
    git("sparse-checkout", "disable")
    assert lab.run(git.root, "compile", "--check")[0] == 0


def test_a_shallow_clone_is_refused_with_the_cure(git: Git, tmp_path: Path) -> None:
    git.commit("a second commit")
    git("clone", "-q", "--depth", "1", f"file://{git.root}", str(tmp_path / "clone"))
    for more in ((), ("--commit",), ("--branch",)):
        code, said = lab.run(tmp_path / "clone", *VERB, *more)
        assert (code, "git fetch --unshallow" in said) == (3, True), said


def test_a_conflict_is_never_committed_over(git: Git) -> None:
    git("switch", "-qc", "other")
    (git.root / PIN).write_bytes(lab.pin("staging", "m0", "1.2.0"))
    git.commit("other")
    git("switch", "-q", "main")
    (git.root / PIN).write_bytes(lab.pin("staging", "m0", "1.3.0"))
    git.commit("ours")
    git("merge", "other", check=False)
    before = (git.root / PIN).read_bytes()
    assert "in the middle of a merge" in promote(git, code=3)
    assert (git.root / PIN).read_bytes() == before
    # In the work tree it is a file that can't be read.
    said = promote(git, "--format", "text", code=1)
    assert "can't be read" in said


def test_what_a_killed_git_left_is_named_with_its_age_and_cure_and_stays(git: Git) -> None:
    for name in ("index.lock", "HEAD.lock", "refs/heads/main.lock", "packed-refs.lock"):
        lock = git.root / ".git" / name
        lock.write_text("")
        os.utime(lock, (time.time() - 7300, time.time() - 7300))
        said = promote(git, code=3)
        assert f"git is locked: {lock} is there, 2 hours old" in said
        assert f"rm '{lock}'" in said
        assert lock.exists(), "it may belong to somebody: it is never removed in silence"
        lock.unlink()
    promote(git)


def test_a_lock_that_goes_while_we_wait_is_no_reason_to_fail(git: Git) -> None:
    lock = git.root / ".git" / "index.lock"
    lock.write_text("")
    process = lab.start(git.root, *VERB, "--commit")
    time.sleep(1.0)
    lock.unlink()
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, out + err


def test_without_a_name_git_says_who_is_missing(git: Git, tmp_path: Path) -> None:
    git("config", "--unset", "user.name")
    git("config", "--unset", "user.email")
    git("config", "user.useConfigOnly", "true")
    empty = {"HOME": str(tmp_path)}
    code, said = lab.run(git.root, *VERB, "--commit", env=empty)
    assert (code, "git config --global user.name" in said) == (3, True), said
    who = {
        "GIT_AUTHOR_NAME": "Bo",
        "GIT_AUTHOR_EMAIL": "bo@x.org",
        "GIT_COMMITTER_NAME": "CI",
        "GIT_COMMITTER_EMAIL": "ci@x.org",
    }
    code, said = lab.run(git.root, *VERB, "--commit", env={**empty, **who})
    assert code == 0, said
    assert git("log", "-1", "--format=%an %ce") == "Bo ci@x.org"


def test_nothing_of_the_repository_runs(git: Git, tmp_path: Path) -> None:
    sprung = tmp_path / "sprung"
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\necho $0 $* >> '{sprung}'\ncat\n")
    trap.chmod(0o755)
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for hook in (
        "pre-commit",
        "post-commit",
        "reference-transaction",
        "post-index-change",
        "pre-push",
        "commit-msg",
    ):
        shutil.copy(trap, hooks / hook)
        shutil.copy(trap, git.root / ".git" / "hooks" / hook)
    (git.root / ".git" / "info").mkdir(exist_ok=True)
    (git.root / ".git" / "info" / "attributes").write_text("* filter=evil diff=evil merge=evil\n")
    for key, value in {
        "core.fsmonitor": str(trap), "core.hooksPath": str(hooks), "gpg.program": str(trap),
        "gpg.ssh.program": str(trap), "commit.gpgSign": "true", "core.editor": str(trap), "core.pager": str(trap),
        "core.sshCommand": str(trap), "diff.external": str(trap), "filter.evil.clean": str(trap),
        "filter.evil.smudge": str(trap), "diff.evil.textconv": str(trap), "merge.evil.driver": str(trap),
        "credential.helper": str(trap), "remote.origin.receivepack": str(trap), "remote.origin.uploadpack": str(trap),
        "alias.update-ref": f"!{trap}", "core.alternateRefsCommand": str(trap),
    }.items():  # fmt: skip
        git("config", key, value)
    bare = tmp_path / "forge.git"
    Git.__call__(git, "clone", "-q", "--bare", str(git.root), str(bare), check=False)
    if not bare.exists():
        shutil.copytree(git.root / ".git", bare)
        (bare / "config").write_text("[core]\n\tbare = true\n")
        shutil.rmtree(bare / "hooks", ignore_errors=True)
    git("config", "remote.origin.url", str(bare))
    sprung.unlink(missing_ok=True)
    promote(git, "--commit", "--push")
    assert not sprung.exists(), sprung.read_text()
    assert lab.run(git.root, "rollback", "m0", "--env", "staging", "--branch", "--push")[0] == 0
    assert not sprung.exists()


@pytest.mark.parametrize("name", ["-x", "--upload-pack=touch sprung", "--output=sprung"])
def test_a_ref_that_looks_like_an_option_is_data(git: Git, name: str) -> None:
    if " " not in name:
        # Git itself allows such refs.
        git("update-ref", f"refs/heads/{name}", "HEAD")
        git("symbolic-ref", "refs/remotes/origin/HEAD", f"refs/remotes/origin/{name}")
        git("symbolic-ref", "HEAD", f"refs/heads/{name}")
        promote(git)
        assert lab.stable(git, "staging", "m0", f"refs/heads/{name}") == "1.1.0"
    code, said = lab.run(git.root, "rollback", f"--change={name}", "--commit")
    assert code == (3 if " " in name else 0), said
    assert f"git push origin refs/heads/{name}" in said or code == 3
    assert not (git.root / "sprung").exists()


def test_a_replaced_commit_is_seen_as_it_is(git: Git) -> None:
    true = git("rev-parse", "HEAD")
    (git.root / PIN).write_bytes(lab.pin("staging", "m0", "1.1.0"))
    lab.run(git.root, "compile")
    git.commit("false")
    git("replace", true, "HEAD")
    git("reset", "-q", "--hard", true, GIT_NO_REPLACE_OBJECTS="1")
    said = promote(git)
    assert "1.0.0 -> 1.1.0" in said
    assert git("rev-parse", "HEAD^", GIT_NO_REPLACE_OBJECTS="1") == true


def test_a_branch_with_somebodys_commit_is_not_replaced(git: Git) -> None:
    promote(git, "--branch")
    git("switch", "-q", "modelspec/staging/m0")
    git.commit("a reviewer's fix")
    git("switch", "-q", "main")
    git.commit("main moves on")
    said = promote(git, "--branch", code=3)
    assert "which no modelspec made: it is not replaced" in said


def test_a_rollback_that_waits_for_review_is_not_replaced_by_a_promotion_or_a_hold(git: Git) -> None:
    promote(git)
    back = ("rollback", "m0", "--env", "staging", "--reason", "late", "--branch")
    promotion = ("promote", "m0", "1.2.0", "--to", "staging", "--branch")
    assert lab.run(git.root, *promotion)[0] == 0
    assert lab.run(git.root, *back)[0] == 0, "a rollback takes the place of a promotion"
    branch = "modelspec/staging/m0"
    made = git("rev-parse", branch)
    for verb in (promotion, ("hold", "m0", "--env", "staging", "--reason", "wait", "--branch")):
        code, said = lab.run(git.root, *verb)
        assert (
            code == 3 and "a rollback that is not merged" in said and "--delete modelspec/staging/m0" in said
        )
        assert git("rev-parse", branch) == made
    assert lab.run(git.root, *back)[0] == 0
    # Once it is merged, squashed too, the branch is built anew.
    git("merge", "--quiet", "--squash", branch)
    git.commit("Squashed")
    assert lab.run(git.root, "hold", "m0", "--env", "staging", "--release", "--commit")[0] == 0
    code, said = lab.run(git.root, *promotion)
    assert code == 0 and git("rev-parse", f"{branch}^") == git("rev-parse", "main"), said


def test_the_shape_for_programs(git: Git) -> None:
    import json

    code, said = lab.run(git.root, *VERB, "--commit", "--format", "json")
    data = json.loads(said)
    assert code == 0
    assert data["format"] == "modelspec/promote/1"
    assert data["commit"] == git("rev-parse", "HEAD")
    assert data["steps"] == [
        {"verb": "promote", "name": "m0", "environment": "staging", "was": "1.0.0", "now": "1.1.0"}
    ]
    assert (data["changed"], data["blocked"], data["branch"]) == (True, False, "main")
    data = json.loads(lab.run(git.root, *VERB, "--commit", "--format", "json")[1])
    assert (data["changed"], data["already"]) == (False, ["m0 is already at 1.1.0 in staging"])


def test_a_word_that_was_mistyped(git: Git) -> None:
    for arguments, meant in (
        (("promote", "m00", "1.1.0", "--to", "staging"), "did you mean m0?"),
        (("promote", "m0", "1.1", "--to", "staging"), "did you mean 1.1.0?"),
        (("promote", "m0", "1.1.0", "--to", "stagging"), "did you mean staging?"),
        (("hold", "m0", "--env", "staging"), "Say why"),
        (("promote", "m0", "1.1.0", "--to", "staging", "--shadow", "--canary", "5"), "one slot"),
        (("promote", "m0", "1.1.0", "--to", "staging", "--commit", "--branch"), "choose one"),
        (("promote", "m0", "1.1.0", "--to", "staging", "--reason", "a\u202eb"), "can't stand in a file"),
        (
            ("promote", "m0", "1.1.0", "--to", "staging", "--reason", "a", "--link", "file:x"),
            "not a web address",
        ),
        (("rollback", "m0"), "--change COMMIT"),
    ):
        code, said = lab.run(git.root, *arguments)
        assert (code, meant.lower() in said.lower()) == (2, True), said
