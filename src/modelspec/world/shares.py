"""Thousands of small items in forks of this process, which have an interpreter each.

Threads take turns at what Python itself does, and for small files that is as much as hashing them.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, TypeVar

from modelspec.tree.protocols import Progress
from modelspec.world.forks import expendable, forked
from modelspec.world.parallel import can_fork, each, threads

MANY: Final = 512
"""From so many items on, forking costs less than it saves."""
_NUMBER: Final = struct.Struct("=Q")
_TAKEN: Final = 8
"""Items that a fork takes at a time, of which one may be done long after the others have no more."""
A = TypeVar("A")
B = TypeVar("B")


def each_of(function: Callable[[A, Progress], B], items: Sequence[A], progress: Progress) -> list[B]:
    """Return function(item, progress) for all items, in their order, several at a time, as `each` does.

    Of many items some are done in forks: what `function` changes in memory is lost there, its answers and
    errors are pickled.
    """
    count = threads(len(items))
    if len(items) < MANY or count == 1 or not can_fork():
        return each(lambda item: function(item, progress), items)
    try:
        opened = _Board(len(items), count, progress)
    except OSError:
        # No memory to share, such as in a sandbox.
        return each(lambda item: function(item, progress), items)
    with opened as board:

        def share(index: int) -> dict[int, B | _Failed]:
            found: dict[int, B | _Failed] = {}
            tell = board.progress_of(index)
            for at in board.left():
                try:
                    found[at] = function(items[at], tell)
                except Exception as error:
                    # What others have taken already may come before it; what is left here does not.
                    board.end()
                    found[at] = _Failed(error)
                    break
            return found

        # All of them are forks, which may map what they read: what kills one costs time only.
        shares = forked(share, count, board.tell)
        board.tell()
    answers = {at: answer for found in shares for at, answer in found.items()}
    done: list[B] = []
    for at, item in enumerate(items):
        # A fork that was killed has left some out.
        answer = answers[at] if at in answers else function(item, progress)
        if isinstance(answer, _Failed):
            raise answer.error
        done.append(answer)
    return done


class _Failed:
    """An item that could not be done, and why."""

    def __init__(self, error: Exception) -> None:
        self.error = error


class _Board:
    """What forks share: which item is next, and how much each has done."""

    def __init__(self, items: int, count: int, progress: Progress) -> None:
        self._progress, self._count, self._told = progress, count, 0
        self._taken = min(_TAKEN, items // (32 * count)) or 1
        # All of them read one file at one position: a queue. The kernel moves that on for one at a time in a
        # folder's files, not in one in memory: a lock does it, which ends with a process that is killed.
        self._queue = os.memfd_create("items")
        with open(self._queue, "wb", closefd=False) as queue:
            queue.writelines(map(_NUMBER.pack, range(items)))
        os.lseek(self._queue, 0, os.SEEK_SET)
        try:
            with self._alone():
                pass  # an error where there are no locks
            self._memory = mmap.mmap(-1, _NUMBER.size * count)
        except OSError:
            os.close(self._queue)
            raise

    def __enter__(self) -> _Board:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._queue)
        self._memory.close()

    def left(self) -> Iterator[int]:
        """Yield which items nobody has taken yet, in their order, taking a few at a time."""
        while numbers := self._next():
            for (number,) in _NUMBER.iter_unpack(numbers):
                yield number

    def end(self) -> None:
        """Let nobody take any more."""
        with self._alone():
            os.lseek(self._queue, 0, os.SEEK_END)

    def progress_of(self, index: int) -> Progress:
        """Return what a share tells how much it has done; one that is done here tells it at once."""

        def add(count: int) -> None:
            self._write(index, self._read(index) + count)
            if not expendable():
                self.tell()

        return add

    def tell(self) -> None:
        """Tell how much has been done since this was last asked."""
        done = sum(map(self._read, range(self._count)))
        self._progress(done - self._told)
        self._told = done

    def _next(self) -> bytes:
        with self._alone():
            return os.read(self._queue, self._taken * _NUMBER.size)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        fcntl.lockf(self._queue, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self._queue, fcntl.LOCK_UN)

    def _read(self, slot: int) -> int:
        found: int = _NUMBER.unpack_from(self._memory, slot * _NUMBER.size)[0]
        return found

    def _write(self, slot: int, value: int) -> None:
        _NUMBER.pack_into(self._memory, slot * _NUMBER.size, value)
