"""Signals that end a run: what it began is undone, as after Ctrl-C, and its exit code says which it was."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final, NoReturn

_ENDING: Final = (signal.SIGTERM, signal.SIGHUP)
ENDING: Final = (signal.SIGINT, *_ENDING)
"""What `caught` catches."""
_CAME: Final[list[int]] = []


class EndedError(BaseException):
    """A signal that asks a process to end, where the main thread was when it came."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def caught() -> Iterator[None]:
    """Have SIGTERM and SIGHUP raise EndedError, and SIGINT KeyboardInterrupt; not those that are ignored.

    Each raises once: a terminal that closes sends SIGHUP twice, and the second would stop the undoing.

    Whoever began this may ignore the end of children, which is inherited. Then the system keeps no exit
    code of one, and Python takes 0 for each: a git that failed would have succeeded.
    """
    if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _CAME.clear()
    before = {number: signal.getsignal(number) for number in ENDING}
    for number, handler in before.items():
        if handler in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _interrupt if number == signal.SIGINT else _end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def came() -> int | None:
    """Return the signal that was caught last: some libraries wrap what it raised in an error of their own."""
    return _CAME[-1] if _CAME else None


def plain() -> None:
    """In a fork: end at a signal as any program does, with nothing undone and nothing said."""
    for number in ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def typed(descriptor: int) -> None:
    """Return when there is something to read; a signal's handler runs first, however late the signal came.

    Python looks for signals before it reads, and not between that and the system's own read.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    try:
        while descriptor not in select.select([descriptor, reading], [], [])[0]:
            os.read(reading, 1)
    finally:
        signal.set_wakeup_fd(before)
        os.close(reading)
        os.close(writing)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    _CAME.append(number)
    raise KeyboardInterrupt


def _end(number: int, frame: FrameType | None) -> NoReturn:
    _CAME.append(number)
    for one in _ENDING:
        signal.signal(one, signal.SIG_IGN)
    raise EndedError(number)
