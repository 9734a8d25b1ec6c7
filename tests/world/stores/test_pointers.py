"""Pointers of git-LFS and DVC: read as they are."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

import pytest

from conftest import Git
from modelspec.tree.finding import Refusal
from modelspec.world.source import source_of
from modelspec.world.stores.folder import FolderStore
from modelspec.world.stores.pointers import dvc_tree, lfs_pointer, pointed_tree
from modelspec.world.stores.verified import troubles
from world.stores.trees import SMALL, goes_on, laid, noise
from world.trees import put

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def lfs(data: bytes) -> bytes:
    digest = hashlib.sha256(data).hexdigest()
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {len(data)}\n".encode()


def in_lfs(root: Path, data: bytes) -> None:
    digest = hashlib.sha256(data).hexdigest()
    put(root, f".git/lfs/objects/{digest[:2]}/{digest[2:4]}/{digest}", data)


def test_a_store_whose_files_are_lfs_pointers_gives_the_bytes_behind_them(
    repository: Git, tmp_path: Path
) -> None:
    store = FolderStore(repository.root / "store")
    tree = store.put(laid(tmp_path / "source"))
    model = store.root / tree.digest.replace(":", "-") / "model.onnx"
    model.unlink()
    model.write_bytes(lfs(SMALL["model.onnx"]))
    assert "git-LFS" in str(troubles(store, tree.digest))
    in_lfs(repository.root, SMALL["model.onnx"])
    assert troubles(store, tree.digest) == []
    assert goes_on(store, tree.digest, "model.onnx", SMALL["model.onnx"])
    # Also from a linked work tree, whose objects are the main one's.
    repository("add", ".")
    repository.commit("store")
    repository("worktree", "add", "--quiet", str(tmp_path / "linked"))
    assert troubles(FolderStore(tmp_path / "linked/store"), tree.digest) == []


def test_a_pointer_that_lies_is_found_out(repository: Git, tmp_path: Path) -> None:
    store = FolderStore(repository.root / "store")
    tree = store.put(laid(tmp_path / "source"))
    model = store.root / tree.digest.replace(":", "-") / "model.onnx"
    model.unlink()
    model.write_bytes(lfs(b"evil"))
    in_lfs(repository.root, b"evil")
    assert "does not have its digest" in str(troubles(store, tree.digest))


def test_a_folder_with_pointers_is_a_source(repository: Git) -> None:
    data = noise(5000)
    put(repository.root, "model/weights.bin", lfs(data))
    put(repository.root, "model/config.json", "{}")
    in_lfs(repository.root, data)
    tree = FolderStore(repository.root / "store").put(pointed_tree(repository.root / "model"))
    assert {file.path: file.size for file in tree.files} == {"weights.bin": 5000, "config.json": 2}


def test_bytes_in_the_cache_that_are_not_those_of_the_pointer_are_refused(repository: Git) -> None:
    """They would be registered as they are: nothing but the pointer knows better."""
    put(repository.root, "model/weights.bin", lfs(b"the model"))
    in_lfs(repository.root, b"the model")
    oid = hashlib.sha256(b"the model").hexdigest()
    put(repository.root, f".git/lfs/objects/{oid[:2]}/{oid[2:4]}/{oid}", b"the modem")
    store = FolderStore(repository.root / "store")
    for source in (repository.root / "model", repository.root / "model/weights.bin"):
        with pytest.raises(Refusal, match="does not have the sha256 that its pointer says"):
            store.put(source_of([source]).files)
    assert list(store.trees()) == []


def test_a_pointer_that_was_changed_is_no_model(repository: Git) -> None:
    for data in (lfs(b"x").replace(b"\n", b"\r\n"), lfs(b"x")[:-3], lfs(b"x") + b"more"):
        put(repository.root, "model/weights.bin", data)
        with pytest.raises(Refusal, match="begins as a git-LFS pointer does, and is none"):
            pointed_tree(repository.root / "model")


@pytest.mark.parametrize("data", [b"", b"version 1\n", lfs(b"x")[:-1], lfs(b"x") + b"more", b"x" * 2000])
def test_other_bytes_are_no_pointer(data: bytes) -> None:
    assert lfs_pointer(data) is None


def in_dvc(root: Path, data: bytes, suffix: str = "") -> str:
    md5 = hashlib.md5(data).hexdigest()
    put(root, f".dvc/cache/files/md5/{md5[:2]}/{md5[2:]}{suffix}", data)
    return md5 + suffix


def pointer(root: Path, md5: str, path: str) -> Path:
    return put(
        root, f"{Path(path).name}.dvc", f"outs:\n- md5: {md5}\n  size: 1\n  hash: md5\n  path: {path}\n"
    )


def test_a_dvc_file_and_a_dvc_folder_are_sources(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    one = pointer(tmp_path, in_dvc(tmp_path, b"model"), "model.onnx")
    assert [file.path for file in store.put(dvc_tree(one)).files] == ["model.onnx"]
    rows = [{"md5": in_dvc(tmp_path, data), "relpath": path} for path, data in SMALL.items()]
    many = pointer(tmp_path, in_dvc(tmp_path, json.dumps(rows).encode(), ".dir"), "model")
    assert store.put(dvc_tree(many)) == FolderStore(tmp_path / "other").put(laid(tmp_path / "source"))


def test_dvc_itself_makes_what_is_read(tmp_path: Path) -> None:
    dvc = pytest.importorskip("dvc", reason="dvc is not installed")
    assert dvc
    laid(tmp_path / "model")
    for command in (["git", "init", "-q"], ["dvc", "init", "-q"], ["dvc", "add", "-q", "model"]):
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    assert [file.path for file in dvc_tree(tmp_path / "model.dvc")] == sorted(SMALL)


def test_bytes_that_do_not_have_dvcs_md5_are_refused(tmp_path: Path) -> None:
    md5 = in_dvc(tmp_path, b"model")
    one = pointer(tmp_path, md5, "model.onnx")
    (tmp_path / f".dvc/cache/files/md5/{md5[:2]}/{md5[2:]}").write_bytes(b"evil!")
    with pytest.raises(Refusal, match="md5"):
        FolderStore(tmp_path / "store").put(dvc_tree(one))
    assert list((tmp_path / "store").iterdir()) == []


@pytest.mark.parametrize("path", ["../out", "/out", "a/../../b"])
def test_no_path_of_dvc_leads_out(tmp_path: Path, path: str) -> None:
    with pytest.raises(Refusal):
        dvc_tree(put(tmp_path, "x.dvc", f"outs:\n- md5: {'0' * 32}\n  path: {path}\n"))
    rows = [{"md5": "0" * 32, "relpath": path}]
    (tmp_path / ".dvc").mkdir()
    with pytest.raises(Refusal):
        dvc_tree(pointer(tmp_path, in_dvc(tmp_path, json.dumps(rows).encode(), ".dir"), "model"))


@pytest.mark.parametrize(
    "text", ["", "outs: []\n", "outs:\n- path: a\n", "[1\n", "outs:\n- md5: ../..\n  path: a\n"]
)
def test_what_is_no_dvc_pointer_is_said(tmp_path: Path, text: str) -> None:
    with pytest.raises(Refusal):
        dvc_tree(put(tmp_path, "x.dvc", text))


@pytest.mark.parametrize("listed", [b"", b"[1]", b"[" * 100_000])
def test_what_is_no_list_of_a_folder_of_dvc_is_said(tmp_path: Path, listed: bytes) -> None:
    with pytest.raises(Refusal):
        dvc_tree(pointer(tmp_path, in_dvc(tmp_path, listed, ".dir"), "model"))


@pytest.mark.parametrize("git", [b"\xff\xfe", b"gitdir: /\xff\n", b"", b"gitdir: \0\n"])
def test_a_pointer_beside_a_git_file_that_leads_nowhere_is_said(tmp_path: Path, git: bytes) -> None:
    (tmp_path / ".git").write_bytes(git)
    put(tmp_path, "model/model.bin", lfs(b"model"))
    with pytest.raises(Refusal, match="are not in this clone"):
        pointed_tree(tmp_path / "model")
