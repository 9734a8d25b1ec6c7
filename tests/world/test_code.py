"""The code around a file: what git can't give back is refused, and no credential is recorded."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import Git
from modelspec.tree.finding import Refusal
from modelspec.world.code import code_around


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
