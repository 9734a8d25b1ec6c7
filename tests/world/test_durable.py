"""The calls below everything that is written."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelspec.world import durable
from world.trees import put


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


def test_two_names_are_swapped_in_one_step(tmp_path: Path, folder: int) -> None:
    put(tmp_path, "a/x", "1")
    put(tmp_path, "b/é", "2")
    if not durable.exchange(folder, "a", folder, "b"):
        pytest.skip("this file system can't swap two names")
    assert ((tmp_path / "b/x").read_text(), (tmp_path / "a/é").read_text()) == ("1", "2")


def test_a_swap_with_nothing_is_an_error_and_no_missing_feature(tmp_path: Path, folder: int) -> None:
    put(tmp_path, "a/x")
    with pytest.raises(FileNotFoundError):
        durable.exchange(folder, "a", folder, "b")


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EINVAL, errno.ENOTSUP])
def test_a_file_system_that_can_not_swap_says_so(
    folder: int, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def call(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(durable, "_call", call)
    assert durable.exchange(folder, "a", folder, "b") is False


def test_a_system_without_the_calls_goes_without_them(folder: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durable, "_function", lambda _: None)
    assert durable.exchange(folder, "a", folder, "b") is False
    assert durable.can_flush_all() is False


def test_an_interrupted_call_is_made_again() -> None:
    import ctypes

    answers = [errno.EINTR, errno.EINTR, 0]

    def function() -> int:
        ctypes.set_errno(answers[0])
        return -1 if answers.pop(0) else 0

    durable._call(function)
    assert answers == []


def test_a_failed_flush_of_everything_is_an_error() -> None:
    if not durable.can_flush_all():
        pytest.skip("no syncfs on this system")
    with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
        durable.flush_all(-1)


def test_a_new_file_replaces_nothing_and_follows_nothing(tmp_path: Path, folder: int) -> None:
    outside = put(tmp_path, "outside", "kept")
    (tmp_path / "link").symlink_to(outside)
    (tmp_path / "dangling").symlink_to(tmp_path / "made")
    for name in ("outside", "link", "dangling"):
        with pytest.raises(FileExistsError):
            durable.create(folder, name, b"evil")
    assert outside.read_text() == "kept"
    assert not (tmp_path / "made").exists()


def test_a_write_that_takes_only_a_part_goes_on(
    tmp_path: Path, folder: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:3]))
    durable.create(folder, "a", b"0123456789")
    assert (tmp_path / "a").read_bytes() == b"0123456789"


def test_the_advice_to_begin_writing_is_only_advice(tmp_path: Path) -> None:
    with (tmp_path / "a").open("wb") as file:
        file.write(b"a" * 10_000)
        file.flush()
        durable.begin_writing(file.fileno(), 0, 10_000)
    durable.begin_writing(10_000, 0, 1)


@pytest.mark.parametrize("how", ["to the end", "at a place"])
def test_a_disk_that_takes_nothing_is_an_error_and_no_endless_wait(
    tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a file system of a program does that is full, and does not say so."""
    monkeypatch.setattr(os, "write", lambda *_: 0)
    monkeypatch.setattr(os, "pwrite", lambda *_: 0)
    descriptor = os.open(tmp_path / "a", os.O_CREAT | os.O_RDWR)
    try:
        with pytest.raises(OSError, match=os.strerror(errno.EIO)):
            if how == "to the end":
                durable.write(descriptor, memoryview(b"abc"))
            else:
                durable.taken(os.pwrite(descriptor, b"abc", 0))
    finally:
        os.close(descriptor)
