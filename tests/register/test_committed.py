"""`register --commit` with a store in the repository: the commit has the bytes, or it says why it can't."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from conftest import Git, Run
from register.conftest import Register, register, shop
from world.stores.trees import noise

__all__ = ["register", "shop"]

NEW = "registry/models/eta/versions/3.0.1.yaml"


@pytest.fixture
def followed(shop: Git) -> Git:
    """The shop with a store that git follows."""
    (shop.root / ".gitignore").write_text("/model.onnx\n/large.bin\n")
    (shop.root / "large.bin").write_bytes(noise(3_000_000))
    shop.commit("Follow the store")
    return shop


@pytest.mark.parametrize("how", ["--commit", "--branch"])
def test_a_clone_of_the_commit_has_every_byte(
    how: str, followed: Git, register: Register, invoke: Run, tmp_path: Path
) -> None:
    done = register("3.0.1", "--artifact", "large.bin", how)
    assert done.returncode == 0, done.stdout + done.stderr
    if how == "--commit":
        # Index and work tree followed, also for what is larger than a file of a registry may be.
        assert followed("status", "--porcelain") == ""
    clone = tmp_path / "clone"
    branch = ["--branch", "modelspec/register/eta-3.0.1"] if how == "--branch" else []
    followed("clone", "--quiet", *branch, str(followed.root), str(clone))
    found = invoke("verify", "eta@3.0.1", cwd=clone)
    assert found.returncode == 0, found.stdout
    assert "verified" in next(line for line in found.stdout.splitlines() if "3.0.1" in line)
    stored = sorted(path.name for path in (clone / "store").rglob("*") if path.is_file())
    assert "large.bin" in stored and "requirements.txt" in stored
    again = register("3.0.1", "--artifact", "large.bin", how)
    assert again.returncode == 0


def test_a_store_that_git_ignores_stays_out_and_that_is_said(shop: Git, register: Register) -> None:
    done = register("3.0.1", "--commit")
    assert done.returncode == 0 and "the bytes are in the store here, and not in the commit" in done.stdout
    assert "store/" not in shop("ls-files")


def test_the_next_command_commits_the_bytes_as_well(
    followed: Git, register: Register, invoke: Run, tmp_path: Path
) -> None:
    done = register("3.0.1")
    said = "git add registry store && git commit -m 'Register: eta 3.0.1'"
    assert f"next: {said}\n" in done.stdout
    subprocess.run(said, shell=True, cwd=followed.root, check=True, capture_output=True)
    assert followed("status", "--porcelain") == ""
    followed("clone", "--quiet", str(followed.root), str(tmp_path / "clone"))
    assert invoke("verify", "eta@3.0.1", cwd=tmp_path / "clone").returncode == 0


def test_the_next_command_leaves_out_what_git_ignores(shop: Git, register: Register) -> None:
    assert "next: git add registry && " in register("3.0.1").stdout


@pytest.mark.parametrize("link", ["committed", "new"])
@pytest.mark.parametrize("how", [None, "--commit", "--branch"])
def test_a_store_that_lies_elsewhere_stays_out(
    how: str | None, link: str, followed: Git, register: Register, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (followed.root / "store").rmdir()
    (followed.root / "store").symlink_to(tmp_path / "elsewhere")
    if link == "committed":
        followed.commit("The store is a mount")
    done = register("3.0.1", *([how] if how else []))
    assert done.returncode == 0, done.stdout + done.stderr
    assert ("next: git add registry && " in done.stdout) == (how is None)
    assert ("store is reached by a link: the bytes are where it leads" in done.stdout) == (how is not None)
    assert len(list((tmp_path / "elsewhere").glob("*.sha256sum"))) > 1


@pytest.mark.parametrize(
    ("file", "line", "noted"),
    [
        (".gitignore", "*.onnx\n", "git ignores 1 file of the store"),
        (".gitattributes", "* text=auto\n", "(text=auto)"),
        (".gitattributes", "*.onnx filter=lfs -text\n", None),
    ],
)
def test_what_a_commit_by_hand_would_not_have_is_a_note(
    file: str, line: str, noted: str | None, followed: Git, register: Register
) -> None:
    with (followed.root / file).open("a") as stream:
        stream.write(line)
    followed.commit("A rule for all files")
    done = register("3.0.1")
    assert done.returncode == 0 and "next: git add registry store && " in done.stdout
    assert (noted in done.stdout) if noted is not None else ("git would change" not in done.stdout)


@pytest.mark.parametrize(
    ("file", "line", "said"),
    [
        (".gitignore", "*.onnx\n", "git ignores 1 file of the store"),
        (".gitattributes", "*.onnx filter=lfs -text\n", "(filter=lfs)"),
        (".gitattributes", "* text=auto\n", "(text=auto)"),
        (".gitattributes", "*.txt working-tree-encoding=UTF-16\n", "(working-tree-encoding=UTF-16)"),
    ],
)
def test_what_git_would_leave_out_or_change_is_refused(
    file: str, line: str, said: str, followed: Git, register: Register
) -> None:
    with (followed.root / file).open("a") as stream:
        stream.write(line)
    head = followed.commit("A rule for all files")
    done = register("3.0.1", "--commit")
    assert (done.returncode, said in done.stderr) == (3, True), done.stderr
    assert (followed("rev-parse", "HEAD"), (followed.root / NEW).exists()) == (head, False)


def test_attributes_of_the_store_take_that_back(followed: Git, register: Register) -> None:
    (followed.root / ".gitattributes").write_text("* text=auto\n*.onnx filter=lfs\n")
    (followed.root / "store/.gitattributes").write_text("* -text -filter\n")
    followed.commit("Bytes stay bytes in the store")
    done = register("3.0.1", "--commit")
    assert done.returncode == 0, done.stderr
    assert followed("status", "--porcelain") == ""
