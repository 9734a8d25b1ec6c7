"""Large files on their way into a store: past the system's cache where that can be, and with the same bytes."""

from __future__ import annotations

import errno
import hashlib
import os
import threading
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelspec.tree.finding import Refusal
from modelspec.tree.protocols import StoredTree
from modelspec.world import direct, durable, parallel
from modelspec.world.files import LocalFile, Reading, local_tree
from modelspec.world.stores import pour
from modelspec.world.stores.folder import FolderStore
from modelspec.world.stores.verified import troubles
from world.direct import goes_past, is_cold, is_direct, nothing_left, opened_files
from world.stores.trees import laid, noise

__all__ = ["nothing_left"]

BLOCK, BUFFER = 4096, 3 * 4096
EDGES = sorted(
    {
        max(0, size + by)
        for size in (0, BLOCK, BUFFER, 2 * BUFFER, 3 * BUFFER, 7 * BUFFER + BLOCK)
        for by in (-1, 0, 1)
    }
)
DATA = noise(8 * BUFFER)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have small files go the way of large ones, through buffers of three blocks."""
    monkeypatch.setattr(pour, "LEAST", 1)
    monkeypatch.setattr(direct, "_LARGEST", BUFFER)


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("direct", [True, False])
def test_files_of_every_size_arrive_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, direct: bool
) -> None:
    if not direct:
        monkeypatch.setattr(pour, "directly", lambda descriptor, on: False)
    files = {f"{size}": DATA[:size] for size in EDGES}
    store, seen = FolderStore(tmp_path / "store"), list[int]()
    tree = store.put(laid(tmp_path / "source", files), seen.append)
    assert {file.path: (file.size, file.digest) for file in tree.files} == {
        path: (len(data), f"sha256:{hashlib.sha256(data).hexdigest()}") for path, data in files.items()
    }
    assert troubles(store, tree.digest) == []
    assert sum(seen) == sum(map(len, files.values()))


@given(length=st.integers(0, 70_000), size=st.sampled_from([1, 2, 5]), seed=st.integers(), past=st.booleans())
def test_a_copy_is_its_source_however_little_is_written_at_a_time(
    tmp_path_factory: pytest.TempPathFactory, length: int, size: int, seed: int, past: bool
) -> None:
    """A law: whatever part of each write the system takes, direct or not, file and digest are the source's."""
    place, pwrite, write = tmp_path_factory.mktemp("law") / "copy", os.pwrite, os.write
    data = noise(length)
    chance, left, target = Random(seed), memoryview(data), os.open(place, os.O_CREAT | os.O_RDWR)

    def fill(buffer: memoryview) -> int:
        nonlocal left
        count = min(len(buffer), len(left))
        buffer[:count], left = left[:count], left[count:]
        return count

    def some(descriptor: int, part: memoryview, at: int) -> int:
        if is_direct(descriptor):
            count = chance.randint(1, len(part) // BLOCK) * BLOCK
        else:
            count = chance.randint(1, len(part))
        return pwrite(descriptor, part[:count], at)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(direct, "_LARGEST", size * BLOCK)
        patch.setattr(os, "pwrite", some)
        patch.setattr(os, "write", lambda one, part: write(one, part[: chance.randint(1, len(part))]))
        if not past:
            patch.setattr(pour, "directly", lambda descriptor, on: False)
        try:
            with pour.lanes(1) as lanes:
                found = lanes.lane().copy(fill, target, lambda _: None)
        finally:
            os.close(target)
    assert found == (len(data), f"sha256:{hashlib.sha256(data).hexdigest()}")
    assert place.read_bytes() == data


def test_what_is_stored_does_not_fill_the_cache(tmp_path: Path) -> None:
    """Asked of the system itself: a read that may not wait for the disk finds no byte of it."""
    if not goes_past(tmp_path):
        pytest.skip("the file system of tmp_path has no direct writes")
    data = noise(pour.LEAST * 20)
    store = FolderStore(tmp_path / "store")
    tree = store.put(laid(tmp_path / "source", {"large": data}))
    folder = store.root / tree.digest.replace(":", "-")

    assert not is_cold(tmp_path / "source/large")
    assert is_cold(folder / "large")
    assert (folder / "large").read_bytes() == data


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("kind", [errno.EINVAL, errno.EOPNOTSUPP])
def test_a_disk_that_refuses_direct_writes_when_they_come_gets_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: int
) -> None:
    """As one with blocks that are larger than ours: EINVAL, and not when the file is opened."""
    write, refused = os.pwrite, list[int]()

    def picky(descriptor: int, part: memoryview, at: int) -> int:
        if is_direct(descriptor):
            refused.append(at)
            raise OSError(kind, os.strerror(kind))
        return write(descriptor, part, at)

    monkeypatch.setattr(os, "pwrite", picky)
    store = FolderStore(tmp_path / "store")
    tree = store.put(laid(tmp_path / "source", {"a": DATA, "b": DATA[:BLOCK], "c": DATA[:5]}))
    assert troubles(store, tree.digest) == []
    assert not goes_past(tmp_path) or refused == [0, 0]


