"""A file whose blocks the store shares with its source, on file systems that can: real ones, on a loop device."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelspec.tree.finding import Refusal
from modelspec.world import durable
from modelspec.world.files import LocalFile, local_tree
from modelspec.world.stores.folder import FolderStore
from modelspec.world.stores.verified import troubles
from world.mounted import here, mounted
from world.stores.test_folder_killed import judge, unflushed
from world.stores.trees import laid, noise
from world.strace import Call, changing, drive, needs_strace
from world.trees import put

__all__ = ["here"]

LARGE = {"model.onnx": noise(3_000_000), "more/words": noise(70_000, 2), "small": b"s" * 700, "empty": b""}


@pytest.fixture(scope="module", params=["xfs", "btrfs"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A new file system that can share blocks."""
    with mounted(request.param, tmp_path_factory.mktemp(request.param)) as found:
        yield found


def used(place: Path) -> int:
    """Bytes of the file system that are taken, with all that waits written."""
    os.sync()
    found = os.statvfs(place)
    return (found.f_blocks - found.f_bfree) * found.f_frsize


def test_large_files_share_their_blocks_and_take_no_space(here: Path) -> None:
    source = here / "source"
    laid(source, LARGE)
    before, store = used(here), FolderStore(here / "store")
    tree = store.put(local_tree(source))
    assert used(here) - before < 500_000
    assert troubles(store, tree.digest) == []
    folder = store.root / tree.digest.replace(":", "-")
    assert {file.file.stat().st_mode & 0o777 for file in local_tree(folder)} == {0o444}
    # Shared blocks are copied when one side is written.
    with (source / "model.onnx").open("r+b") as stream:
        stream.write(b"changed")
    assert troubles(store, tree.digest) == []
    assert tree == FolderStore(here / "copied").put(laid(here / "again", LARGE))


def test_what_is_hashed_is_the_stores_own_copy(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [file for file in laid(here / "source", LARGE) if len(LARGE[file.path]) > 65536]

    def read(_: LocalFile) -> None:
        raise AssertionError("the source was read")

    monkeypatch.setattr(LocalFile, "chunks", read)
    store = FolderStore(here / "store")
    assert troubles(store, store.put(files).digest) == []


def test_a_source_that_changes_meanwhile_is_refused(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [file] = laid(here / "source", {"model": noise(100_000)})
    clone = durable.clone

    def changing_source(source: int, target: int) -> bool:
        done = clone(source, target)
        os.utime(file.file)
        return done

    monkeypatch.setattr(durable, "clone", changing_source)
    with pytest.raises(Refusal, match="changed while it was read"):
        FolderStore(here / "store").put([file])
    assert list((here / "store").iterdir()) == []


def points(here: Path) -> list[Call]:
    root = lay(here / "traced")
    done = drive(root, "store", root, trace=here / "trace")
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
    assert unflushed(here / "trace", root / "store") == []
    found = changing(here / "trace")
    assert [call.result for call in found if call.name == "ioctl"] == ["0", "0"]
    return [call for call in found if call.name in ("ioctl", "fchmod", "rename", "renameat")]


def lay(root: Path) -> Path:
    laid(root / "source", LARGE)
    put(root, "store/.keep", "")
    (root / "store/.keep").unlink()
    return root


@needs_strace
def test_a_kill_or_an_error_at_a_clone_leaves_whole_trees_only(here: Path) -> None:
    for call in points(here):
        for number, how in enumerate(("signal=KILL", "error=EIO", "error=EINTR")):
            root = lay(here / f"{call.name}-{call.number}-{number}")
            done = drive(root, "store", root, inject=f"{call.name}:{how}:when={call.number}")
            assert done.stdout == "" if number == 0 else "Traceback" not in done.stderr
            judge(root)


@pytest.mark.parametrize(
    "number", [errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.EPERM, errno.EIO]
)
def test_where_blocks_can_not_be_shared_they_are_copied_and_nothing_is_said(
    tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def refusing(*_: object) -> None:
        asked.append(number)
        raise OSError(number, os.strerror(number))

    plain = FolderStore(tmp_path / "plain").put(laid(tmp_path / "source", LARGE))
    monkeypatch.setattr(fcntl, "ioctl", refusing)
    store = FolderStore(tmp_path / "store")
    assert store.put(local_tree(tmp_path / "source")) == plain
    assert troubles(store, plain.digest) == []
    assert 0 < len(asked) <= 2, "it is not asked for every file"
