"""A store in a folder: what it holds, what it refuses, what it notices."""

from __future__ import annotations

import errno
import hashlib
import os
import random
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from modelspec.tree.digest import listing, stamp
from modelspec.tree.finding import Refusal
from modelspec.world.code import Bytes
from modelspec.world.files import LocalFile, local_tree
from modelspec.world.stores import links, stage
from modelspec.world.stores.collect import collect
from modelspec.world.stores.fetch import fetch_tree
from modelspec.world.stores.folder import FolderStore
from modelspec.world.stores.verified import troubles, verified
from world.stores.trees import SMALL, Given, laid, noise
from world.trees import nested, put

HOSTILE = (
    "../out", "a/../../out", "/tmp/out", "a//b", "./a", "a/.", "", "a\\b", "con", "nul.txt", "lib/aux.c", "a\nb",
    "a:b", "end.", "end ", "\x00", "C:/x",
)  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "store")


def test_a_tree_lies_as_serving_systems_load_it_with_its_listing_beside_it(
    tmp_path: Path, store: FolderStore
) -> None:
    tree = store.put(laid(tmp_path / "source"))
    folder = store.root / tree.digest.replace(":", "-")
    assert (folder / "vocab/tokens.txt").read_bytes() == SMALL["vocab/tokens.txt"]
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", f"{folder}.sha256sum"],
        cwd=folder,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert hashlib.sha256(Path(f"{folder}.sha256sum").read_bytes()).hexdigest() == tree.digest[7:]
    assert list(store.trees()) == [tree.digest]
    assert store.exists(tree.digest)
    assert {file.file.stat().st_mode & 0o777 for file in local_tree(folder)} == {0o444}
    assert {path.name for path in store.root.iterdir()} == {folder.name, f"{folder.name}.sha256sum"}


def test_a_tree_without_its_listing_does_not_exist(tmp_path: Path, store: FolderStore) -> None:
    tree = store.put(laid(tmp_path / "source"))
    (store.root / f"{tree.digest.replace(':', '-')}.sha256sum").unlink()
    assert not store.exists(tree.digest)
    assert list(store.trees()) == []
    with pytest.raises(Refusal, match="is not in"):
        fetch_tree(store, tree.digest, tmp_path / "out")


def test_what_is_not_there_is_said_and_deleting_it_is_no_error(store: FolderStore) -> None:
    digest = "sha256:" + "0" * 64
    assert (store.exists(digest), list(store.trees()), store.listing(digest)) == (False, [], None)
    store.root.mkdir()
    store.delete(digest)
    with pytest.raises(Refusal, match="no digest"):
        store.delete("sha256:../../..")


def test_delete_removes_the_tree_and_its_listing(tmp_path: Path, store: FolderStore) -> None:
    tree = store.put(laid(tmp_path / "source"))
    store.delete(tree.digest)
    assert list(store.root.iterdir()) == []


def test_folders_without_end_in_a_tree_are_said_and_deleted_with_it(
    tmp_path: Path, store: FolderStore
) -> None:
    tree = store.put(laid(tmp_path / "source"))
    with nested(store.root / tree.digest.replace(":", "-"), 1500):
        assert ["is not in the listing" in one for one in troubles(store, tree.digest)] == [True]
        store.delete(tree.digest)
    assert list(store.root.iterdir()) == []


def test_equal_files_share_their_bytes_across_trees_and_within_one(
    tmp_path: Path, store: FolderStore
) -> None:
    shared = noise(10_000)
    store.put(laid(tmp_path / "a", {"one": shared, "two": shared, "own": b"a"}))
    tree = store.put(laid(tmp_path / "b", {"sub/three": shared, "own": b"b"}))
    folder = store.root / tree.digest.replace(":", "-")
    assert (folder / "sub/three").stat().st_nlink == 3
    assert troubles(store, tree.digest) == []


