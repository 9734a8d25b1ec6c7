"""Measures whole processes: wall time, processor time and peak memory."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median

_UNIT = 1024 if sys.platform == "linux" else 1
"""Bytes in the unit that the system counts resident memory in."""
_ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""What is installed is compiled once, not again in each run."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Over the runs: seconds on the clock, seconds of processor, and the greatest memory in MB.

    `least` is the shortest run on the clock: on a machine that others use, what comes nearest to the truth.
    """

    wall: float
    cpu: float
    memory: float
    least: float


def measure(
    command: Sequence[str],
    repeat: int,
    before: Callable[[], None],
    of: Callable[[Iterable[float]], float] = median,
) -> Figures:
    """Run a command `repeat` times, `before()` ahead of each, and stop when it fails.

    `of`: what is told of the runs, such as their median; of a machine that others load, `min`.
    """
    runs = []
    for _ in range(repeat):
        before()
        runs.append(_once(command))
    return Figures(
        wall=of(run.wall for run in runs),
        cpu=of(run.cpu for run in runs),
        memory=max(run.memory for run in runs),
        least=min(run.wall for run in runs),
    )


def _once(command: Sequence[str]) -> Figures:
    start = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=_ENVIRONMENT
    ) as child:
        assert child.stdout is not None
        said = child.stdout.read()
        # wait4 alone says what this one child used, its own children included.
        _, status, used = os.wait4(child.pid, 0)
        wall = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"{' '.join(command)} ended with {child.returncode}:\n{said[-4000:]}")
    return Figures(wall, used.ru_utime + used.ru_stime, used.ru_maxrss * _UNIT / 1e6, wall)
