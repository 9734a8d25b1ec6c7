"""A store that takes files over instead of copying them, and the old names that go afterwards."""

from __future__ import annotations

import errno
import mmap
import os
import shutil
import stat
import sys
from pathlib import Path

import pytest

from modelspec.tree.finding import Refusal
from modelspec.tree.protocols import StoredTree
from modelspec.world import parallel
from modelspec.world.files import local_tree
from modelspec.world.folders import opened
from modelspec.world.stores import links
from modelspec.world.stores.folder import FolderStore
from modelspec.world.stores.originals import Originals, aside_of, finish
from modelspec.world.stores.stage import staged
from modelspec.world.stores.verified import troubles
from world.stores.trees import SMALL, laid, noise
from world.trees import nested, put

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has leases")


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "store")


def tree_of(store: FolderStore, tree: StoredTree) -> Path:
    return store.root / tree.digest.replace(":", "-")


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def moved(store: FolderStore, source: Path) -> tuple[StoredTree, Originals]:
    """Take a folder, or a file, over; it must not be copied."""
    tree, left = store.take(local_tree(source))
    assert isinstance(left, Originals), left
    return tree, left


def copied(store: FolderStore, source: Path) -> str:
    """Take a folder; it must be copied, and the source be what it was."""
    before = {path: path.read_bytes() for path in source.rglob("*") if path.is_file()}
    modes = {path: path.stat().st_mode for path in before}
    tree, left = store.take(local_tree(source))
    assert isinstance(left, str)
    assert troubles(store, tree.digest) == []
    assert {path: path.read_bytes() for path in before} == before
    assert {path: path.stat().st_mode for path in before} == modes
    return left


def test_the_bytes_stay_where_they_are_and_only_their_names_change(
    tmp_path: Path, store: FolderStore
) -> None:
    source = tmp_path / "source"
    nodes = {file.path: file.file.stat().st_ino for file in laid(source)}
    plain = FolderStore(tmp_path / "other").put(local_tree(source))
    tree, left = moved(store, source)
    assert tree == plain
    folder = tree_of(store, tree)
    assert {file.path: file.file.stat().st_ino for file in local_tree(folder)} == nodes
    assert {stat.S_IMODE(file.file.stat().st_mode) for file in local_tree(folder)} == {0o444}
    # Until the end both names are there.
    assert {file.path: file.file.read_bytes() for file in local_tree(source)} == SMALL
    assert left.remove(source) is None
    assert names(tmp_path) == {"store", "other"}
    assert troubles(store, tree.digest) == []
    assert names(store.root) == {folder.name, f"{folder.name}.sha256sum"}


def test_one_file_is_moved_as_well(tmp_path: Path, store: FolderStore) -> None:
    file = put(tmp_path, "run/model.onnx", noise(9000))
    put(tmp_path, "run/log", "kept")
    tree, left = moved(store, file)
    assert left.remove(file) is None
    assert names(tmp_path / "run") == {"log"}
    assert troubles(store, tree.digest) == []


def test_equal_files_and_links_within_a_folder_go_as_well(tmp_path: Path, store: FolderStore) -> None:
    older = store.put(laid(tmp_path / "older", {"words": noise(9000)}))
    source = tmp_path / "source"
    laid(source, {"words": noise(9000), "a": noise(8000, 2), "b": noise(8000, 2)})
    (source / "linked").hardlink_to(source / "a")
    tree, left = moved(store, source)
    assert (tree_of(store, tree) / "words").samefile(tree_of(store, older) / "words")
    assert (tree_of(store, tree) / "b").samefile(tree_of(store, tree) / "linked")
    assert left.remove(source) is None
    assert not source.exists()
    assert [troubles(store, one.digest) for one in (older, tree)] == [[], []]


def test_what_is_in_the_store_already_is_moved_all_the_same(tmp_path: Path, store: FolderStore) -> None:
    source = tmp_path / "source"
    first = store.put(laid(source))
    second, left = moved(store, source)
    assert second == first
    assert left.remove(source) is None
    assert not source.exists() and troubles(store, first.digest) == []


def test_a_tree_of_a_killed_run_counts_as_the_stores_own_name(tmp_path: Path, store: FolderStore) -> None:
    source = tmp_path / "source"
    laid(source)
    tree, _ = moved(store, source)
    # Killed before the listing had its name: a tree that does not exist, with links to the source.
    (store.root / f"{tree_of(store, tree).name}.sha256sum").unlink()
    again, left = moved(store, source)
    assert again == tree and left.remove(source) is None
    assert not source.exists() and troubles(store, tree.digest) == []


def test_folders_without_end_in_the_store_are_no_tree_of_a_killed_run(
    tmp_path: Path, store: FolderStore
) -> None:
    laid(tmp_path / "source")
    os.link(tmp_path / "source/model.onnx", tmp_path / "another")
    put(store.root, "other/file")
    with nested(store.root / "other", 1500):
        assert "another hard link" in copied(store, tmp_path / "source")