def test_nothing_is_linked_to_an_object_that_was_changed(tmp_path: Path, store: FolderStore) -> None:
    first = store.put(laid(tmp_path / "a", {"one": noise(10_000), "own": b"a"}))
    damage(store.root / first.digest.replace(":", "-") / "one", noise(10_000, 2))
    second = store.put(laid(tmp_path / "b", {"one": noise(10_000), "own": b"b"}))
    assert troubles(store, second.digest) == []


def damage(file: Path, data: bytes) -> None:
    """Change an object in place, as whoever may write the folder can."""
    file.chmod(0o644)
    file.write_bytes(data)
    file.chmod(0o444)


def test_a_second_put_hashes_what_is_there_and_mends_it(tmp_path: Path, store: FolderStore) -> None:
    files = laid(tmp_path / "source")
    tree = store.put(files)
    damage(store.root / tree.digest.replace(":", "-") / "model.onnx", b"evil")
    assert len(troubles(store, tree.digest)) == 1
    store.put(files)
    assert troubles(store, tree.digest) == []
    assert len(list(store.root.iterdir())) == 2


def test_a_file_in_the_place_of_a_tree_is_replaced(tmp_path: Path, store: FolderStore) -> None:
    tree = store.put(laid(tmp_path / "source"))
    place = store.root / tree.digest.replace(":", "-")
    place.rename(tmp_path / "gone")
    place.write_bytes(b"")
    store.put(laid(tmp_path / "source"))
    assert troubles(store, tree.digest) == []
    assert len(list(store.root.iterdir())) == 2


@pytest.mark.parametrize(
    "what", ["added", "missing", "link", "folder-link", "fifo", "listing", "listing-link"]
)
def test_any_other_change_of_a_tree_is_found(tmp_path: Path, store: FolderStore, what: str) -> None:
    tree = store.put(laid(tmp_path / "source"))
    folder = store.root / tree.digest.replace(":", "-")
    listed = Path(f"{folder}.sha256sum")
    outside = put(tmp_path, "outside/tokens.txt", SMALL["vocab/tokens.txt"])
    if what == "added":
        put(folder, "vocab/more", b"")
    elif what == "missing":
        (folder / "empty").unlink()
    elif what == "link":
        (folder / "vocab/tokens.txt").unlink()
        (folder / "vocab/tokens.txt").symlink_to(outside)
    elif what == "folder-link":
        (folder / "vocab/tokens.txt").unlink()
        (folder / "vocab").rmdir()
        (folder / "vocab").symlink_to(outside.parent)
    elif what == "fifo":
        (folder / "empty").unlink()
        os.mkfifo(folder / "empty")
    elif what == "listing":
        damage(listed, listed.read_bytes().replace(b"model", b"modem"))
    else:
        listed.rename(tmp_path / "moved")
        listed.symlink_to(tmp_path / "moved")
    assert troubles(store, tree.digest) != []


