"""The folder store on real file systems: every size of file, a full disk, and what a power cut leaves."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelspec.tree.finding import Refusal
from modelspec.world.files import local_tree
from modelspec.world.stores.fetch import fetch_tree
from modelspec.world.stores.folder import FolderStore
from modelspec.world.stores.verified import troubles
from world.mounted import KINDS, SIZE, here, mount, mounted
from world.stores.trees import laid, noise

__all__ = ["here"]

DATA = noise(9_000_000, 3)
MIB = 1024 * 1024
SIZES = sorted(
    {size + by for size in (1, 512, 1024, 4096, 16384, 256 * 1024, 4 * MIB) for by in (-1, 0, 1)}
    | {4 * MIB + 4096, 8 * MIB + 4097}
)
FILES = {f"{size}": DATA[:size] for size in SIZES}


@pytest.fixture(scope="module", params=[*KINDS, "tmpfs", "sshfs"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with mounted(request.param, tmp_path_factory.mktemp("mounted")) as found:
        yield found


def test_files_of_every_size_come_and_go_whole(here: Path, tmp_path: Path) -> None:
    """From this file system and from another; stored twice, taken over, and fetched to both."""
    store = FolderStore(here / "store")
    tree = store.put(laid(tmp_path / "source", FILES))
    assert {file.path: file.digest for file in tree.files} == {
        path: f"sha256:{hashlib.sha256(data).hexdigest()}" for path, data in FILES.items()
    }
    assert store.put(laid(here / "source", FILES)) == tree
    assert store.take(local_tree(here / "source"))[0] == tree
    assert troubles(store, tree.digest) == []
    for target in (here / "fetched", tmp_path / "fetched"):
        fetch_tree(store, tree.digest, target)
        assert {file.name: file.read_bytes() for file in target.iterdir()} == FILES
    assert len(list(store.root.iterdir())) == 2


def test_a_full_disk_is_a_refusal_and_leaves_nothing(here: Path, tmp_path: Path) -> None:
    files, store = laid(tmp_path / "source", FILES), FolderStore(here / "store")
    store.root.mkdir()
    before = free(here)
    if before > SIZE:
        pytest.skip("too large to be filled")
    refused = 0
    for left in (0, 300_000, 5 * MIB, 12 * MIB, 18 * MIB):
        with (here / "filler").open("wb") as filler:
            # As much as is taken: what a file system keeps for itself it doesn't say.
            size = before - left
            while size > 0 and not taken(filler.fileno(), size):
                size -= 100_000
        try:
            store.put(files)
        except Refusal as refusal:
            refused += 1
            assert "can't be written: no space left on device" in refusal.message
            # A tree without its listing, the last that is written, does not exist.
            assert list(store.trees()) == [] == list(store.root.glob(".*"))
        (here / "filler").unlink()
        shutil.rmtree(store.root)
        store.root.mkdir()
        # XFS, btrfs: what was removed is free a little later.
        end = time.monotonic() + 20
        while free(here) < before - MIB and time.monotonic() < end:
            os.sync()
    if not refused:
        pytest.skip("it could not be filled: btrfs says of less that it is free than it gives")
    assert troubles(store, store.put(files).digest) == []


def free(place: Path) -> int:
    found = os.statvfs(place)
    return found.f_bavail * found.f_frsize


def taken(descriptor: int, size: int) -> bool:
    """Take so much of the disk, or nothing."""
    try:
        os.posix_fallocate(descriptor, 0, size)
    except OSError:
        os.ftruncate(descriptor, 0)
        return False
    return True


@pytest.mark.parametrize("kind", ["ext4", "ext4 of small blocks", "xfs", "btrfs", "btrfs that compresses"])
def test_what_is_stored_outlives_a_power_cut(kind: str, tmp_path: Path) -> None:
    """What the disk holds at the moment when `put`, `take` and `fetch` return, and nothing is flushed again."""
    after, image = tmp_path / "after", tmp_path / "cut"
    after.mkdir()
    with mounted(kind, tmp_path) as top:
        store = FolderStore(top / "store")
        (top / "source").mkdir()
        os.sync()
        first = store.put(laid(tmp_path / "source", FILES))
        taken, _ = store.take(laid(top / "source", {"large": DATA[1:], "small": b"s"}))
        fetch_tree(store, first.digest, top / "fetched")
        # As the loop device has it: what the file system keeps in memory is not in there.
        subprocess.run(["cp", "--sparse=always", str(tmp_path / "image"), str(image)], check=True)
    mount(after, "-o", "loop", str(image))
    try:
        store = FolderStore(after / "store")
        assert sorted(store.trees()) == sorted({first.digest, taken.digest})
        assert [troubles(store, tree) for tree in store.trees()] == [[], []]
        assert {file.name: file.read_bytes() for file in (after / "fetched").iterdir()} == FILES
    finally:
        subprocess.run(["umount", str(after)], check=True)
