"""A hostile work tree: nothing outside the root is read, nothing waits, nothing is silently left out."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from modelspec.tree.finding import Fault, Refusal
from modelspec.tree.snapshot import LIMIT
from modelspec.world.worktree import WorkTree
from world.trees import put

SECRET = b"the secret of another project"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root beside which lies a secret, also in a sibling whose name begins like it."""
    put(tmp_path, "secret", SECRET)
    put(tmp_path, "root-evil/secret", SECRET)
    put(tmp_path, "root/registry/a.yaml", "a: 1\n")
    return tmp_path / "root"


def open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def everything(root: Path) -> dict[str, bytes | Fault]:
    with WorkTree(root) as tree:
        return {path: blob.read() for path, blob in tree.walk("")}


def fault(root: Path, path: str) -> Fault:
    answer = everything(root)[path]
    assert isinstance(answer, Fault)
    assert SECRET.decode() not in f"{answer.message}{answer.fix}"
    return answer


def test_files_are_read_sorted_with_their_modes(root: Path) -> None:
    put(root, "registry/b", "b").chmod(0o755)
    put(root, "registry/b-c/x", "c")
    put(root, "registry/b.yaml", "d")
    put(root, ".git/config", "not ours")
    with WorkTree(root) as tree:
        assert [(path, oct(blob.mode), blob.read()) for path, blob in tree.walk("")] == [
            ("registry/a.yaml", "0o100644", b"a: 1\n"), ("registry/b", "0o100755", b"b"),
            ("registry/b-c/x", "0o100644", b"c"), ("registry/b.yaml", "0o100644", b"d"),
        ]  # fmt: skip
        assert tree.ls("") == [("registry", True)]
        assert tree.ls("registry") == [("a.yaml", False), ("b", False), ("b-c", True), ("b.yaml", False)]
        assert tree.ls("nothing") == tree.ls("registry/b") == []
        assert tree.get("registry") is None
        assert list(tree.walk("nothing")) == []


@pytest.mark.parametrize(
    "path",
    [
        "../secret", "registry/../../secret", "../root-evil/secret", "..", ".", "", "registry/a.yaml/..",
        "/etc/passwd", "/registry/a.yaml", "//etc/passwd", "./registry/a.yaml", "registry//a.yaml",
        "registry/./a.yaml", "registry/a.yaml/", "registry/a.yaml\0.png", "\0",
        "a" * 5000, "a/" * 3000 + "a", "\ud800", "registry/\ud800/a",
    ],
)  # fmt: skip
def test_a_path_that_leads_out_leads_nowhere(root: Path, path: str) -> None:
    with WorkTree(root) as tree:
        for ask in (lambda: tree.get(path), lambda: list(tree.walk(path)), lambda: tree.ls(path)):
            try:
                assert not ask() or path == ""
            except Refusal as refusal:
                assert "nested deeper" in refusal.message
                assert len(refusal.message) < 200


def test_links_are_named_and_never_followed(root: Path, tmp_path: Path) -> None:
    (root / "registry" / "file").symlink_to(tmp_path / "secret")
    (root / "registry" / "folder").symlink_to(tmp_path)
    (root / "registry" / "out-and-in").symlink_to("../../root/registry")
    (root / "registry" / "inside").symlink_to("a.yaml")
    (root / "registry" / "loop").symlink_to("loop")
    (root / "templates").symlink_to(tmp_path / "root-evil")
    for name in ("file", "folder", "out-and-in", "inside", "loop"):
        assert "symbolic link" in fault(root, f"registry/{name}").message
    assert "symbolic link" in fault(root, "templates").message
    with WorkTree(root) as tree:
        for path in (
            "registry/folder/secret",
            "registry/out-and-in/a.yaml",
            "templates/secret",
            "registry/loop/a",
        ):
            assert tree.get(path) is None
        assert tree.ls("registry/folder") == tree.ls("templates") == []
        assert [path for path, _ in tree.walk("registry/folder")] == ["registry/folder"]
    assert SECRET not in [data for data in everything(root).values() if isinstance(data, bytes)]


def test_a_link_that_appears_after_the_look_is_not_followed(root: Path, tmp_path: Path) -> None:
    put(root, "registry/sub/secret", "mine")
    with WorkTree(root) as tree:
        blobs = dict(tree.walk("registry"))
        (root / "registry" / "a.yaml").unlink()
        (root / "registry" / "a.yaml").symlink_to(tmp_path / "secret")
        answer = blobs["registry/a.yaml"].read()
        assert isinstance(answer, Fault)
        assert "symbolic link" in answer.message
    with WorkTree(root) as tree:
        blob = tree.get("registry/sub/secret")
        (root / "registry" / "sub").rename(tmp_path / "moved")
        (root / "registry" / "sub").symlink_to(tmp_path / "root-evil")
        assert blob is not None
        assert blob.read() == b"mine"
    with WorkTree(root) as tree:
        assert tree.get("registry/sub/secret") is None


