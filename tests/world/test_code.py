"""The code around a file: what git can't give back is refused, and no credential is recorded."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from conftest import Git
from modelspec.tree.finding import Refusal
from modelspec.world import gitprocess
from modelspec.world.code import code_around
from world.trees import put


@pytest.fixture
def trained(tmp_path: Path) -> Git:
    (tmp_path / "code").mkdir()
    git = Git(tmp_path / "code")
    (git.root / "train.py").write_text("1\n")
    git.commit("code")
    return git


@pytest.mark.parametrize(
    ("address", "recorded"),
    [
        ("https://me:secret@git.example.com/a/b.git", "https://git.example.com/a/b.git"),
        ("HTTPS://secret@git.example.com/a/b", "https://git.example.com/a/b"),
        ("https://me:se@cret@git.example.com/a/b", "https://git.example.com/a/b"),
        ("ssh://git:secret@git.example.com/a", "ssh://git@git.example.com/a"),
        ("ssh://me@git.example.com/a", "ssh://git.example.com/a"),
        ("git@git.example.com:a/b", "git@git.example.com:a/b"),
        ("http://me:secret@git.example.com/a", None),
        ("https://git.example.com/a?token=secret", None),
        ("https://me:sec/ret@git.example.com/a", None),
        ("https://git.example.com/a@b/c", None),
        ("/home/me/a", None),
    ],
)
def test_the_address_has_no_secret(trained: Git, address: str, recorded: str | None) -> None:
    trained("remote", "add", "origin", address)
    assert code_around(trained.root / "train.py").repository == recorded


def test_a_link_is_no_code(trained: Git, tmp_path: Path) -> None:
    (tmp_path / "outside.py").write_text("2\n")
    (trained.root / "link.py").symlink_to(tmp_path / "outside.py")
    trained.commit("a link")
    with pytest.raises(Refusal, match="is a symbolic link"):
        code_around(trained.root / "link.py")


@pytest.mark.parametrize("name", ["new.py", "more/new.py", "more"])
def test_a_file_that_git_does_not_track_yet_is_in_the_patch(name: str, trained: Git, tmp_path: Path) -> None:
    new = trained.root / name
    (new.parent if new.suffix else new).mkdir(exist_ok=True)
    (new if new.suffix else new / "a b.py").write_text("2\n")
    index = (trained.root / ".git/index").read_bytes()
    found = code_around(new)
    assert (found.path, len(found.dirty)) == (name, 1)
    assert (trained.root / ".git/index").read_bytes() == index
    (tmp_path / "patch").write_bytes(found.patch)
    trained("clone", "-q", str(trained.root), str(tmp_path / "clone"))
    trained("-C", str(tmp_path / "clone"), "apply", str(tmp_path / "patch"))
    assert (tmp_path / "clone" / found.dirty[0]).read_text() == "2\n"


@pytest.mark.parametrize("name", ["ignored/train.py", "ignored", "registry/train.py", "empty"])
def test_code_that_nothing_would_record_is_refused(name: str, trained: Git) -> None:
    (trained.root / ".gitignore").write_text("/ignored/\n")
    trained.commit("ignore")
    for folder in ("ignored", "registry", "empty"):
        (trained.root / folder).mkdir()
    for file in ("ignored/train.py", "registry/train.py"):
        (trained.root / file).write_text("3\n")
    with pytest.raises(Refusal, match=r"neither a commit nor code\.patch has it"):
        code_around(trained.root / name, [trained.root / "registry"])


def test_code_in_no_repository_is_said_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("1\n")
    with pytest.raises(Refusal, match=r"train\.py is in no git repository") as caught:
        code_around(tmp_path / "train.py")
    assert "--unknown code" in str(caught.value.hint)


def test_changes_inside_of_a_submodule_are_in_no_patch(trained: Git, tmp_path: Path) -> None:
    (tmp_path / "part").mkdir()
    part = Git(tmp_path / "part")
    (part.root / "a.py").write_text("1\n")
    part.commit("part")
    trained("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(part.root), "p a")
    trained.commit("with a part")
    assert code_around(trained.root / "train.py").dirty == ()
    (trained.root / "p a" / "a.py").write_text("2\n")
    with pytest.raises(Refusal, match="the submodule p a has changes"):
        code_around(trained.root / "train.py")
    trained("-C", "p a", "checkout", "-q", ".")
    (trained.root / "p a" / "new.py").write_text("2\n")
    with pytest.raises(Refusal, match="the submodule p a has changes"):
        code_around(trained.root / "train.py")
    Git(trained.root / "p a").commit("committed in it")
    assert b"+Subproject commit" in code_around(trained.root / "train.py").patch


def test_a_repository_inside_that_git_does_not_follow_is_in_no_patch(trained: Git) -> None:
    """Git lists its folder as one path, and of its files nothing."""
    (trained.root / "vendored").mkdir()
    inner = Git(trained.root / "vendored")
    (inner.root / "a.py").write_text("1\n")
    inner.commit("vendored")
    with pytest.raises(Refusal, match=r"vendored/ is a repository of its own"):
        code_around(trained.root / "train.py")
    (trained.root / ".git/info/exclude").write_text("/vendored/\n")
    assert code_around(trained.root / "train.py").dirty == ()


def test_what_git_cannot_write_down_is_named(trained: Git) -> None:
    """Root may read every file, so that git can't is made with a filter that fails."""
    put(trained.root, ".gitattributes", "weights filter=gone\n")
    trained("config", "filter.gone.clean", "false")
    trained("config", "filter.gone.required", "true")
    put(trained.root, "weights", "1\n")
    with pytest.raises(Refusal, match=r"write down what is not committed: .*(weights|gone)"):
        code_around(trained.root / "train.py")


