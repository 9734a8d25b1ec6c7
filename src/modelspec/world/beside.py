"""One piece of work in a fork, beside what this process does meanwhile."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, NoReturn, TypeVar

from modelspec.world.parallel import bound_to
from modelspec.world.signals import plain

_HEAD: Final = 8
"""Bytes that say how long the answer is, so that one that breaks off is none."""
A = TypeVar("A")


@contextmanager
def beside(work: Callable[[], A]) -> Iterator[Callable[[], A]]:
    """Begin work() in a fork of this process, and give what waits for its answer.

    A fork that gives none (it raised, it was killed) costs time only: the work is done here then, and raises
    here. So it is where forking is not safe, or a second process would gain nothing. Whoever leaves without
    asking for the answer ends the fork.
    """
    if sys.platform != "linux" or threading.active_count() > 1 or len(os.sched_getaffinity(0)) == 1:
        yield work
        return
    for stream in (sys.stdout, sys.stderr):
        stream.flush()  # what waits in a buffer would be written twice
    parent = os.getpid()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        _answer(work, write, parent)
    os.close(write)
    try:
        with os.fdopen(read, "rb") as pipe:
            yield lambda: _answered(pipe.read(), work)
    finally:
        # It has said all that it had to say, or nobody asks any more.
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _answered(told: bytes, work: Callable[[], A]) -> A:
    import pickle

    if len(told) < _HEAD or len(told) != _HEAD + int.from_bytes(told[:_HEAD], "little"):
        return work()
    answer: A = pickle.loads(told[_HEAD:])  # noqa: S301  # our own fork wrote it
    return answer


def _answer(work: Callable[[], object], write: int, parent: int) -> NoReturn:
    """Do the work in a fork, send what it gave, and end without undoing what the parent has set up."""
    try:
        import pickle

        plain()
        if bound_to(parent):
            data = pickle.dumps(work(), pickle.HIGHEST_PROTOCOL)
            with os.fdopen(write, "wb") as into:
                into.write(len(data).to_bytes(_HEAD, "little") + data)
    finally:
        os._exit(0)
