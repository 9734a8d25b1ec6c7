"""`--push`: to a bare repository that others push to as well, that refuses, and with `gh` where it is there."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from conftest import Git
from modelspec.world.forge import open_request
from promote import lab

VERB = ("promote", "m0", "1.1.0", "--to", "staging")


def at(root: Path) -> Git:
    git = Git.__new__(Git)
    git.root = root
    return git


def clone(forge: Git, root: Path) -> Git:
    forge("clone", "-q", str(forge.root), str(root))
    git = at(root)
    git("config", "user.name", root.name.capitalize())
    git("config", "user.email", f"{root.name}@example.com")
    return git


@pytest.fixture
def forge(git: Git, tmp_path: Path) -> Git:
    """A bare repository that both clones push to."""
    git("clone", "-q", "--bare", str(git.root), str(tmp_path / "forge.git"))
    return at(tmp_path / "forge.git")


@pytest.fixture
def ada(forge: Git, tmp_path: Path) -> Git:
    """One clone of it."""
    return clone(forge, tmp_path / "ada")


def test_main_is_pushed_and_the_clone_follows(forge: Git, ada: Git) -> None:
    code, said = lab.run(ada.root, *VERB, "--commit", "--push")
    assert code == 0, said
    assert f"pushed to {forge.root}" in said
    assert forge("rev-parse", "main") == ada("rev-parse", "main") == ada("rev-parse", "origin/main")
    assert lab.clean(ada)
    assert "already at 1.1.0" in lab.run(ada.root, *VERB, "--commit", "--push")[1]
    assert [path.name for path in (ada.root / ".git").iterdir() if path.name.startswith("modelspec")] == []


def test_a_clone_that_is_behind_is_judged_on_the_tip_of_the_remote(
    forge: Git, ada: Git, tmp_path: Path
) -> None:
    bo = clone(forge, tmp_path / "bo")
    assert lab.run(bo.root, "promote", "m0", "1.2.0", "--to", "staging", "--commit", "--push")[0] == 0
    code, said = lab.run(ada.root, *VERB, "--commit", "--push")
    assert code == 0, said
    assert "1.2.0 -> 1.1.0" in said
    assert "next: git pull --ff-only origin main" in said
    assert len(forge("rev-list", "main").split()) == 3
    ada("pull", "-q", "--ff-only", "origin", "main")
    assert lab.clean(ada)
    # What somebody withdrew meanwhile is not promoted, though this clone has not heard of it.
    lab.run(bo.root, "pull")
    bo("pull", "-q", "--ff-only", "origin", "main")
    retire = ("retire", "m0", "1.3.0", "--state", "withdrawn", "--reason", "Bad rows", "--commit", "--push")
    assert lab.run(bo.root, *retire)[0] == 0
    before = forge("rev-parse", "main")
    code, said = lab.run(ada.root, "promote", "m0", "1.3.0", "--to", "staging", "--commit", "--push")
    assert (code, "MS510" in said, forge("rev-parse", "main")) == (1, True, before)


def test_a_push_that_loses_the_race_is_judged_and_pushed_again(forge: Git, ada: Git, tmp_path: Path) -> None:
    bo = clone(forge, tmp_path / "bo")
    theirs = bo.commit("theirs, pushed in between")
    # The first push meets a main that has just moved.
    trap, once, real = tmp_path / "bin" / "git", tmp_path / "once", shutil.which("git")
    trap.parent.mkdir()
    trap.write_text(
        "#!/bin/sh\n"
        f'case "$*" in *" push --porcelain "*) if mkdir {once} 2>/dev/null; then '
        f"env -u GIT_OBJECT_DIRECTORY {real} -C {bo.root} push -q origin HEAD:main; fi;; esac\n"
        f'exec {real} "$@"\n'
    )
    trap.chmod(0o755)
    code, said = lab.run(
        ada.root, *VERB, "--commit", "--push", env={"PATH": f"{trap.parent}:{os.environ['PATH']}"}
    )
    assert code == 0, said
    assert once.exists()
    assert forge("log", "--format=%s", "main").splitlines()[:2] == [
        "Promote: m0 1.0.0 -> 1.1.0 in staging", "theirs, pushed in between"
    ]  # fmt: skip
    assert forge("rev-parse", "main^") == theirs


def test_many_clones_at_once_lose_nothing(forge: Git, tmp_path: Path) -> None:
    clones = [clone(forge, tmp_path / f"c{number}") for number in range(3)]
    running = [
        lab.start(one.root, "promote", "m0", f"1.{at + 1}.0", "--to", "staging", "--commit", "--push")
        for at, one in enumerate(clones)
    ]
    for process in running:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, out + err
    assert len(forge("rev-list", "main").split()) == 4
    assert forge("fsck", "--strict", "--no-dangling") == ""


def test_a_forge_that_refuses_is_said_and_nothing_is_left_behind(forge: Git, ada: Git) -> None:
    hook = forge.root / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'main is protected' >&2\nexit 1\n")
    hook.chmod(0o755)
    before = ada("rev-parse", "main")
    code, said = lab.run(ada.root, *VERB, "--commit", "--push")
    assert code == 3, said
    assert "refused the push to main" in said
    assert "main is protected" in said
    assert "--branch --push" in said
    assert ada("rev-parse", "main") == before == forge("rev-parse", "main")
    assert lab.clean(ada)


def test_commits_that_were_never_pushed_are_not_taken_along(forge: Git, ada: Git) -> None:
    ada.commit("local only")
    code, said = lab.run(ada.root, *VERB, "--commit", "--push")
    assert (code, "main has commits that origin lacks" in said) == (3, True), said


def test_a_branch_is_pushed_rebuilt_and_pushed_again(forge: Git, ada: Git, tmp_path: Path) -> None:
    code, said = lab.run(ada.root, *VERB, "--push")
    assert code == 0, said
    branch = "modelspec/staging/m0"
    assert forge("rev-parse", f"{branch}^") == forge("rev-parse", "main")
    bo = clone(forge, tmp_path / "bo")
    assert lab.run(bo.root, "promote", "m1", "1.1.0", "--to", "staging", "--commit", "--push")[0] == 0
    # Stale: built anew on today's main, in place of what we pushed before.
    code, said = lab.run(ada.root, *VERB, "--push")
    assert code == 0, said
    assert forge("rev-parse", f"{branch}^") == forge("rev-parse", "main")
    # A reviewer's commit on it is nobody's to drop.
    bo("fetch", "-q")
    bo("switch", "-q", branch)
    bo.commit("a reviewer's fix")
    bo("push", "-q", "origin", branch)
    tip = forge("rev-parse", branch)
    code, said = lab.run(ada.root, "promote", "m0", "1.2.0", "--to", "staging", "--push")
    assert (code, "which no modelspec made" in said, forge("rev-parse", branch)) == (3, True, tip), said


@pytest.mark.parametrize(
    "url",
    ["ext::sh -c touch% sprung", "--upload-pack=touch sprung", "fd::3", "-x", "git://x/y", "transport::a"],
)
def test_a_url_that_names_a_program_is_refused(ada: Git, url: str) -> None:
    ada("config", "remote.origin.url", url)
    code, said = lab.run(ada.root, *VERB, "--push")
    assert (code, "is not one that is pushed to" in said) == (3, True), said
    assert not (ada.root / "sprung").exists()


def test_no_remote_and_one_that_is_gone(ada: Git, git: Git) -> None:
    ada("remote", "set-url", "origin", "https://user:secret@localhost:1/x.git")
    code, said = lab.run(ada.root, *VERB, "--push")
    assert (code, "can't be reached" in said, "secret" in said) == (3, True, False), said
    assert "git remote add origin URL" in lab.run(git.root, *VERB, "--push")[1]


def test_a_pull_request_is_opened_by_the_program_that_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = tmp_path / "seen"
    for name, answer in (
        ("gh", "https://github.example.com/ml/registry/pull/7"),
        ("glab", '{\\"iid\\": 8, \\"web_url\\": \\"https://gitlab.example.com/x/y/-/merge_requests/8\\"}'),
    ):
        program = tmp_path / name
        program.write_text(f'#!/bin/sh\npwd >> {seen}\nprintf "%s\\n" "$@" >> {seen}\necho "{answer}"\n')
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    url = "https://token:secret@github.example.com/ml/registry.git"
    opened = open_request(url, "modelspec/a/b", "main", "Promote; $(touch x)", "- promote\n")
    assert opened.url == "https://github.example.com/ml/registry/pull/7"
    lines = seen.read_text().splitlines()
    assert "secret" not in seen.read_text()
    assert lines[1:] == [
        "pr", "create", "--repo", "github.example.com/ml/registry", "--head", "modelspec/a/b",
        "--base", "main", "--title", "Promote; $(touch x)", "--body-file", lines[-1],
    ]  # fmt: skip
    assert not Path(lines[0]).exists(), "it ran in an empty folder that is gone"
    seen.unlink()
    opened = open_request("git@gitlab.example.com:x/y.git", "b", "main", "@t", "- a `secret` body\n")
    assert opened.url == "https://gitlab.example.com/x/y/-/merge_requests/8"
    lines = seen.read_text().splitlines()
    assert lines[1:6] == ["api", "--hostname", "gitlab.example.com", "--method", "POST"]
    assert lines[6:-1] == [
        "projects/x%2Fy/merge_requests", "--raw-field", "source_branch=b", "--raw-field",
        "target_branch=main", "--raw-field", "title=@t", "--field",
    ]  # fmt: skip
    # The body is a file, never an argument.
    assert lines[-1].startswith("description=@/") and "body\n" not in seen.read_text()


def test_a_merge_request_that_is_there_is_found_and_a_refusal_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "glab"
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    there = "Another open merge request already exists for this source branch: !12"
    for out, err, url in (
        (f'{{"message":["{there}"]}}', "409", "https://gitlab.example.com/x/y/-/merge_requests/12"),
        ("[[", "glab: 401 Unauthorized", None),
        ('{"web_url": "file:///etc"}', "odd", None),
    ):
        program.write_text(f"#!/bin/sh\nprintf '%s' '{out}'\nprintf '%s\\n' '{err}' >&2\nexit 1\n")
        program.chmod(0o755)
        opened = open_request("https://gitlab.example.com/x/y.git", "b", "main", "t", "")
        assert opened.url == url
        assert url or (err in (opened.hint or "") and "merge_requests/new" in (opened.hint or ""))


@pytest.mark.parametrize("refuses", [False, True])
def test_a_request_that_was_opened_for_something_else_is_renamed(
    refuses: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = tmp_path / "seen"
    link = "https://github.example.com/ml/registry/pull/7"
    program = tmp_path / "gh"
    program.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$@" >> {seen}\n[ "$2" = edit ] && exit {int(refuses)}\n'
        f"echo 'a pull request for branch \"b\" already exists:' >&2\necho {link} >&2\nexit 1\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    opened = open_request("https://github.example.com/ml/registry", "b", "main", "Roll back m0", "- x\n")
    assert opened.url == link
    assert seen.read_text().splitlines()[13:18] == ["edit", link, "--title", "Roll back m0", "--body-file"]
    assert (opened.hint is not None and "Roll back m0" in opened.hint) is refuses


def test_without_such_a_program_the_link_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    for url, hint in {
        "git@github.com:ml/registry.git": "open https://github.com/ml/registry/compare/main...modelspec/a/b?expand=1",
        "ssh://git@gitlab.example.com:22/g/s/r.git": "open https://gitlab.example.com/g/s/r/-/merge_requests/new?"
        "merge_request%5Bsource_branch%5D=modelspec%2Fa%2Fb",
        "https://git.example.com/r": "git push -o merge_request.create origin modelspec/a/b",
        "/srv/forge.git": "merge modelspec/a/b into main",
    }.items():
        opened = open_request(url, "modelspec/a/b", "main", "t", "b")
        assert opened.url is None
        assert hint in (opened.hint or "")