def test_what_git_does_not_follow_yet_is_asked_for_at_once(
    trained: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One process for each file took minutes for a folder of samples."""
    put(trained.root, 'odd/a b\n"c', "")
    (trained.root / "link").symlink_to("train.py")
    (trained.root / "run.sh").write_bytes(b"#!\0")
    (trained.root / "run.sh").chmod(0o755)
    (trained.root / "train.py").unlink()
    put(trained.root, "train.py/inside", "2")
    started: list[tuple[str, ...]] = []
    run = gitprocess.begin_git

    def counted(folder: Path, where: tuple[str, ...], arguments: tuple[str, ...], extra: Any) -> Any:
        started.append(arguments)
        return run(folder, where, arguments, extra)

    monkeypatch.setattr(gitprocess, "begin_git", counted)
    found = code_around(trained.root)
    few = len(started)
    for number in range(100):
        put(trained.root, f"more/{number}", "3\n")
    started.clear()
    assert code_around(trained.root).patch.startswith(found.patch[:20])
    assert len(started) == few
    (tmp_path / "patch").write_bytes(found.patch)
    trained("clone", "-q", str(trained.root), str(tmp_path / "clone"))
    clone = tmp_path / "clone"
    trained("-C", str(clone), "apply", str(tmp_path / "patch"))
    assert (clone / 'odd/a b\n"c').read_bytes() == b""
    assert (clone / "link").readlink() == Path("train.py")
    assert (clone / "run.sh").read_bytes() == b"#!\0" and (clone / "run.sh").stat().st_mode & 0o100
    assert (clone / "train.py/inside").read_text() == "2"


def test_more_changes_than_a_command_line_holds_are_one_patch(trained: Git) -> None:
    """A system takes two megabytes of arguments, most often."""
    name = "n" * 220
    for number in range(12_000):
        put(trained.root, f"data/{number:05}{name}", "1\n")
    put(trained.root, "registry/a", "1\n")
    trained.commit("data")
    for number in range(12_000):
        put(trained.root, f"data/{number:05}{name}", "2\n")
    put(trained.root, "registry/a", "2\n")
    put(trained.root, "registry/new", "2\n")
    put(trained.root, "new", "2\n")
    found = code_around(trained.root / "train.py", [trained.root / "registry"])
    assert len(found.dirty) == 12_001
    assert found.patch.count(b"\ndiff --git ") == 12_000 and b"registry" not in found.patch
    assert b"+++ b/new\n" in found.patch


def test_what_was_changed_right_after_a_commit_is_in_the_patch(trained: Git) -> None:
    """git looks into files that are as old as its index; a copy of that which is younger hides the change."""
    trained("config", "core.trustCtime", "false")
    script, index = trained.root / "train.py", trained.root / ".git/index"
    script.write_text("1\n")
    second = 1_700_000_000
    os.utime(script, (second, second))
    trained.commit("one")
    script.write_text("2\n")
    for path in (script, index):
        os.utime(path, (second, second))
    put(trained.root, "new", "2\n")
    found = code_around(script)
    assert found.dirty == ("train.py", "new")
    assert found.patch.count(b"diff --git ") == 2


@pytest.mark.parametrize("inside", [False, True])
def test_a_store_that_a_link_leads_to_is_no_code(inside: bool, trained: Git, tmp_path: Path) -> None:
    folder = (trained.root if inside else tmp_path) / "elsewhere"
    put(folder, "sha256-0.sha256sum")
    store = trained.root / "store"
    store.symlink_to(folder)
    script = trained.root / "train.py"
    assert code_around(script, [store]).dirty == ()
    script.write_text("2\n")
    found = code_around(script, [store])
    assert found.dirty == ("train.py",)
    assert b"store" not in found.patch and b"elsewhere" not in found.patch