def test_a_file_with_another_name_is_copied(tmp_path: Path, store: FolderStore) -> None:
    laid(tmp_path / "source")
    (tmp_path / "mine").hardlink_to(tmp_path / "source/model.onnx")
    assert "another hard link" in copied(store, tmp_path / "source")


def test_a_name_in_the_stage_of_another_run_is_no_name_of_the_store(
    tmp_path: Path, store: FolderStore
) -> None:
    """It may fail, and leave the bytes to somebody who writes them."""
    laid(tmp_path / "source")
    store.root.mkdir()
    with opened(store.root) as top, staged(top) as other:
        os.link(tmp_path / "source/model.onnx", "linked", dst_dir_fd=other.descriptor)
        assert "another hard link" in copied(store, tmp_path / "source")


def test_a_link_is_called_what_it_is(tmp_path: Path, store: FolderStore) -> None:
    laid(tmp_path / "source")
    (tmp_path / "source/link").symlink_to("model.onnx")
    with pytest.raises(Refusal, match="is a symbolic link"):
        store.take(local_tree(tmp_path / "source"))


def test_a_file_of_somebody_else_is_copied(tmp_path: Path, store: FolderStore) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    laid(tmp_path / "source")
    os.chown(tmp_path / "source/vocab/tokens.txt", 12345, -1)
    assert "somebody else" in copied(store, tmp_path / "source")


