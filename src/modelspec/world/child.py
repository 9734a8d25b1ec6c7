"""Renders untrusted templates in a child process with limits; what it exceeds is a fault, never a hang.

The child is `python -I -m modelspec.cli.child`; `tree.frames` is what it is asked and answers. One child
serves a whole run; one that exceeded a limit is replaced.
"""

from __future__ import annotations

import os
import resource
import select
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Mapping, Sequence
from typing import IO, Final

from modelspec.tree.data import Data
from modelspec.tree.finding import Refusal
from modelspec.tree.frames import FrameError, read_reply, write_request
from modelspec.tree.protocols import Rendered, RenderFault

COMMAND: Final = (sys.executable, "-I", "-B", "-m", "modelspec.cli.child")
RULE: Final = "render-bounded"
WALL_SECONDS: Final = 5.0
"""Of one template; the largest that ships takes a thousandth of that."""
START_SECONDS: Final = 60.0
CPU_SECONDS: Final = 60
"""Of one child; it is replaced long before that, unless it hides from the wall clock."""
MEMORY: Final = 512 * 1024 * 1024
OUTPUT: Final = 4 * 1024 * 1024
TRIES: Final = 8
"""After so many templates that exceeded a limit none is rendered any more: they would take hours."""
_FILES: Final = 32
_STANDARD: Final = 3
"""stdin, stdout, stderr"""
_FIRST: Final = (
    'text: "é"\nvalue: {{ "\\u00e9" }}\nnumber: {{ 1.5 }}\n',
    "{% if 1 == 1 and not [] %}{% for x in [1] %}{{ loop.index }}: {{ x }}\n{% endfor %}{% endif %}",
    "started: {{ nothing.here }}\n",
    "{{",
)
"""Ones that render and ones that do not: what a renderer imports late, it imports here."""
_CHUNK: Final = 64 * 1024
_FIX: Final = "make it smaller: templates arrange values, they do not compute"