def test_a_second_name_is_refused_where_it_is_judged(root: Path, tmp_path: Path) -> None:
    for folder in ("registry", "templates/t", "compiled/e"):
        put(root, f"{folder}/own", "own")
        os.link(tmp_path / "secret", root / folder / "hard")
    for folder in ("registry", "templates/t"):
        assert "hard link" in fault(root, f"{folder}/hard").message
    # The compiler links its own files.
    assert everything(root)["compiled/e/hard"] == SECRET


def test_fifos_sockets_and_devices_do_not_hang(root: Path) -> None:
    os.mkfifo(root / "registry" / "fifo")
    here = Path.cwd()
    with socket.socket(socket.AF_UNIX) as listening:
        os.chdir(root)
        try:
            listening.bind("registry/socket")
        finally:
            os.chdir(here)
        began = time.monotonic()
        for name in ("fifo", "socket"):
            assert "not a regular file" in fault(root, f"registry/{name}").message
        assert time.monotonic() - began < 2
    with WorkTree(root) as tree:
        blob = tree.get("registry/a.yaml")
        (root / "registry" / "a.yaml").unlink()
        os.mkfifo(root / "registry" / "a.yaml")
        assert blob is not None
        answer = blob.read()
        assert isinstance(answer, Fault)
        assert "not a regular file" in answer.message


def test_a_large_file_is_never_read(root: Path) -> None:
    put(root, "registry/edge", b"x" * LIMIT)
    with put(root, "registry/big", b"").open("r+b") as file:
        file.truncate(50 * 1024**3)
    assert everything(root)["registry/edge"] == b"x" * LIMIT
    large = fault(root, "registry/big")
    assert (large.rule, f"{50 * 1024**3:,}" in large.message) == ("text-clean", True)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc on this system")
def test_a_file_that_says_it_is_empty_and_is_not() -> None:
    # Files of a kernel have size 0 and content without end.
    with WorkTree(Path("/proc/self")) as tree:
        blob = tree.get("status")
        assert blob is not None
        data = blob.read()
    assert isinstance(data, bytes)
    assert data.startswith(b"Name:")


def test_a_file_that_vanishes_is_a_fault_and_then_absent(root: Path) -> None:
    with WorkTree(root) as tree:
        ((_, blob),) = tree.walk("registry")
        (root / "registry" / "a.yaml").unlink()
        answer = blob.read()
        assert isinstance(answer, Fault)
        assert "vanished" in answer.message
        assert tree.get("registry/a.yaml") is None
        assert list(tree.walk("registry")) == []


def test_a_name_that_is_not_utf8_is_seen(root: Path) -> None:
    (root / "registry" / os.fsdecode(b"\xff.yaml")).write_bytes(b"x")
    (root / "registry" / "a\nb").write_bytes(b"y")
    assert everything(root) == {
        "registry/a.yaml": b"a: 1\n",
        "registry/\udcff.yaml": b"x",
        "registry/a\nb": b"y",
    }


def test_folders_nested_too_deep_are_refused(root: Path) -> None:
    deep = root / "registry"
    for _ in range(100):
        deep = deep / "d"
    deep.mkdir(parents=True)
    with WorkTree(root) as tree, pytest.raises(Refusal, match="nested deeper"):
        list(tree.walk(""))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="no /proc on this system")
def test_more_folders_than_descriptors_are_kept(root: Path) -> None:
    for number in range(300):
        put(root, f"registry/{number:03}/a/b", str(number))
    before = open_descriptors()
    with WorkTree(root) as tree:
        for _ in range(2):
            found = [blob.read() for path, blob in tree.walk("registry") if path.endswith("b")]
            assert found == [str(number).encode() for number in range(300)]
            assert open_descriptors() < before + 100
        blob = tree.get("registry/000/a/b")
        assert blob is not None
        assert blob.read() == b"0"
    assert open_descriptors() == before


def test_a_root_that_is_none_is_a_refusal(root: Path) -> None:
    for bad in (root / "nothing", root / "registry" / "a.yaml"):
        with pytest.raises(Refusal, match="can't be opened"):
            WorkTree(bad)


@pytest.mark.parametrize("what", ["registry", "registry/models", "registry/a.yaml"])
def test_without_the_right_to_read_it_says_so(root: Path, what: str) -> None:
    put(root, "registry/models/b.yaml", "b")
    (root / what).chmod(0)
    code = """
import os, sys
root = os.open(sys.argv[1], os.O_RDONLY)
from modelspec.tree.finding import Refusal
from modelspec.world.worktree import WorkTree
from pathlib import Path
os.fchdir(root)
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    with WorkTree(Path(".")) as tree:
        print({path: blob.read() for path, blob in tree.walk("registry")})
except Refusal as refusal:
    print("refused", refusal.message, refusal.hint)
"""
    for folder in (root, *root.parents[:3]):
        folder.chmod(folder.stat().st_mode | 0o055)
    done = subprocess.run(
        [sys.executable, "-c", code, str(root)], capture_output=True, text=True, check=False
    )
    (root / what).chmod(0o755)
    assert done.stderr == ""
    assert "permission denied" in done.stdout
    if what.endswith(".yaml"):
        assert "registry/models/b.yaml': b'b'" in done.stdout
    else:
        assert done.stdout.startswith(f"refused the folder {what} can't be read")
