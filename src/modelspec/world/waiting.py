"""Says on stderr what is waited for, when it takes long: whoever sees nothing takes a program for dead."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

LONG: Final = 10.0
"""Seconds after which it is said."""
_SAID: Final[set[str]] = set()


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Say what is waited for while the block runs, once in a process."""
    timer = threading.Timer(LONG, say, (f"{what}, after {LONG:.0f} s",))
    timer.daemon = True
    with suppress(RuntimeError):  # no thread to be had
        timer.start()
    try:
        yield
    finally:
        timer.cancel()


def say(what: str) -> None:
    """Say it, if it was not said yet; stderr may be gone."""
    if what in _SAID:
        return
    _SAID.add(what)
    with suppress(OSError, ValueError):
        sys.stderr.write(f"modelspec: {what}\n")
        sys.stderr.flush()
