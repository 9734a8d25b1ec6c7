"""Many small items in forks: each test of them runs in a process of its own, which has no other threads."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from modelspec.world.shares import MANY, each_of

START = """
import os, signal, time
from modelspec.tree.finding import Refusal
from modelspec.world import parallel, shares
parallel.cores = lambda: 3
here = os.getpid()
progressed = []
def run(function, count=shares.MANY):
    return shares.each_of(function, list(range(count)), progressed.append)
"""


def alone(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", START + code], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


needs_fork = pytest.mark.skipif(sys.platform != "linux", reason="only Linux forks safely")


@needs_fork
def test_answers_come_in_the_order_of_the_items_from_several_processes() -> None:
    code = (
        "found = run(lambda item, tell: (item, os.getpid(), time.sleep(0.001)))\n"
        "print([item for item, *_ in found] == list(range(shares.MANY)), len({pid for _, pid, _ in found}))"
    )
    assert alone(code) == "True 3"


@needs_fork
def test_all_progress_is_told_here_and_once() -> None:
    assert (
        alone("run(lambda item, tell: tell(item))\nprint(sum(progressed) == sum(range(shares.MANY)))")
        == "True"
    )


@needs_fork
def test_nothing_is_done_twice() -> None:
    """Without a lock around each reading of the queue, a few in ten thousand are."""
    code = "run(lambda item, tell: tell(1), 30_000)\nprint(sum(progressed))"
    assert alone(code) == "30000"


@needs_fork
def test_the_error_of_the_first_item_that_has_one_ends_it() -> None:
    code = (
        "def work(item, tell):\n"
        "    time.sleep(0.001)\n"
        "    if item >= 100:\n"
        "        raise Refusal(f'item {item}', 'mend it')\n"
        "    tell(1)\n"
        "try:\n"
        "    run(work)\n"
        "except Refusal as refused:\n"
        "    print(refused.message, refused.hint, sum(progressed))"
    )
    assert alone(code) == "item 100 mend it 100"


@needs_fork
def test_what_a_killed_fork_had_taken_is_done_here() -> None:
    code = (
        "def work(item, tell):\n"
        "    if os.getpid() != here:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    time.sleep(0.001)\n"
        "    return item\n"
        "print(run(work) == list(range(shares.MANY)))"
    )
    assert alone(code) == "True"


@needs_fork
@pytest.mark.parametrize("to_all", [True, False], ids=["at a terminal", "this process alone"])
def test_an_interruption_ends_forks_in_the_middle_of_an_item(to_all: bool) -> None:
    code = START + (
        "def work(item, tell):\n"
        "    os.write(1, b'at work\\n')\n"
        "    for _ in range(600):\n"
        "        time.sleep(0.1)\n"
        "        tell(1)\n"
        "try:\n"
        "    run(work)\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted')"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as parent:
        assert parent.stdout is not None
        assert [parent.stdout.readline() for _ in range(3)] == ["at work\n"] * 3
        begun = time.monotonic()
        if to_all:
            import os

            os.killpg(parent.pid, signal.SIGINT)
        else:
            parent.send_signal(signal.SIGINT)
        said, complaints = parent.communicate(timeout=30)
    assert (said, complaints) == ("interrupted\n", "")
    assert time.monotonic() - begun < 20


def test_beside_other_threads_threads_do_it() -> None:
    told: list[int] = []
    with ThreadPoolExecutor(1) as pool:
        pool.submit(int).result()
        found = each_of(lambda item, tell: (tell(1), item)[1], list(range(MANY)), told.append)
    assert found == list(range(MANY))
    assert sum(told) == MANY


def test_few_items_stay_in_this_process() -> None:
    seen: list[int] = []
    assert each_of(lambda item, _: seen.append(item), [1, 2, 3], lambda _: None) == [None] * 3
    assert sorted(seen) == [1, 2, 3]
