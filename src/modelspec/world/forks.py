"""Work in forks of this process, beside what it does meanwhile: for what computes, where threads take turns.

A fork takes no thread, semaphore or shared memory here: a container may have none of them left.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Final, NoReturn, TypeVar

from modelspec.world.parallel import bound_to, can_fork, cores
from modelspec.world.signals import ENDING, plain

_HEAD: Final = 8
"""Bytes that say how long the answer is, so that one that breaks off is none."""
A = TypeVar("A")


def forked(work: Callable[[int], A], count: int) -> list[A]:
    """Return work(0), work(1) ... work(count - 1): the first here, the others in forks of this process.

    A fork sees what is loaded here as it is now, and gives back a copy of its answer. What is done there
    alone is not done here. One that can't be had, dies or raises costs time and no answer: its share is done
    here. Where forking is not safe, all of it is.
    """
    if count <= 1 or not can_fork():
        return [work(index) for index in range(count)]
    with ExitStack() as forks:
        others = [forks.enter_context(_fork(partial(work, index))) for index in range(1, count)]
        return [work(0), *(other() for other in others)]


@contextmanager
def background(work: Callable[[], A]) -> Iterator[Callable[[], A]]:
    """Begin work() in a fork of this process, and give what waits for its answer.

    A fork that gives none (it raised, it was killed) costs time only: the work is done here then, and raises
    here. So it is where forking is not safe, or a second process would gain nothing. Whoever leaves without
    asking for the answer ends the fork.
    """
    if cores() == 1 or not can_fork():
        yield work
        return
    with _fork(work) as answer:
        yield answer


@contextmanager
def _fork(work: Callable[[], A]) -> Iterator[Callable[[], A]]:
    begun = _begun(work)
    if begun is None:
        yield work
        return
    child, read = begun
    try:
        with os.fdopen(read, "rb") as pipe:
            yield lambda: _answered(pipe.read(), work)
    finally:
        # It has said all that it had to say, or nobody asks any more.
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _begun(work: Callable[[], object]) -> tuple[int, int] | None:
    """Fork; return the process and where its answer comes; None where no more can be had."""
    parent = os.getpid()
    # A signal waits until each of the two knows which one it is.
    held = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        read, write = os.pipe()
        try:
            child = os.fork()
        except OSError:
            os.close(read)
            raise
        finally:
            if os.getpid() == parent:
                os.close(write)
        if child == 0:
            _answer(work, write, parent)
    except OSError:
        return None
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
    return child, read


def _answered(told: bytes, work: Callable[[], A]) -> A:
    import pickle

    if len(told) < _HEAD or len(told) != _HEAD + int.from_bytes(told[:_HEAD], "little"):
        return work()
    try:
        answer: A = pickle.loads(told[_HEAD:])  # noqa: S301  # our own fork wrote it
    except Exception:
        # Such as an error that is not made again from what it holds.
        return work()
    return answer


def _answer(work: Callable[[], object], write: int, parent: int) -> NoReturn:
    """Do the work in a fork, send what it gave, and end without undoing what the parent has set up."""
    try:
        import pickle

        plain()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
        if bound_to(parent):
            data = pickle.dumps(work(), pickle.HIGHEST_PROTOCOL)
            with os.fdopen(write, "wb") as into:
                into.write(len(data).to_bytes(_HEAD, "little") + data)
    finally:
        os._exit(0)