def test_a_file_of_another_file_system_is_copied(tmp_path: Path, store: FolderStore) -> None:
    shared = Path("/dev/shm")
    if not shared.is_dir() or shared.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is one file system only")
    import tempfile

    with tempfile.TemporaryDirectory(dir=shared) as folder:
        laid(Path(folder) / "source")
        assert "another file system" in copied(store, Path(folder) / "source")


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP, errno.EMLINK])
def test_what_can_not_be_linked_is_copied_whole(
    tmp_path: Path, store: FolderStore, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    laid(tmp_path / "source")
    link = os.link

    def refusing(source: Path, target: str, **more: object) -> None:
        if str(target).endswith("tokens.txt"):
            raise OSError(number, os.strerror(number))
        link(source, target, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "link", refusing)
    copied(store, tmp_path / "source")


def test_without_leases_it_is_copied(
    tmp_path: Path, store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    laid(tmp_path / "source")
    monkeypatch.delattr(fcntl, "F_SETLEASE")
    assert "whether somebody writes it" in copied(store, tmp_path / "source")


@pytest.mark.parametrize("how", ["open", "mapped"])
def test_a_file_that_somebody_may_write_is_refused(tmp_path: Path, store: FolderStore, how: str) -> None:
    source = tmp_path / "source"
    laid(source)
    with (source / "model.onnx").open("r+b") as stream:
        mapped = mmap.mmap(stream.fileno(), 0) if how == "mapped" else None
        if mapped is not None:
            stream.close()
        with pytest.raises(Refusal, match="open for writing"):
            store.take(local_tree(source))
        if mapped is not None:
            mapped.close()
    assert {file.path: file.file.read_bytes() for file in local_tree(source)} == SMALL
    assert stat.S_IMODE((source / "empty").stat().st_mode) != 0o444
    assert list(store.root.iterdir()) == []


@pytest.mark.parametrize("how", ["opened", "touched"])
def test_a_file_that_is_written_while_it_is_hashed_is_refused(
    tmp_path: Path, store: FolderStore, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parallel, "cores", lambda: 1)
    file = put(tmp_path, "source/model", noise(3_000_000))

    def write(_: int) -> None:
        if how == "touched":
            os.utime(file)
            return
        file.chmod(0o644)
        # Who waits would wait for us, in this one thread.
        with pytest.raises(BlockingIOError):
            os.open(file, os.O_WRONLY | os.O_NONBLOCK)

    said = {"opened": "open for writing", "touched": "changed while it was registered"}[how]
    with pytest.raises(Refusal, match=said):
        store.take(local_tree(file.parent), write)
    assert file.read_bytes() == noise(3_000_000)
    assert list(store.root.iterdir()) == []


@pytest.mark.parametrize("inode", ["freed", "another"])
def test_a_file_that_is_replaced_before_it_is_linked_is_refused(
    inode: str, tmp_path: Path, store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one may have more names than are known of it."""
    file, link = put(tmp_path, "source/model", "ours"), os.link
    # The other one may get the same inode, within one tick of the clock; or another one.
    os.utime(file, (1, 1))

    def late(source: Path, *rest: object, **more: object) -> None:
        if inode == "another":
            put(tmp_path, "other", "mine").rename(file)
        else:
            file.unlink()
            put(tmp_path, "source/model", "mine")
        link(source, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "link", late)
    with pytest.raises(Refusal, match="changed while it was registered"):
        store.take(local_tree(file.parent))
    assert file.read_text() == "mine" and stat.S_IMODE(file.stat().st_mode) != 0o444
    assert list(store.root.iterdir()) == []


def test_a_file_that_is_touched_after_it_was_stored_does_not_go(
    tmp_path: Path, store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, publish = put(tmp_path, "source/model", noise(9000)), FolderStore._publish

    def then(*given: object) -> None:
        publish(*given)  # type: ignore[arg-type]
        os.utime(file, (1, 1))

    monkeypatch.setattr(FolderStore, "_publish", then)
    with pytest.raises(Refusal, match="changed while it was registered"):
        store.take(local_tree(file.parent))
    assert file.exists()


def test_what_fails_late_makes_no_object_of_another_tree_writable(
    tmp_path: Path, store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By then the file to be taken may be a link to what the store had already."""
    tree = store.put(laid(tmp_path / "first", {"model": noise(9000)}))
    laid(tmp_path / "second", {"model": noise(9000), "more": b"more"})

    def failing(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(FolderStore, "_publish", failing)
    with pytest.raises(Refusal, match="input/output error"):
        store.take(local_tree(tmp_path / "second"))
    assert stat.S_IMODE((tree_of(store, tree) / "model").stat().st_mode) == 0o444
    assert stat.S_IMODE((tmp_path / "second/more").stat().st_mode) != 0o444


@pytest.mark.parametrize("what", ["came", "changed"])
def test_what_is_not_what_was_registered_stays_where_it_was(
    tmp_path: Path, store: FolderStore, what: str
) -> None:
    source = tmp_path / "source"
    laid(source)
    tree, left = moved(store, source)
    if what == "came":
        put(source, "vocab/new", "mine")
    else:
        (source / "model.onnx").unlink()
        put(source, "model.onnx", "mine")
    said = left.remove(source)
    assert said is not None and f"{what} meanwhile" in said
    assert (source / ("vocab/new" if what == "came" else "model.onnx")).read_text() == "mine"
    assert troubles(store, tree.digest) == []
    assert names(tmp_path) == {"source", "store"}


def test_a_file_that_was_replaced_stays(tmp_path: Path, store: FolderStore) -> None:
    file = put(tmp_path, "model.onnx", noise(9000))
    _, left = moved(store, file)
    file.unlink()
    put(tmp_path, "model.onnx", "mine")
    assert "not what was registered" in str(left.remove(file))
    assert file.read_text() == "mine"


def test_what_can_not_be_removed_is_said(
    tmp_path: Path, store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "source"
    laid(source)
    _, left = moved(store, source)
    put(tmp_path, ".source.moved", "in the way")
    assert "in the way" in str(left.remove(source))
    (tmp_path / ".source.moved").unlink()

    def failing(*_: object) -> None:
        raise OSError(errno.EBUSY, "Device or resource busy")

    monkeypatch.setattr(Path, "rmdir", failing)
    with monkeypatch.context() as here:
        here.setattr(Path, "rename", failing)
        assert "could not be removed: device or resource busy" in str(left.remove(source))
        assert {file.path: file.file.read_bytes() for file in local_tree(source)} == SMALL
    assert "is empty" in str(left.remove(source))
    assert not source.exists()


def test_what_a_killed_run_took_aside_is_removed_as_far_as_the_store_has_it(
    tmp_path: Path, store: FolderStore
) -> None:
    source = tmp_path / "source"
    laid(source)
    tree, _ = moved(store, source)
    assert finish(source, store.holds) is None
    aside = aside_of(source)
    source.rename(aside)
    put(aside, "vocab/mine", "mine")
    assert "look at it" in str(finish(source, store.holds))
    assert [path.name for path in aside.rglob("*") if path.is_file()] == ["mine"]
    (aside / "vocab/mine").unlink()
    assert "removed" in str(finish(source, store.holds))
    assert not aside.exists() and troubles(store, tree.digest) == []


def test_a_listing_of_the_store_is_read_once_for_all_that_was_taken_aside(
    tmp_path: Path, store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "source"
    moved(store, put(source, "0", "0").parent)
    for number in range(50):
        put(source, f"more/{number}", f"{number}")
    moved(store, source)
    source.rename(aside_of(source))
    reads, read = [], links.read_listing

    def counted(data: bytes) -> object:
        reads.append(data)
        return read(data)

    monkeypatch.setattr(links, "read_listing", counted)
    assert "removed" in str(finish(source, store.holds))
    assert len(reads) <= 2


def test_where_a_link_is_not_known_to_be_the_same_file_it_is_copied(
    tmp_path: Path, store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on sshfs, where every name has an inode of its own."""
    laid(tmp_path / "source")

    def link(source: Path, place: str, *, dst_dir_fd: int, follow_symlinks: bool) -> None:
        shutil.copy2(source, f"/proc/self/fd/{dst_dir_fd}/{place}")

    monkeypatch.setattr(os, "link", link)
    assert "not known to be the same file" in copied(store, tmp_path / "source")