def test_what_goes_to_the_cache_is_handed_to_the_disk_as_it_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In order, and without a gap; what follows flushes all the same."""
    begun: list[tuple[int, int]] = []
    flushed: list[int] = []
    flush, size = durable.flush, 1024 * 1024
    monkeypatch.setattr(pour, "directly", lambda descriptor, on: False)
    monkeypatch.setattr(direct, "_LARGEST", size)
    monkeypatch.setattr(durable, "begin_writing", lambda _, start, size: begun.append((start, size)))
    monkeypatch.setattr(durable, "flush", lambda one: (flushed.append(os.fstat(one).st_size), flush(one)))
    data = noise(5 * size)
    tree = FolderStore(tmp_path / "store").put(laid(tmp_path / "source", {"a": data}))
    assert begun == [(number * size, size) for number in range(5)]
    assert len(data) in flushed
    assert (tmp_path / "store" / tree.digest.replace(":", "-") / "a").read_bytes() == data


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("number", [0, 1, 2, 5, 9])
@pytest.mark.parametrize("kind", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_a_write_that_fails_in_another_thread_is_a_refusal_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: int
) -> None:
    write, calls = os.pwrite, list[int]()

    def failing(descriptor: int, part: memoryview, at: int) -> int:
        calls.append(at)
        if len(calls) == number + 1:
            raise OSError(kind, os.strerror(kind))
        return write(descriptor, part, at)

    monkeypatch.setattr(os, "pwrite", failing)
    files = dict.fromkeys("abcdef", DATA[: 2 * BUFFER + 5])
    store = FolderStore(tmp_path / "store")
    with pytest.raises(Refusal, match=f"can't be written: {os.strerror(kind).lower()}"):
        store.put(laid(tmp_path / "source", files))
    assert list(store.root.iterdir()) == []
    monkeypatch.undo()
    assert troubles(store, store.put(laid(tmp_path / "source", files)).digest) == []


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("most", [0, 1, 2, 3])
def test_where_no_more_threads_are_to_be_had_what_reads_writes_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    start, write, started = threading.Thread.start, os.pwrite, list[int]()

    def few(thread: threading.Thread) -> None:
        if len(started) == most:
            raise RuntimeError("can't start new thread")
        started.append(1)
        start(thread)

    def failing(descriptor: int, part: memoryview, at: int) -> int:
        if at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, part, at)

    monkeypatch.setattr(parallel, "cores", lambda: 2)
    monkeypatch.setattr(threading.Thread, "start", few)
    files = laid(tmp_path / "source", {f"{size}": DATA[:size] for size in EDGES})
    store = FolderStore(tmp_path / "store")
    monkeypatch.setattr(os, "pwrite", failing)
    with pytest.raises(Refusal, match="no space left"):
        store.put(files)
    assert list(store.root.iterdir()) == []
    monkeypatch.setattr(os, "pwrite", write)
    started.clear()
    tree = store.put(files)
    monkeypatch.undo()
    assert troubles(store, tree.digest) == []


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("number", [0, 3])
def test_a_disk_that_takes_nothing_and_says_nothing_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    write, calls = os.pwrite, list[int]()

    def idle(descriptor: int, part: memoryview, at: int) -> int:
        calls.append(at)
        return write(descriptor, part, at) if len(calls) <= number else 0

    monkeypatch.setattr(os, "pwrite", idle)
    store = FolderStore(tmp_path / "store")
    with pytest.raises(Refusal, match="can't be written: input/output error"):
        store.put(laid(tmp_path / "source", {"a": DATA}))
    assert list(store.root.iterdir()) == []


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("what", ["grows", "shrinks", "is written", "can't be read"])
def test_a_source_that_changes_while_it_is_copied_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    [file] = laid(tmp_path / "source", {"a": DATA})
    fill, calls = Reading.fill, list[int]()

    def meddled(self: Reading, buffer: memoryview) -> int:
        calls.append(len(buffer))
        if len(calls) == 2:
            if what == "can't be read":
                raise Refusal("a can't be read: input/output error")
            with file.file.open("r+b") as stream:
                stream.seek(0, os.SEEK_END if what == "grows" else os.SEEK_SET)
                stream.truncate(10) if what == "shrinks" else stream.write(b"x")
        return fill(self, buffer)

    monkeypatch.setattr(Reading, "fill", meddled)
    store = FolderStore(tmp_path / "store")
    with pytest.raises(Refusal, match="can't be read" if what.startswith("can't") else "changed while it"):
        store.put([file])
    assert list(store.root.iterdir()) == []


@pytest.mark.parametrize("cores", [1, 2])
def test_any_number_of_small_files_goes_through_the_buffers_of_a_lane(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cores: int
) -> None:
    """Each comes back: else a copy would wait for one for ever."""
    monkeypatch.setattr(parallel, "cores", lambda: cores)
    store = FolderStore(tmp_path / "store")
    files = {f"{number}": f"{number}".encode() for number in range(10 * pour._DEEP)}
    beside = threading.Thread(
        target=lambda: stored.append(store.put(laid(tmp_path / "source", files))), daemon=True
    )
    stored: list[StoredTree] = []
    beside.start()
    beside.join(60)
    assert stored and troubles(store, stored[0].digest) == []


def test_buffers_that_are_less_than_a_small_file_still_go_past_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As they are where there are many cores."""
    written: list[int] = []
    write = os.pwrite

    def counted(descriptor: int, part: memoryview, at: int) -> int:
        written.append(len(part))
        return write(descriptor, part, at)

    monkeypatch.setattr(direct, "_LARGEST", BUFFER)
    monkeypatch.setattr(os, "pwrite", counted)
    FolderStore(tmp_path / "store").put(laid(tmp_path / "source", {"a": DATA}))
    assert sum(written) == len(DATA)


