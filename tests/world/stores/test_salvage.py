"""A fetch goes on with the files that one before it, which was killed, had written whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from modelspec.tree.protocols import Chunk
from modelspec.world.stores.fetch import fetch_tree
from modelspec.world.stores.folder import FolderStore
from world.stores.trees import laid
from world.trees import put

FILES = {"a/first": b"1" * 9000, "b": b"2" * 8000, "c/third": b"3" * 7000}
SIZES = {path: len(data) for path, data in FILES.items()}
SLOW = """
import os, sys, time
from pathlib import Path
from modelspec.world.stores.fetch import fetch_tree
from modelspec.world.stores.folder import FolderStore
class Slow(FolderStore):
    def open(self, digest, path):
        if path != "a/first":
            os.write(1, b"waits\\n")
            time.sleep(60)
        yield from super().open(digest, path)
fetch_tree(Slow(Path(sys.argv[1])), sys.argv[2], Path(sys.argv[3]))
"""


@dataclass(frozen=True, slots=True)
class Watched(FolderStore):
    """A store that notes which files are asked for."""

    asked: list[str] = field(default_factory=list)

    def open(self, digest: str, path: str) -> Iterator[Chunk]:
        self.asked.append(path)
        return FolderStore.open(self, digest, path)


@pytest.fixture
def held(tmp_path: Path) -> tuple[Watched, str]:
    store = Watched(tmp_path / "store")
    return store, store.put(laid(tmp_path / "source", FILES)).digest


@pytest.fixture
def left(tmp_path: Path) -> Path:
    """What a killed fetch has left: one file whole, one in the middle of it, one not begun."""
    stage = tmp_path / ".incoming-0123456789abcdef"
    stage.mkdir(0o700)
    put(stage, "tree/a/first", FILES["a/first"]).chmod(0o444)
    put(stage, "tree/b", FILES["b"][:100])
    return stage


@pytest.mark.parametrize("sizes", [SIZES, None], ids=["of known sizes", "of unknown sizes"])
def test_what_is_whole_is_not_asked_for_again(
    sizes: dict[str, int] | None, tmp_path: Path, held: tuple[Watched, str], left: Path
) -> None:
    node, told = (left / "tree/a/first").stat().st_ino, list[int]()
    done = fetch_tree(*held, tmp_path / "target", told.append, sizes)
    assert not done.already and [(file.path, file.size) for file in done.files] == sorted(SIZES.items())
    assert sorted(held[0].asked) == ["b", "c/third"]
    assert {path: (tmp_path / "target" / path).read_bytes() for path in FILES} == FILES
    assert (tmp_path / "target/a/first").stat().st_ino == node
    assert sum(told) == sum(SIZES.values())
    assert not left.exists()
    assert fetch_tree(*held, tmp_path / "target").already


@pytest.mark.parametrize("how", ["changed", "linked", "a link", "a folder's link", "a folder", "others'"])
def test_what_is_not_known_to_be_ours_is_asked_for(
    how: str, tmp_path: Path, held: tuple[Watched, str], left: Path
) -> None:
    file = left / "tree/a/first"
    if how == "changed":
        file.chmod(0o644)
        file.write_bytes(b"9" + FILES["a/first"][1:])
    elif how == "linked":
        os.link(file, tmp_path / "another")
    elif how == "a link":
        file.rename(tmp_path / "another")
        file.symlink_to(tmp_path / "another")
    elif how == "a folder's link":
        file.parent.rename(tmp_path / "another")
        file.parent.symlink_to(tmp_path / "another")
    elif how == "a folder":
        file.unlink()
        put(file, "in it", b"")
    else:
        left.chmod(0o777)
    fetch_tree(*held, tmp_path / "target")
    assert sorted(held[0].asked) == sorted(FILES)
    assert {path: (tmp_path / "target" / path).read_bytes() for path in FILES} == FILES
    assert not left.exists()
    if how in ("linked", "a link", "a folder's link"):
        assert (tmp_path / "another").exists()


def test_a_stage_that_a_run_holds_is_left_to_it(
    tmp_path: Path, held: tuple[Watched, str], left: Path
) -> None:
    import fcntl

    descriptor = os.open(left, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        fetch_tree(*held, tmp_path / "target")
    finally:
        os.close(descriptor)
    assert sorted(held[0].asked) == sorted(FILES)
    assert (left / "tree/a/first").read_bytes() == FILES["a/first"]


def test_a_killed_fetch_is_gone_on_with(tmp_path: Path, held: tuple[Watched, str]) -> None:
    store, tree = held
    given = [sys.executable, "-c", SLOW, str(store.root), tree, str(tmp_path / "target")]
    with subprocess.Popen(given, stdout=subprocess.PIPE, text=True) as fetch:
        assert fetch.stdout is not None and fetch.stdout.readline() == "waits\n"
        until = time.monotonic() + 30
        while not any(one.stat().st_size == 9000 for one in tmp_path.glob(".incoming-*/tree/a/first")):
            assert time.monotonic() < until
            time.sleep(0.01)
        fetch.send_signal(signal.SIGKILL)
    fetch_tree(store, tree, tmp_path / "target")
    assert sorted(store.asked) == ["b", "c/third"]
    assert {path: (tmp_path / "target" / path).read_bytes() for path in FILES} == FILES
    assert not list(tmp_path.glob(".incoming-*"))
