"""Reads of large files that the system's cache does not hold: past it, and the same bytes."""

from __future__ import annotations

import errno
import hashlib
import os
from io import FileIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelspec.tree.finding import Refusal
from modelspec.world import direct, parallel
from modelspec.world.files import LocalFile, filling, tree_files, whole
from world.direct import chilled, goes_past, is_cold, is_direct, nothing_left
from world.stores.trees import noise

__all__ = ["nothing_left"]
PART = 5 * direct.BLOCK
DATA = noise(direct.LEAST + 7 * PART)
SIZES = sorted(
    {size + by for size in (direct.LEAST, direct.LEAST + 2 * PART, direct.LEAST // PART * PART + 3 * PART)
     for by in (-direct.BLOCK, -1, 0, 1, 1000)}
)  # fmt: skip


@pytest.fixture(autouse=True)
def possible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct, "_AHEAD", direct.LEAST)
    path = tmp_path / "probe"
    path.write_bytes(DATA)
    if not goes_past(tmp_path) or not is_cold(chilled(path)):
        pytest.skip("the file system of tmp_path has no direct reads, or can't say what is cached")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have files of some hundred kilobytes read by a thread, in many parts."""
    monkeypatch.setattr(direct, "_LARGEST", PART)


def cold(folder: Path, size: int = len(DATA)) -> Path:
    path = folder / f"{size}"
    path.write_bytes(DATA[:size])
    return chilled(path)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("size", SIZES)
def test_a_cold_file_is_read_whole_and_stays_cold(tmp_path: Path, size: int) -> None:
    path = cold(tmp_path, size)
    [found] = tree_files(path)
    assert (found.size, found.digest) == (size, f"sha256:{hashlib.sha256(DATA[:size]).hexdigest()}")
    # What is smaller is read as ever, and so it is there now.
    assert is_cold(path) == (size >= direct.LEAST)


def test_a_cold_file_of_one_part_is_read_without_a_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = cold(tmp_path)
    monkeypatch.setattr(direct.threading.Thread, "start", lambda _: pytest.fail("a thread"))
    with path.open("rb", buffering=0) as stream:
        assert b"".join(bytes(one) for one in whole(stream, len(DATA))) == DATA
    assert is_cold(path)


@pytest.mark.usefixtures("small")
def test_where_no_thread_is_to_be_had_it_is_read_without_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(_: object) -> None:
        raise RuntimeError("can't start new thread")

    path = cold(tmp_path)
    monkeypatch.setattr(direct.threading.Thread, "start", none)
    with path.open("rb", buffering=0) as stream:
        assert b"".join(bytes(one) for one in whole(stream, len(DATA))) == DATA
    assert is_cold(path)


def test_what_the_cache_holds_is_read_from_there(tmp_path: Path) -> None:
    path = cold(tmp_path)
    path.read_bytes()
    assert not is_cold(path)
    with path.open("rb", buffering=0) as stream:
        assert b"".join(bytes(one) for one in whole(stream, len(DATA))) == DATA
        assert not is_direct(stream.fileno())


def test_a_file_with_a_hole_in_the_cache_counts_as_cold(tmp_path: Path) -> None:
    path = cold(tmp_path)
    with path.open("rb") as stream:
        os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
        os.pread(stream.fileno(), direct.BLOCK, 0)
    assert is_cold(path)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("number", [0, 1, 4])
def test_a_disk_that_refuses_direct_reads_when_they_come_gets_others(tmp_path: Path, number: int) -> None:
    class Picky(FileIO):
        calls = 0

        def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
            self.calls += 1
            if self.calls > number and is_direct(self.fileno()):
                raise OSError(errno.EINVAL, "Invalid argument")
            return super().readinto(buffer) or 0

    with Picky(cold(tmp_path), "rb") as stream:
        assert b"".join(bytes(one) for one in whole(stream, len(DATA))) == DATA


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("number", [0, 1, 4])
def test_a_read_that_fails_in_the_other_thread_is_a_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    read, calls = direct._read, list[int]()

    def failing(stream: FileIO, buffer: memoryview) -> int:
        calls.append(len(buffer))
        if len(calls) > number:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return read(stream, buffer)

    monkeypatch.setattr(direct, "_read", failing)
    with pytest.raises(Refusal, match="can't be read: input/output error"):
        tree_files(cold(tmp_path))


@pytest.mark.usefixtures("small")
def test_who_stops_in_the_middle_leaves_no_thread(tmp_path: Path) -> None:
    with cold(tmp_path).open("rb", buffering=0) as stream:
        reading = whole(stream, len(DATA))
        assert bytes(next(reading)) == DATA[:PART]
        reading.close()  # type: ignore[attr-defined]


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("size", [0, PART, len(DATA) - 1, len(DATA) + 1, len(DATA) + 3 * PART])
def test_a_cold_file_that_changes_its_size_while_it_is_read_is_refused(tmp_path: Path, size: int) -> None:
    path = cold(tmp_path)
    reading = LocalFile("a", path).chunks()
    next(reading)
    os.truncate(path, size)
    with pytest.raises(Refusal, match="changed while it was read"):
        for _ in reading:
            pass


@pytest.mark.parametrize("deep", [3, 8])
@pytest.mark.parametrize("threads", [1, 2, 16, parallel.MOST])
def test_the_buffers_of_many_threads_take_no_more_than_those_of_a_few(threads: int, deep: int) -> None:
    assert direct.share(deep, threads) * deep * threads <= 64 * 1024 * 1024
    assert direct.share(deep, threads) >= direct.LEAST
    assert direct.share(deep, threads) % direct.BLOCK == 0


@given(chunks=st.lists(st.binary(max_size=30)), size=st.integers(1, 20))
def test_chunks_of_any_sizes_fill_buffers_of_one(chunks: list[bytes], size: int) -> None:
    """A law: every buffer but the last is full, and together they are the chunks."""
    fill, buffers, buffer = filling(chunks), list[bytes](), bytearray(size)
    while count := fill(memoryview(buffer)):
        buffers.append(bytes(buffer[:count]))
    assert b"".join(buffers) == b"".join(chunks)
    assert all(len(one) == size for one in buffers[:-1])
