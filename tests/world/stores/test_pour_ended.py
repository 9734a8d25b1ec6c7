"""Copies that end before their end: what is said then, how soon, and that no thread or file is left."""

from __future__ import annotations

import concurrent.futures
import errno
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modelspec.tree.finding import Refusal
from modelspec.world import direct, parallel
from modelspec.world.stores import pour
from modelspec.world.stores.folder import FolderStore
from world.stores.trees import laid, noise

DATA = noise(100_000)


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have small files go the way of large ones, through buffers of three blocks."""
    monkeypatch.setattr(pour, "LEAST", 1)
    monkeypatch.setattr(direct, "_LARGEST", 3 * 4096)


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


def test_after_an_error_nothing_more_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def failing(descriptor: int, part: memoryview, at: int) -> int:
        calls.append(at)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(parallel, "cores", lambda: 1)
    monkeypatch.setattr(os, "pwrite", failing)
    with pytest.raises(Refusal, match="no space left"):
        FolderStore(tmp_path / "store").put(laid(tmp_path / "source", dict.fromkeys("abcdef", DATA)))
    assert calls == [0]


@pytest.mark.parametrize("cores", [1, 2])
def test_the_last_bytes_of_the_last_file_count_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cores: int
) -> None:
    """All is read and hashed when they can't be written: nobody asks for a buffer any more."""
    write, end = os.pwrite, len(DATA) // (3 * 4096) * (3 * 4096)

    def failing(descriptor: int, part: memoryview, at: int) -> int:
        if at >= end:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, part, at)

    monkeypatch.setattr(parallel, "cores", lambda: cores)
    monkeypatch.setattr(os, "pwrite", failing)
    store = FolderStore(tmp_path / "store")
    with pytest.raises(Refusal, match="no space left"):
        store.put(laid(tmp_path / "source", {"a": DATA}))
    assert list(store.root.iterdir()) == []


def test_what_was_raised_first_is_what_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the writing of what came before it fails later."""
    begun = threading.Event()

    def failing(descriptor: int, part: memoryview, at: int) -> int:
        assert begun.wait(30)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    def fill(buffer: memoryview) -> int:
        if calls:
            begun.set()
            raise Refusal("the source changed")
        calls.append(len(buffer))
        return len(buffer)

    calls: list[int] = []
    monkeypatch.setattr(os, "pwrite", failing)
    target = os.open(tmp_path / "copy", os.O_CREAT | os.O_RDWR)
    try:
        with pytest.raises(Refusal, match="the source changed"), pour.lanes(1) as lanes:
            lanes.lane().copy(fill, target, lambda _: None)
    finally:
        os.close(target)


class Endless:
    """A file that has no end, and says when somebody has begun to read it."""

    def __init__(self, path: str, begun: threading.Event) -> None:
        self.path = path
        self.begun = begun

    def chunks(self) -> Iterator[bytes]:
        end = time.monotonic() + 30
        while time.monotonic() < end:
            yield DATA
            self.begun.set()


def test_who_interrupts_does_not_wait_for_the_end_of_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, wait, interruptions = threading.Event(), concurrent.futures.wait, [KeyboardInterrupt()]

    def interrupted(*waited: Any) -> object:
        assert begun.wait(30)
        if interruptions:
            raise interruptions.pop()
        return wait(*waited)

    monkeypatch.setattr(parallel, "cores", lambda: 2)
    monkeypatch.setattr(concurrent.futures, "wait", interrupted)
    store, started = FolderStore(tmp_path / "store"), time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        store.put([Endless("a", begun), Endless("b", begun)])
    assert time.monotonic() - started < 20
    assert list(store.root.iterdir()) == []


def test_an_error_in_one_file_ends_the_copies_of_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = threading.Event()

    class Broken(Endless):
        def chunks(self) -> Iterator[bytes]:
            assert begun.wait(30)
            raise Refusal("b can't be read")
            yield b""

    monkeypatch.setattr(parallel, "cores", lambda: 2)
    started = time.monotonic()
    with pytest.raises(Refusal, match="b can't be read"):
        FolderStore(tmp_path / "store").put([Endless("a", begun), Broken("b", begun)])
    assert time.monotonic() - started < 20
