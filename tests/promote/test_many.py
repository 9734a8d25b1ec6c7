"""Many at once lose nothing: processes that promote beside each other, and beside people who commit."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from promote import lab

AT_ONCE = 4


def rush(tmp_path: Path, each: int) -> None:
    git = lab.repository(tmp_path / "root", lab.files(AT_ONCE, 3, ("staging",)))
    before = len(git("rev-list", "HEAD").split())
    (git.root / "notes.txt").write_text("mine, staged and in nobody's commit")
    git("add", "notes.txt")
    waiting = {
        f"m{number}": [f"1.{2 - at % 2}.0" for at in range(each)] for number in range(AT_ONCE)
    }  # 1.2.0, 1.1.0, 1.2.0 ...: each one changes the pin
    running = {
        model: lab.start(git.root, "promote", model, versions.pop(0), "--to", "staging", "--commit")
        for model, versions in waiting.items()
    }
    while running:
        for model, process in list(running.items()):
            out, err = process.communicate(timeout=240)
            assert process.returncode == 0, out + err
            assert "committed" in out
            if waiting[model]:
                version = waiting[model].pop(0)
                running[model] = lab.start(git.root, "promote", model, version, "--to", "staging", "--commit")
            else:
                del running[model]
    commits = git("rev-list", "--reverse", "HEAD").split()[before:]
    assert len(commits) == AT_ONCE * each
    for commit in commits:
        model = re.search(r"promote (m\d) ", git("log", "-1", "--format=%B", commit))
        assert model is not None
        touched = git("show", "--name-only", "--format=", commit).split()
        assert touched, commit
        assert all(f"/{model[1]}" in path for path in touched), f"{commit} holds another's file: {touched}"
        assert len(touched) == 3
    assert git("status", "--porcelain") == "A  notes.txt"
    assert git("fsck", "--strict", "--no-dangling") == ""
    assert lab.run(git.root, "compile", "--check")[0] == 0


def test_four_processes_promote_at_once(tmp_path: Path) -> None:
    rush(tmp_path, 3)


@pytest.mark.slow
def test_four_processes_promote_twenty_times_each_at_once(tmp_path: Path) -> None:
    rush(tmp_path, 20)


def test_the_same_pin_moved_by_all_of_them_at_once_is_moved_by_each_in_turn(tmp_path: Path) -> None:
    git = lab.repository(tmp_path / "root", lab.files(1, 5, ("staging",)))
    running = [
        lab.start(git.root, "promote", "m0", f"1.{minor}.0", "--to", "staging", "--commit")
        for minor in range(1, 5)
    ]
    for process in running:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, out + err
    steps = re.findall(r"promote m0 staging (\S+) -> (\S+)", git("log", "--reverse", "--format=%B"))
    assert len(steps) == 4
    assert [was for was, _ in steps] == ["1.0.0", *(now for _, now in steps[:-1])], (
        "each was judged on the tip"
    )
    assert lab.clean(git)


def test_somebody_who_commits_meanwhile_makes_it_judge_again(tmp_path: Path) -> None:
    """A git that is no modelspec asks for no lock of ours: the compare-and-swap is what notices it."""
    git = lab.repository(tmp_path / "root", lab.files(2, 3, ("staging",)))
    trap = tmp_path / "bin" / "git"
    trap.parent.mkdir()
    import shutil

    real = shutil.which("git")
    once = tmp_path / "once"
    # Before the first update-ref, somebody commits to main.
    trap.write_text(
        "#!/bin/sh\n"
        f'case "$*" in *" update-ref "*refs/heads/main*) if mkdir {once} 2>/dev/null; then\n'
        f"  GIT_AUTHOR_NAME=B GIT_AUTHOR_EMAIL=b@x GIT_COMMITTER_NAME=B GIT_COMMITTER_EMAIL=b@x {real} commit -q --allow-empty -m theirs\n"
        f'fi;; esac\nexec {real} "$@"\n'
    )
    trap.chmod(0o755)
    import os

    code, said = lab.run(
        git.root, "promote", "m0", "1.1.0", "--to", "staging", "--commit",
        env={"PATH": f"{trap.parent}:{os.environ['PATH']}"},
    )  # fmt: skip
    assert code == 0, said
    assert git("log", "--format=%s", "-2").splitlines() == ["Promote: m0 1.0.0 -> 1.1.0 in staging", "theirs"]
    assert lab.clean(git)
