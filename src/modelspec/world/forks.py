"""Work in forks of this process, beside what it does meanwhile: for what computes, where threads take turns.

A fork takes no thread, semaphore or shared memory here: a container may have none of them left.
"""

from __future__ import annotations

import faulthandler
import os
import resource
import select
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import BinaryIO, Final, NoReturn, TypeVar

from modelspec.world.parallel import bound_to, can_fork, cores
from modelspec.world.signals import ENDING, plain

_HEAD: Final = 8
"""Bytes that say how long the answer is, so that one that breaks off is none."""
_LOOK: Final = 200
"""Milliseconds after which who waits for a fork looks up."""
_IN_FORK: Final = threading.Event()
A = TypeVar("A")


def expendable() -> bool:
    """Whether this is a fork whose death costs time only, since its work is done again in its parent then."""
    return _IN_FORK.is_set()


def forked(work: Callable[[int], A], count: int, meanwhile: Callable[[], object] | None = None) -> list[A]:
    """Return work(0), work(1) ... work(count - 1): the first here, the others in forks of this process.

    A fork sees what is loaded here as it is now, and gives back a copy of its answer. What is done there
    alone is not done here. One that can't be had, dies or raises costs time and no answer: its share is done
    here. Where forking is not safe, all of it is. With `meanwhile`, the first is done in a fork as well, and
    this process calls it a few times a second.
    """
    if count <= 1 or not can_fork():
        return [work(index) for index in range(count)]
    here = 1 if meanwhile is None else 0
    with ExitStack() as forks:
        others = [forks.enter_context(_fork(partial(work, at), meanwhile)) for at in range(here, count)]
        return [*map(work, range(here)), *(other() for other in others)]


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
def _fork(work: Callable[[], A], meanwhile: Callable[[], object] | None = None) -> Iterator[Callable[[], A]]:
    begun = _begun(work)
    if begun is None:
        yield work
        return
    child, read = begun
    try:
        with os.fdopen(read, "rb") as pipe:
            yield lambda: _answered(_heard(pipe, meanwhile), work)
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


def _heard(pipe: BinaryIO, meanwhile: Callable[[], object] | None) -> bytes:
    """Return what a fork says, when it has said it."""
    if meanwhile is not None:
        says = select.poll()
        says.register(pipe, select.POLLIN)
        while not says.poll(_LOOK):
            meanwhile()
    return pipe.read()


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
        _IN_FORK.set()
        # What a file that gets shorter does to who has mapped it is no crash that anybody has to look into.
        faulthandler.disable()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
        if bound_to(parent):
            data = pickle.dumps(work(), pickle.HIGHEST_PROTOCOL)
            with os.fdopen(write, "wb") as into:
                into.write(len(data).to_bytes(_HEAD, "little") + data)
    finally:
        os._exit(0)
