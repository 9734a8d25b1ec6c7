"""One piece of work in a fork: its answer, its troubles, and what is left of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from modelspec.world.forks import background

HERE = os.getpid()


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """One thread and two cores, as far as anybody can see: pytest-xdist has threads of its own."""
    monkeypatch.setattr("threading.active_count", lambda: 1)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})


pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only there it forks")


@pytest.mark.usefixtures("alone")
def test_the_work_is_done_in_another_process() -> None:
    with background(lambda: (os.getpid(), "x" * 1_000_000)) as answer:
        child, text = answer()
    assert child != HERE and len(text) == 1_000_000
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def test_where_threads_run_it_is_done_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("threading.active_count", lambda: 2)
    with background(os.getpid) as answer:
        assert answer() == HERE


@pytest.mark.usefixtures("alone")
def test_what_it_raises_is_raised_here() -> None:
    def work() -> None:
        raise ValueError(os.getpid())

    with background(work) as answer, pytest.raises(ValueError, match=str(HERE)):
        answer()


@pytest.mark.usefixtures("alone")
def test_one_that_is_killed_costs_no_answer() -> None:
    def work() -> int:
        if os.getpid() != HERE:
            os.kill(os.getpid(), signal.SIGKILL)
        return 7

    with background(work) as answer:
        assert answer() == 7


@pytest.mark.usefixtures("alone")
def test_an_answer_that_breaks_off_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def work() -> int:
        if os.getpid() != HERE:
            # What this fork sends next is cut before its last byte, an answer that could be read otherwise.
            monkeypatch.setattr("pickle.dumps", lambda *_: _Longer(b"N."))
        return 7

    with background(work) as answer:
        assert answer() == 7


class _Longer(bytes):
    def __len__(self) -> int:
        return super().__len__() + 1


@pytest.mark.usefixtures("alone")
def test_nobody_waits_for_what_nobody_asks(tmp_path: Path) -> None:
    begun = tmp_path / "begun"

    def work() -> None:
        begun.write_text(str(os.getpid()))
        time.sleep(60)

    before = time.monotonic()
    with background(work):
        while not (begun.exists() and begun.read_text()):
            time.sleep(0.01)
    assert time.monotonic() - before < 30
    with pytest.raises(ProcessLookupError):
        os.kill(int(begun.read_text()), 0)


def test_a_parent_that_is_killed_leaves_nothing_behind(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    script = (
        "import os, pathlib, sys, time, threading\n"
        "os.sched_getaffinity = lambda _: {0, 1}\n"
        "from modelspec.world.forks import background\n"
        "def work():\n"
        "    pathlib.Path(sys.argv[1]).write_text(str(os.getpid()))\n"
        "    time.sleep(60)\n"
        "with background(work) as answer:\n"
        "    answer()\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(begun)]) as parent:
        while not (begun.exists() and begun.read_text()):
            time.sleep(0.01)
        parent.kill()
    child = int(begun.read_text())
    for _ in range(500):
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            return
        if Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
            return  # it has ended; nobody has asked how yet
        time.sleep(0.01)
    pytest.fail("the fork outlived its parent")
