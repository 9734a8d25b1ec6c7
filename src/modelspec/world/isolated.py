"""Runs a function in a child process with limits: what a hostile file does to it, it does to the child.

Libraries in C read some formats, and a crash of theirs can't be caught. Thirty kilobytes can also unpack
to gigabytes.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, NoReturn

from modelspec.tree.finding import Refusal
from modelspec.world.signals import plain

MEMORY: Final = 2 * 1024**3
"""The most address space, in bytes, beyond what the parent has; only Linux keeps to it."""
SECONDS: Final = 60
"""The most time of a processor that the child has."""
_WORKED: Final = 0
_NO_MEMORY: Final = 81
_RAISED: Final = 82


def isolated(work: Callable[[], bytes]) -> bytes:
    """Return what the function gives in a child; raises Refusal when the child is killed, by us or by itself.

    The function must not raise what its caller wants to know: only bytes come back.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        _work(work, writing)
    os.close(writing)
    try:
        with os.fdopen(reading, "rb") as pipe:
            found = pipe.read()
    except BaseException:  # interrupted: nobody wants its answer
        os.kill(child, signal.SIGKILL)
        raise
    finally:
        _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code == _WORKED:
        return found
    if code == _NO_MEMORY:
        raise Refusal(
            f"reading it takes more than {MEMORY // 1024**3} GiB of memory", "import a smaller file"
        )
    if code == _RAISED:
        raise RuntimeError("the child that reads foreign files failed: its traceback is above")
    if code == -signal.SIGXCPU:
        raise Refusal(f"reading it takes more than {SECONDS} seconds", "import a smaller file")
    raise Refusal(
        "reading it kills the library that reads it",
        "it is broken, or made to do that: look where it comes from",
    )


def _work(work: Callable[[], bytes], pipe: int) -> NoReturn:
    """Do the work as the child, and end without anything that the parent would do at its end."""
    code = _RAISED
    try:
        plain()
        if sys.platform.startswith("linux"):
            _limit(resource.RLIMIT_AS, _address_space() + MEMORY)
        _limit(resource.RLIMIT_CPU, SECONDS)
        _limit(resource.RLIMIT_CORE, 0)
        with os.fdopen(pipe, "wb") as out:
            out.write(work())
        code = _WORKED
    except MemoryError:
        code = _NO_MEMORY
    except BaseException:
        # A bug of ours: its traceback is what there is to report.
        sys.excepthook(*sys.exc_info())
    finally:
        with suppress(OSError, ValueError):
            sys.stderr.flush()
        os._exit(code)


def _address_space() -> int:
    """Return the address space of this process on Linux, in bytes: a child begins with its parent's."""
    return int(Path("/proc/self/statm").read_bytes().split()[0]) * resource.getpagesize()


def _limit(kind: int, most: int) -> None:
    _, hard = resource.getrlimit(kind)
    with suppress(ValueError, OSError):
        resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
