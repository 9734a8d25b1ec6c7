"""Threads for what waits: hashing lets go of the interpreter, so do disks and networks."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

MOST: Final = 32
"""Threads of `each`: so many read and hash faster than disks are, and each has buffers and open files."""
_PR_SET_PDEATHSIG: Final = 1
"""prctl(2) of Linux: the signal that a process gets when its parent ends."""
_LOOK: Final = 0.2
"""Seconds after which who waits looks up. The system may give a signal to any thread; its handler runs in the
main one, which waiting for a lock does not wake."""
GRACE: Final = 1.5
"""Seconds for what is under way, when `each` is interrupted, to end by itself."""
A = TypeVar("A")
B = TypeVar("B")
_MINE: Final = threading.local()
"""In a thread of a run: `at`, the item that it works on, and `run`."""


class StoppedError(BaseException):
    """What nobody waits for any more ends; only what began it sees it."""


class _Run:
    """Items that several threads work on: up to which of them it counts, and what it is itself part of."""

    def __init__(self, until: int) -> None:
        self.until = until
        self.above: tuple[int, _Run | None] = _here()

    def work(self, at: int, function: Callable[[A], B], item: A) -> B:
        """Return function(item) as the work on an item of this run."""
        before = _here()
        _MINE.at, _MINE.run = at, self
        try:
            return function(item)
        finally:
            _MINE.at, _MINE.run = before


def _here() -> tuple[int, _Run | None]:
    return getattr(_MINE, "at", 0), getattr(_MINE, "run", None)


def go_on() -> None:
    """Called now and then by what takes long: ends it, where what began it here has ended."""
    at, run = _here()
    while run is not None:
        if at > run.until:
            raise StoppedError
        at, run = run.above


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def threads(items: int) -> int:
    """Return how many threads `each` has for so many items."""
    return max(1, min(cores(), MOST, items))


def each(function: Callable[[A], B], items: Iterable[A], *, workers: int | None = None) -> list[B]:
    """Return function(item) for all items, in their order, several at a time.

    The first error ends it, and so does an interruption: what has not begun is not begun, and what has ends
    at its next `go_on`. The error is that of the first item that has one: those before it end by themselves.
    """
    waiting = list(items)
    count = min(workers, len(waiting)) if workers else threads(len(waiting))
    if count <= 1:
        return [function(item) for item in waiting]
    found: dict[int, B] = {}
    failed: dict[int, BaseException] = {}
    # A future for each of thousands of small items costs as much as the items do.
    pending = deque(enumerate(waiting))
    run = _Run(len(waiting))

    def work() -> None:
        while True:
            try:
                at, item = pending.popleft()
            except IndexError:
                return
            try:
                found[at] = run.work(at, function, item)
            except StoppedError:
                return
            except BaseException as error:
                pending.clear()
                failed[at] = error
                run.until = min(failed)

    from concurrent.futures import ThreadPoolExecutor, wait

    begun: list[Future[None]] = []
    pool = ThreadPoolExecutor(count)
    try:
        # With no more threads to be had (a container's limit, memory), those that there are do it.
        with suppress(RuntimeError):
            begun.extend(pool.submit(work) for _ in range(count))
        while wait(begun, _LOOK).not_done:
            pass
    except BaseException:
        # Interrupted. Who waits for a network then may do so for a minute: that one is left behind.
        pending.clear()
        run.until = -1
        wait(begun, GRACE)
        pool.shutdown(wait=False)
        raise
    pool.shutdown()
    if not begun:
        return [function(item) for item in waiting]
    if failed:
        raise failed[min(failed)]
    go_on()  # it is itself part of what was interrupted, and its items ended before their time
    return [found[at] for at in range(len(waiting))]


def ahead(function: Callable[[A], B], items: Iterable[A], *, workers: int) -> Iterator[B]:
    """Yield function(item) in the order of the items, while at most `workers` next ones are under way."""
    source = iter(items)
    under_way: list[Future[B]] = []
    pool, all_done = _Pool(workers), False
    try:
        for item in source:
            under_way.append(pool.begin(partial(function, item)))
            if len(under_way) > workers:
                yield _result(under_way.pop(0))
        while under_way:
            yield _result(under_way.pop(0))
        all_done = True
    finally:
        # What is under way else is wanted by nobody, and nobody waits for it.
        pool.end(wait=all_done)


def finished(function: Callable[[A], B], items: Iterable[A], *, workers: int) -> Iterator[tuple[A, B]]:
    """Yield (item, function(item)) as they end, in any order; no more than `workers` at a time.

    An interruption ends it as it ends `each`.
    """
    from concurrent.futures import wait

    source = iter(items)
    under_way: dict[Future[B], A] = {}
    run, pool = _Run(0), _Pool(workers)
    try:
        for item in source:
            under_way[pool.begin(partial(run.work, 0, function, item))] = item
            if len(under_way) >= workers:
                yield from _ended(under_way)
        while under_way:
            yield from _ended(under_way)
    finally:
        run.until = -1
        wait([future for future in under_way if not future.cancel()], GRACE)
        pool.end(wait=not under_way)


class _Pool:
    """So many threads, or as many as are to be had; where there is none, work is done where it is begun."""

    def __init__(self, workers: int) -> None:
        from concurrent.futures import ThreadPoolExecutor

        self._pool, self._any = ThreadPoolExecutor(workers), False

    def begin(self, work: Callable[[], B]) -> Future[B]:
        from concurrent.futures import Future

        future: Future[B] = Future()
        try:
            self._pool.submit(_settle, future, work)
            self._any = True
        except RuntimeError:  # a container's limit, memory
            # It waits for the threads that there are, if there are any.
            if not self._any:
                _settle(future, work)
        return future

    def end(self, *, wait: bool) -> None:
        self._pool.shutdown(wait=wait, cancel_futures=True)


def _settle(future: Future[B], work: Callable[[], B]) -> None:
    if future.set_running_or_notify_cancel():
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)


def can_fork() -> bool:
    """Whether a fork of this process is safe: on Linux, and while no other thread holds anything."""
    return sys.platform == "linux" and threading.active_count() == 1


def briefly(undo: Callable[[], object]) -> None:
    """Undo something over a network if that succeeds soon: nobody waits for it, or hears of its errors."""

    def work() -> None:
        with suppress(Exception):
            undo()

    thread = threading.Thread(target=work, daemon=True)
    with suppress(RuntimeError):  # no more threads are to be had: then it stays as it is
        thread.start()
        thread.join(GRACE)


def bound_to(parent: int) -> bool:
    """In a fork: end when the parent does, who may be killed; False where it has ended. Linux only."""
    import ctypes

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    return os.getppid() == parent


def _ended(under_way: dict[Future[B], A]) -> Iterator[tuple[A, B]]:
    from concurrent.futures import FIRST_COMPLETED, wait

    while not (done := wait(under_way, _LOOK, FIRST_COMPLETED).done):
        pass
    for future in done:
        yield under_way.pop(future), future.result()


def _result(future: Future[B]) -> B:
    from concurrent.futures import wait

    while wait([future], _LOOK).not_done:
        pass
    return future.result()