def test_listings_that_name_nothing_of_it_are_not_gone_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each tree that is stored would judge the paths of all that are there."""
    store = FolderStore(tmp_path / "store")
    for number in range(5):
        store.put([Bytes("model", noise(5000, number))])
    asked, read = [], links.read_listing

    def counted(data: bytes) -> object:
        asked.append(data)
        return read(data)

    monkeypatch.setattr(links, "read_listing", counted)
    tree = store.put([Bytes("model", noise(5000, 3)), Bytes("other", noise(5000, 9))])
    assert len(asked) == 1
    assert (store.root / stamp(tree.digest) / "model").stat().st_nlink == 2


def test_one_bit_flipped_in_each_of_a_thousand_places_is_found_a_thousand_times(
    tmp_path: Path, store: FolderStore
) -> None:
    files = {f"part/{number}": noise(3000, number) for number in range(8)}
    tree = store.put(laid(tmp_path / "source", files))
    folder = store.root / tree.digest.replace(":", "-")
    places = [*(folder / path for path in files), Path(f"{folder}.sha256sum")]
    chance, found = random.Random(6), 0
    for _ in range(1000):
        file = chance.choice(places)
        good = file.read_bytes()
        at, bit = chance.randrange(len(good)), 1 << chance.randrange(8)
        bad = good[:at] + bytes([good[at] ^ bit]) + good[at + 1 :]
        assert bad != good
        damage(file, bad)
        found += bool(troubles(store, tree.digest))
        damage(file, good)
    assert found == 1000
    assert troubles(store, tree.digest) == []


@pytest.mark.parametrize("path", HOSTILE)
def test_no_path_of_a_source_leads_out(tmp_path: Path, store: FolderStore, path: str) -> None:
    with pytest.raises(Refusal):
        store.put([Given("fine"), Given(path)])
    assert list(store.root.iterdir()) == []
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "pair", [("a", "A"), ("a/x", "A/y"), ("é", "e\u0301"), ("a", "a/b"), ("ﬁ", "FI"), ("x", "x")]
)
def test_no_two_files_of_a_tree_take_one_place(store: FolderStore, pair: tuple[str, str]) -> None:
    with pytest.raises(Refusal):
        store.put([Given(path) for path in pair])


@pytest.mark.parametrize("path", HOSTILE)
def test_a_hostile_listing_writes_nothing(tmp_path: Path, store: FolderStore, path: str) -> None:
    rows = [(path, "sha256:" + hashlib.sha256(b"evil").hexdigest())]
    data = listing(rows)
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    put(store.root, f"{digest.replace(':', '-')}.sha256sum", data)
    put(store.root, "out", b"evil")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(Refusal):
        fetch_tree(store, digest, tmp_path / "target")
    assert sorted(tmp_path.rglob("*")) == before
    assert troubles(store, digest) != []


@pytest.mark.parametrize("what", ["link", "fifo", "socket", "folder-link"])
def test_a_source_that_is_no_regular_file_is_refused(tmp_path: Path, store: FolderStore, what: str) -> None:
    source = tmp_path / "source"
    laid(source)
    if what == "link":
        (source / "x").symlink_to("/etc/passwd")
    elif what == "folder-link":
        (source / "x").symlink_to("/etc")
    elif what == "fifo":
        os.mkfifo(source / "x")
    else:
        socket.socket(socket.AF_UNIX).bind(str(source / "x"))
    with pytest.raises(Refusal):
        store.put(local_tree(source))
    assert list(store.root.iterdir()) == []


@pytest.mark.parametrize("change", ["grow", "shrink", "same-size", "same-time"])
def test_a_source_that_changes_while_it_is_read_is_an_error(
    tmp_path: Path, store: FolderStore, change: str
) -> None:
    file = put(tmp_path, "source/model", noise(3_000_000))

    class Changing:
        path = "model"

        def chunks(self):  # type: ignore[no-untyped-def]
            state = file.stat()
            for at, chunk in enumerate(LocalFile("model", file).chunks()):
                yield chunk
                if at == 1:
                    with file.open("r+b") as stream:
                        stream.truncate(2_000_000) if change == "shrink" else stream.write(b"evil")
                        if change == "grow":
                            stream.seek(0, 2)
                            stream.write(b"more")
                    if change == "same-time":
                        os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))

    with pytest.raises(Refusal, match="changed while it was read"):
        store.put([Changing()])
    assert list(store.root.iterdir()) == []


def test_a_read_error_in_the_middle_leaves_nothing(tmp_path: Path, store: FolderStore) -> None:
    class Broken:
        path = "b"

        def chunks(self):  # type: ignore[no-untyped-def]
            yield b"x" * 1000
            raise OSError(5, "Input/output error")

    with pytest.raises(Refusal, match="input/output error"):
        store.put([Given("a"), Broken(), *(Given(f"c{number}") for number in range(40))])
    assert list(store.root.iterdir()) == []


WRITER = """
import sys
from pathlib import Path
from modelspec.world.files import local_tree
from modelspec.world.stores.folder import FolderStore
root = Path(sys.argv[1])
for number in range(6):
    for name in (f"own{sys.argv[2]}-{number}", f"common{number}"):
        FolderStore(root / "store").put(local_tree(root / name))