class ChildRenderer:
    """Implements Renderer with one child process at a time. Used by one thread."""

    def __init__(
        self,
        command: Sequence[str] = COMMAND,
        *,
        wall: float = WALL_SECONDS,
        cpu: int = CPU_SECONDS,
        memory: int = MEMORY,
        output: int = OUTPUT,
    ) -> None:
        self._command = tuple(command)
        self._wall, self._cpu, self._memory, self._output = wall, cpu, memory, output
        self._child: subprocess.Popen[bytes] | None = None
        self._finalizer: weakref.finalize[[subprocess.Popen[bytes]], ChildRenderer] | None = None
        self._owner = os.getpid()
        self._used = 0.0
        self._exceeded = 0
        self._answers = False

    def __enter__(self) -> ChildRenderer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def render(self, source: str, context: Mapping[str, Data]) -> Rendered | RenderFault:
        """Return the data that the template describes and its holes, or why there is none."""
        if self._exceeded >= TRIES:
            return RenderFault(
                RULE,
                f"not rendered: {TRIES} templates before it exceeded their limits",
                fix="mend those first",
            )
        child = self._running()
        began = time.monotonic()
        try:
            answer = _ask(child, source, context, began + self._wall, self._output)
        except _Exceeded as trouble:
            return self._fault(str(trouble))
        except (EOFError, BrokenPipeError):
            return self._fault(self._end(child))
        except FrameError:
            return self._fault("made the renderer answer nonsense")
        self._used += time.monotonic() - began
        if self._used > self._cpu / 2:
            self.close()
        return answer

    def begin(self) -> None:
        """Start the child ahead of the first template, for who has something else to do meanwhile."""
        self._started()

    def close(self) -> None:
        """End the child. Rendering again starts another."""
        if self._finalizer is not None:
            self._finalizer()
        self._child = self._finalizer = None
        self._answers = False
        self._used = 0.0

    def _fault(self, what: str) -> RenderFault:
        self._exceeded += 1
        self.close()
        return RenderFault(RULE, f"the template {what}", fix=_FIX)

    def _started(self) -> subprocess.Popen[bytes]:
        if self._owner != os.getpid():
            # A fork: the child belongs to whoever started it.
            if self._finalizer is not None:
                self._finalizer.detach()
            self._child = self._finalizer = None
            self._owner = os.getpid()
            self._answers = False
        if self._child is not None:
            return self._child
        cpu, memory = self._cpu, self._memory

        def limit() -> None:
            for what, most in (
                (resource.RLIMIT_CPU, cpu),
                (resource.RLIMIT_AS, memory),
                (resource.RLIMIT_FSIZE, 0),
                (resource.RLIMIT_NOFILE, _FILES),
                (resource.RLIMIT_CORE, 0),
            ):
                try:
                    resource.setrlimit(what, (most, most))
                except (ValueError, OSError):
                    # macOS has no limit on memory that it keeps, and a parent may have set a lower one.
                    continue

        try:
            child = subprocess.Popen(
                self._command,
                cwd="/",
                env={},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                preexec_fn=limit,
            )
        except OSError as error:
            raise _unstarted(error.strerror or "unknown error") from None
        self._finalizer = weakref.finalize(self, _kill, child)
        self._child = child
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)
        return child

    def _running(self) -> subprocess.Popen[bytes]:
        child = self._started()
        if self._answers:
            return child
        # The first answers wait for imports, which no template is to blame for.
        try:
            for source in _FIRST:
                _ask(child, source, {}, time.monotonic() + START_SECONDS, self._output)
        except (EOFError, BrokenPipeError, FrameError, _Exceeded):
            code = self._code(child)
            self.close()
            raise _unstarted(f"exit code {code}") from None
        if sys.platform == "linux":
            # From here on it can open nothing at all: no file, no socket.
            resource.prlimit(child.pid, resource.RLIMIT_NOFILE, (_STANDARD, _STANDARD))
        self._answers = True
        return child

    def _end(self, child: subprocess.Popen[bytes]) -> str:
        code = self._code(child)
        if code in (-signal.SIGXCPU, -signal.SIGKILL):
            return f"used more than {self._cpu} seconds of CPU"
        return (
            f"the template used more than {self._memory // 1024**2} MB, or made the renderer crash ({code})"
        )

    @staticmethod
    def _code(child: subprocess.Popen[bytes]) -> int | None:
        try:
            return child.wait(1)
        except subprocess.TimeoutExpired:
            return None


def _unstarted(why: str) -> Refusal:
    return Refusal(
        f"the process that renders templates did not start: {why}",
        "try `python -I -m modelspec.cli.child < /dev/null`, or install modelspec again",
    )


class _Exceeded(Exception):
    """A limit that we see ourselves: time or output; the text goes after `the template`."""


def _ask(
    child: subprocess.Popen[bytes], source: str, context: Mapping[str, Data], deadline: float, most: int
) -> Rendered | RenderFault:
    if child.stdin is None or child.stdout is None:
        raise AssertionError("both are pipes")
    _send(child.stdin, write_request(source, context), deadline)
    return read_reply(_receive(child.stdout, deadline, most))


def _send(pipe: IO[bytes], data: bytes, deadline: float) -> None:
    view = memoryview(data)
    while view:
        _wait(pipe, select.POLLOUT, deadline)
        view = view[os.write(pipe.fileno(), view) :]


def _receive(pipe: IO[bytes], deadline: float, most: int) -> bytes:
    """Return one line. The child writes nothing that it was not asked for, so nothing follows it."""
    data = bytearray()
    while not data.endswith(b"\n"):
        _wait(pipe, select.POLLIN, deadline)
        chunk = os.read(pipe.fileno(), _CHUNK)
        if not chunk:
            raise EOFError
        data += chunk
        if len(data) > most:
            raise _Exceeded(f"gave more than {most // 1024:,} KB")
    return bytes(data)


def _wait(pipe: IO[bytes], event: int, deadline: float) -> None:
    poll = select.poll()
    poll.register(pipe, event)
    left = deadline - time.monotonic()
    if left <= 0 or not poll.poll(left * 1000):
        raise _Exceeded("took too long")


def _kill(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except BrokenPipeError:
                continue
