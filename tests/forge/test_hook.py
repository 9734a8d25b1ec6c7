"""The hook of a plain git server, as documented: whole processes, pushes through git's own quarantine."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from conftest import Git, edit
from forge.forge import Forge
from modelspec.world.git import open_repository
from promote import lab

PIN = "registry/environments/staging/models/m0.yaml"
VERSION = "registry/models/m0/versions/1.0.0.yaml"


@pytest.fixture
def forge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Forge:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    return Forge(tmp_path, lab.files(1, 2, chained=True))


def moved(git: Git, version: str, environment: str = "staging") -> str:
    """Commit a pin by hand, with what it compiles to."""
    path = f"registry/environments/{environment}/models/m0.yaml"
    (git.root / path).write_bytes(lab.pin(environment, "m0", version))
    assert lab.run(git.root, "compile")[0] == 0
    return git.commit("Move by hand")


def test_what_is_right_is_accepted_and_what_is_wrong_is_never_there(forge: Forge) -> None:
    git, _ = forge.clones
    good = moved(git, "1.1.0")
    assert forge.push(git).accepted
    (git.root / VERSION).unlink()
    bad = git.commit("Delete a version")
    pushed = forge.push(git)
    assert not pushed.accepted
    assert "MS402 published-kept" in pushed.said and "m0 1.0.0 is published and was deleted" in pushed.said
    assert forge.git("rev-parse", "main") == good
    objects = forge.git("cat-file", "--batch-all-objects", "--batch-check=%(objectname)").split()
    assert good in objects and bad not in objects


def test_main_is_neither_deleted_nor_rewritten_and_other_branches_are_free(forge: Forge) -> None:
    git, _ = forge.clones
    first = git("rev-parse", "HEAD")
    tip = moved(git, "1.1.0")
    assert forge.push(git).accepted
    assert "main is not deleted" in forge.push(git, ":main").said
    back = forge.push(git, "--force", f"{first}:main")
    assert not back.accepted and "MS406" in back.said and "was rewritten" in back.said
    (git.root / VERSION).unlink()
    git.commit("Delete a version")
    assert forge.push(git, "HEAD:topic").accepted
    assert forge.git("rev-parse", "main") == tip


def test_a_pull_that_makes_main_a_side_branch_is_refused_and_a_merge_into_main_is_not(forge: Forge) -> None:
    one, two = forge.clones
    tip = moved(one, "1.1.0")
    assert forge.push(one).accepted
    (two.root / "notes.txt").write_text("beside the registry\n")
    two.commit("Notes")
    two("branch", "notes")
    two("pull", "--quiet", "--no-rebase", "--no-edit", "origin", "main")
    pushed = forge.push(two)
    assert not pushed.accepted and "has another past" in pushed.said and "--no-ff" in pushed.said
    two("reset", "--quiet", "--hard", "origin/main")
    two("merge", "--quiet", "--no-ff", "-m", "Merge notes", "notes")
    assert forge.push(two).accepted
    assert forge.git("rev-parse", "main^") == tip


def test_gates_are_judged_by_the_servers_clock(forge: Forge) -> None:
    git, _ = forge.clones
    environment = git.root / "registry/environments/production/environment.yaml"
    environment.write_text(environment.read_text() + "gates: {soak: 24h}\n")
    git.commit("Let it soak")
    assert forge.push(git).accepted
    moved(git, "1.1.0")
    assert forge.push(git).accepted
    # The commit says that it was made in ten years; the server knows better.
    path = "registry/environments/production/models/m0.yaml"
    (git.root / path).write_bytes(lab.pin("production", "m0", "1.1.0"))
    assert lab.run(git.root, "compile")[0] == 0
    git("add", "--all")
    git("commit", "--quiet", "-m", "Later", GIT_COMMITTER_DATE="2040-01-01T00:00:00Z")
    pushed = forge.push(git)
    assert not pushed.accepted and "MS532" in pushed.said


def test_a_commit_from_the_future_is_turned_down(forge: Forge) -> None:
    one = forge.clones[0]
    (one.root / "README.md").write_text("later\n")
    one("add", "README.md")
    early = {"GIT_COMMITTER_DATE": "2099-01-01T00:00:00Z", "GIT_AUTHOR_DATE": "2099-01-01T00:00:00Z"}
    one("commit", "--quiet", "-m", "From a machine whose clock is wrong", **early)
    pushed = forge.push(one)
    assert not pushed.accepted and "is dated 2099-01-01T00:00:00Z, which is yet to come" in pushed.said
    one("commit", "--quiet", "--amend", "--reset-author", "--no-edit")
    assert forge.push(one).accepted


def test_the_first_push_of_main_is_judged_whole(forge: Forge, tmp_path: Path) -> None:
    git, _ = forge.clones
    forge.git("update-ref", "-d", "refs/heads/main")
    edit(git.root, PIN, lab.ref("m0", "1.0.0"), lab.ref("m0", "1.0.0")[:-1] + "_")
    git.commit("Break a pin")
    pushed = forge.push(git)
    assert not pushed.accepted and "MS0" in pushed.said
    assert forge.push(git, "HEAD~1:refs/heads/main").accepted


def test_a_quarantine_that_is_not_of_this_repository_has_no_say(
    forge: Forge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    within = forge.root / "objects" / "pack"
    for path in (
        elsewhere,
        within / "..",
        forge.root / "objects" / "nothing",
        Path("objects/../../elsewhere"),
    ):
        monkeypatch.setenv("GIT_QUARANTINE_PATH", str(path))
        assert open_repository(str(forge.root))[0].quarantine == ()
    inside = forge.root / "objects" / "tmp_objdir-incoming-x"
    inside.mkdir()
    for given in (str(inside), "objects/tmp_objdir-incoming-x"):
        monkeypatch.setenv("GIT_QUARANTINE_PATH", given)
        found = dict(open_repository(str(forge.root))[0].quarantine)
        assert found["GIT_OBJECT_DIRECTORY"] == str(inside)
        assert found["GIT_ALTERNATE_OBJECT_DIRECTORIES"] == str(forge.root / "objects")


def test_inside_a_quarantine_no_ref_moves(forge: Forge, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = forge.root / "objects" / "tmp_objdir-incoming-x"
    inside.mkdir()
    monkeypatch.setenv("GIT_QUARANTINE_PATH", str(inside))
    repository = open_repository(str(forge.root))[0]
    done = repository.write("update-ref", "refs/heads/other", repository.resolve("main"))
    assert done.code != 0 and "quarantine" in done.err


def test_registries_in_folders_of_a_monorepo_are_judged_each_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    files = lab.files(1, 2, chained=True)
    tree = {f"teams/{team}/{path}": data for team in ("ml", "ads") for path, data in files.items()}
    forge = Forge(tmp_path, tree | {"src/main.py": b"print()\n"}, roots="teams/ml teams/ads")
    git, _ = forge.clones
    (git.root / "src/main.py").write_text("print(1)\n")
    beside = git.commit("Beside the registries")
    assert forge.push(git).accepted
    (git.root / "teams/ads" / VERSION).unlink()
    git.commit("Delete a version")
    pushed = forge.push(git)
    assert not pushed.accepted and "MS402 published-kept" in pushed.said
    assert forge.git("rev-parse", "main") == beside
    git("reset", "--quiet", "--hard", beside)
    git("rm", "--quiet", "-r", "teams/ads")
    git.commit("Remove a registry")
    pushed = forge.push(git)
    assert not pushed.accepted
    assert (
        "there is no registry/modelspec.yaml in teams/ads" in pushed.said
        and "holds one: teams/ml" in pushed.said
    )
    assert forge.git("rev-parse", "main") == beside
