"""A function in a child: its answer, its limits, and a death that is not ours."""

from __future__ import annotations

import faulthandler
import mmap
import os
import signal
import sys
import time
from pathlib import Path
from typing import NoReturn

import pytest

from modelspec.tree.finding import Refusal
from modelspec.world import isolated as module
from modelspec.world.isolated import MEMORY, isolated


def test_the_answer_comes_back_however_long_it_is() -> None:
    assert isolated(lambda: b"") == b""
    assert isolated(lambda: b"x" * 3_000_000) == b"x" * 3_000_000


def test_nothing_of_the_child_is_seen_in_the_parent() -> None:
    seen: list[int] = []

    def work() -> bytes:
        seen.append(1)
        return str(os.getpid()).encode()

    assert int(isolated(work)) != os.getpid()
    assert seen == []


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL])
def test_a_library_that_dies_is_a_refusal(number: signal.Signals) -> None:
    def work() -> bytes:
        faulthandler.disable()
        os.kill(os.getpid(), number)
        return b"alive"

    with pytest.raises(Refusal, match="kills the library"):
        isolated(work)


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="only Linux keeps to a limit of address space"
)
def test_memory_has_a_limit() -> None:
    with pytest.raises(Refusal, match="2 GiB of memory"):
        isolated(lambda: bytes(2 * MEMORY))


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="only Linux keeps to a limit of address space"
)
def test_what_the_parent_has_does_not_count(tmp_path: Path) -> None:
    hole = tmp_path / "hole"
    with hole.open("w+b") as file:
        file.truncate(2 * MEMORY)
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    with mapped:
        assert isolated(lambda: b"%d" % len(bytes(1_000_000))) == b"1000000"
        with pytest.raises(Refusal, match="2 GiB of memory"):
            isolated(lambda: bytes(2 * MEMORY))


def test_time_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS", 1)

    def work() -> bytes:
        while True:
            pass

    with pytest.raises(Refusal, match="more than 1 seconds"):
        isolated(work)


def test_a_bug_of_ours_shows_its_traceback(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError):
        isolated(lambda: b"%d" % (1 // 0))
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_an_interruption_ends_the_child(tmp_path: Path) -> None:
    def interrupted(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    def long() -> bytes:
        (tmp_path / "child").write_text(str(os.getpid()))
        time.sleep(60)
        return b""

    before, begin = signal.signal(signal.SIGALRM, interrupted), time.monotonic()
    signal.setitimer(signal.ITIMER_REAL, 1)
    try:
        with pytest.raises(KeyboardInterrupt):
            isolated(long)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert time.monotonic() - begin < 20
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "child").read_text()), 0)