def test_a_file_that_says_less_than_it_holds_is_refused(tmp_path: Path) -> None:
    """The files of /proc say that they hold nothing."""
    with pytest.raises(Refusal, match="changed while it was read"):
        FolderStore(tmp_path / "store").put([LocalFile("a", Path("/proc/version"))])


@pytest.mark.parametrize("files", [1, 3, 90])
@pytest.mark.parametrize("cores", [1, 2, 16, 64, 1000])
def test_the_buffers_of_many_cores_take_no_more_than_those_of_a_few(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cores: int, files: int
) -> None:
    """Neither do their threads take more open files than a process may have, nor small buffers for few files."""
    sizes: list[int] = []
    begun: list[int] = []
    buffer, most = direct.pages, direct._LARGEST

    def counted(size: int) -> memoryview:
        sizes.append(size)
        begun.append(opened_files())
        return buffer(size)

    monkeypatch.setattr(parallel, "cores", lambda: cores)
    monkeypatch.setattr(pour, "pages", counted)
    monkeypatch.setattr(pour, "LEAST", 1)
    laid(tmp_path / "source", {f"{number}": DATA[number : number + 9000] for number in range(files)})
    before = opened_files()
    tree = FolderStore(tmp_path / "store").put(local_tree(tmp_path / "source"))
    assert troubles(FolderStore(tmp_path / "store"), tree.digest) == []
    assert len(sizes) <= 8 * min(cores, files, 32)
    assert sum(sizes) <= 64 * 1024 * 1024
    assert all(size % BLOCK == 0 and size >= 64 * BLOCK for size in sizes)
    assert max(sizes) == most or min(cores, files) > 2
    assert max(begun) - before < 13 * 32
