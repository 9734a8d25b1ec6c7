"""Several shares in forks: each test runs in a process of its own, which has no other threads."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from modelspec.world.forks import forked


def alone(code: str) -> str:
    """Run code in a process that has no other threads, as a test runner has; return what it prints."""
    start = "import os, signal\nfrom modelspec.tree.finding import Refusal\nfrom modelspec.world.forks import expendable, forked\n"
    done = subprocess.run([sys.executable, "-c", start + code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


needs_fork = pytest.mark.skipif(sys.platform != "linux", reason="only Linux forks safely")


@needs_fork
def test_forks_answer_in_order_with_what_was_loaded_before() -> None:
    found = alone(
        "here, loaded = os.getpid(), [1]\n"
        "print([(i, elsewhere, value) for i, elsewhere, value in"
        " forked(lambda index: (index, os.getpid() != here, loaded[0]), 3)])"
    )
    assert found == "[(0, False, 1), (1, True, 1), (2, True, 1)]"


@needs_fork
def test_what_a_fork_does_stays_there() -> None:
    assert alone("seen = []\nforked(seen.append, 3)\nprint(seen)") == "[0]"


@needs_fork
def test_with_something_to_do_meanwhile_all_shares_are_forks() -> None:
    found = alone(
        "import time\n"
        "here, done = os.getpid(), []\n"
        "def work(index):\n"
        "    time.sleep(0.7)\n"
        "    return index, os.getpid() != here, expendable()\n"
        "print(forked(work, 2, lambda: done.append(os.getpid() == here)), all(done), len(done) > 1, expendable())"
    )
    assert found == "[(0, True, True), (1, True, True)] True True False"


@needs_fork
def test_a_fork_that_dies_costs_no_answer() -> None:
    found = alone(
        "here = os.getpid()\n"
        "def work(index):\n"
        "    if os.getpid() != here:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return index\n"
        "print(forked(work, 3))"
    )
    assert found == "[0, 1, 2]"


@needs_fork
@pytest.mark.parametrize("call", ["fork", "pipe"])
@pytest.mark.parametrize("most", [0, 1, 2])
def test_where_no_more_forks_are_to_be_had_it_is_done_here(call: str, most: int) -> None:
    few = (
        f"real, had = os.{call}, []\n"
        "def few():\n"
        f"    if len(had) == {most}:\n"
        "        raise BlockingIOError(11, 'no more')\n"
        "    had.append(1)\n"
        "    return real()\n"
        f"os.{call} = few\n"
    )
    assert alone(few + "print(forked(lambda index: index * index, 4))") == "[0, 1, 4, 9]"


@needs_fork
def test_no_thread_is_needed_for_forks() -> None:
    """With a limit on processes, threads count as well: there may be a fork left, and no thread."""
    none = (
        "import threading\n"
        'def start(thread): raise RuntimeError("can\'t start new thread")\n'
        "threading.Thread.start = start\n"
    )
    assert alone(none + "print(forked(lambda index: index * index, 4))") == "[0, 1, 4, 9]"


@needs_fork
def test_an_answer_that_can_t_be_read_again_is_none() -> None:
    found = alone(
        "class Two(Exception):\n"
        "    def __init__(self, one, other):\n"
        "        super().__init__(one)\n"
        "print([str(found) for found in forked(lambda index: Two(index, index), 3)])"
    )
    assert found == "['0', '1', '2']"


@needs_fork
def test_a_refusal_in_a_fork_is_one_here() -> None:
    found = alone(
        "def work(index):\n"
        "    if index:\n"
        "        raise Refusal('the disk is gone', 'mount it')\n"
        "try:\n"
        "    forked(work, 2)\n"
        "except Refusal as refused:\n"
        "    print(refused.message, refused.hint)"
    )
    assert found == "the disk is gone mount it"


@needs_fork
def test_no_fork_outlives_its_parent() -> None:
    code = (
        "import os, time\nfrom modelspec.world.forks import expendable, forked\n"
        "def work(index):\n"
        "    os.write(1, b'at work\\n')\n"
        "    return time.sleep(60)\n"
        "forked(work, 3)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert [parent.stdout.readline() for _ in range(3)] == ["at work\n"] * 3
        parent.kill()
        # The pipe ends when the last of them that holds it has ended.
        assert parent.stdout.read() == ""


def test_beside_other_threads_nothing_is_forked() -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(int).result()
        assert set(forked(lambda _: os.getpid(), 3)) == {os.getpid()}