"""


@pytest.mark.parametrize("then", ["put", "gc"])
def test_what_a_second_ctrl_c_leaves_is_removed_by_the_next_run(
    then: str, tmp_path: Path, store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = laid(tmp_path / "source")

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        # The first comes while it copies, the second while that is undone.
        patched.setattr(stage.Stage, "flush", interrupted)
        patched.setattr(stage, "forget", interrupted)
        store.put(files)
    assert [one.name[:10] for one in store.root.iterdir() if one.name.startswith(".inc")] == [".incoming-"]
    assert not list(store.trees())
    if then == "put":
        store.put(files)
    else:
        collect(store, frozenset, now=datetime.now(UTC), grace=timedelta(hours=1), delete=True)
    assert not list(store.root.glob(".incoming-*"))


def test_writers_of_equal_and_of_other_trees_do_not_disturb_each_other(
    tmp_path: Path, store: FolderStore
) -> None:
    for number in range(6):
        laid(tmp_path / f"common{number}", {"a": noise(9000, number), "b": b"same" * 2000})
        for writer in range(4):
            laid(tmp_path / f"own{writer}-{number}", {"a": noise(9000, number), "c": b"%d" % writer})
    running = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), str(writer)], stderr=subprocess.PIPE)
        for writer in range(4)
    ]
    for process in running:
        assert process.wait(timeout=120) == 0, process.stderr and process.stderr.read()
    digests = list(store.trees())
    assert len(digests) == 6 + 24
    assert [digest for digest in digests if troubles(store, digest)] == []
    assert len(list(store.root.iterdir())) == 2 * len(digests)


def test_what_is_streamed_is_compared_at_its_end(tmp_path: Path, store: FolderStore) -> None:
    tree = store.put(laid(tmp_path / "source"))
    damage(store.root / tree.digest.replace(":", "-") / "model.onnx", b"m" * 4999 + b"n")
    digest = {file.path: file.digest for file in tree.files}["model.onnx"]
    with pytest.raises(Refusal, match="does not have its digest"):
        list(verified(store, tree.digest, "model.onnx", digest))
    with pytest.raises(Refusal, match="does not have its digest"):
        fetch_tree(store, tree.digest, tmp_path / "target")
    assert not (tmp_path / "target").exists()
    assert {path.name for path in tmp_path.iterdir()} == {"source", "store"}


def test_a_tree_that_is_no_folder_is_named_and_not_its_whole_store(
    tmp_path: Path, store: FolderStore
) -> None:
    tree = store.put(laid(tmp_path / "source"))
    (place := store.root / tree.digest.replace(":", "-")).rename(tmp_path / "moved")
    place.symlink_to(tmp_path / "moved")
    said = f"{place} is a symbolic link, where a folder belongs"
    assert troubles(store, tree.digest) == [said]
    with pytest.raises(Refusal, match=said):
        list(store.open(tree.digest, "model.onnx"))


def test_a_store_that_can_not_be_written_says_so(tmp_path: Path) -> None:
    put(tmp_path, "file", b"")
    with pytest.raises(Refusal, match="can't be written"):
        FolderStore(tmp_path / "file" / "store").put([Given("a")])


def test_a_tree_that_is_there_is_kept_where_the_system_has_another_word_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on sshfs: EPERM, and not that there is something. A name that is free is still an error."""
    rename, store = os.rename, FolderStore(tmp_path / "store")
    files = laid(tmp_path / "source")

    def picky(source: str, target: str, **folders: int) -> None:
        if source == "tree" and (free or (store.root / target).exists()):
            raise OSError(errno.EPERM, "Operation not permitted")
        rename(source, target, **folders)

    free = True
    monkeypatch.setattr(os, "rename", picky)
    with pytest.raises(Refusal, match="can't be written: operation not permitted"):
        store.put(files)
    assert list(store.root.iterdir()) == []
    free = False
    tree = store.put(files)
    assert store.put(files) == tree
    assert troubles(store, tree.digest) == []
