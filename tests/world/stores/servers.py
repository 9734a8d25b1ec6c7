"""Real servers on the loopback interface: an S3 gateway, an OCI registry, and a web server that misbehaves."""

from __future__ import annotations

import contextlib
import gzip
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from conftest import ROOT


def program(name: str) -> str | None:
    """Return a server's program: from PATH, from the folder that `make tools` fills, or where Go installs."""
    places = [os.environ.get("PATH", ""), str(ROOT / ".tools"), str(Path.home() / "go" / "bin")]
    return shutil.which(name, path=os.pathsep.join(places))


def needed(name: str, cure: str) -> str:
    """Return a program or skip the test."""
    found = program(name)
    if found is None:
        pytest.skip(f"{name} is not installed: {cure}")
    return found


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextlib.contextmanager
def silent() -> Iterator[int]:
    """A port where nobody answers, not even that nobody is there: Linux drops what its queue has no room for."""
    with socket.socket() as one, contextlib.ExitStack() as others:
        one.bind(("127.0.0.1", 0))
        one.listen(0)
        for _ in range(4):
            other = others.enter_context(socket.socket())
            other.setblocking(False)
            other.connect_ex(one.getsockname())
        yield int(one.getsockname()[1])


@contextlib.contextmanager
def mute() -> Iterator[int]:
    """A port where every connection is taken, and nothing is ever said."""
    taken: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as one:

        def take() -> None:
            with contextlib.suppress(OSError):
                while True:
                    taken.append(one.accept()[0])

        threading.Thread(target=take, daemon=True).start()
        try:
            yield int(one.getsockname()[1])
        finally:
            for each in taken:
                each.close()


@contextlib.contextmanager
def running(
    command: list[str], port: int, log: Path, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the block ends; wait for its port first."""
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env={**os.environ, **(env or {})})
        try:
            for _ in range(200):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
                    break
                assert process.poll() is None, log.read_text()
                time.sleep(0.05)
            yield process
        finally:
            process.terminate()
            process.send_signal(signal.SIGCONT)
            process.wait(timeout=10)


@dataclass
class Web:
    """A web server over a folder, and what is wrong with it."""

    root: Path
    port: int = 0
    failing: Counter[str] = field(default_factory=Counter)
    """How often each path still answers 500."""
    dies_at: int | None = None
    """The byte at which the connection breaks, `deaths` times for each path."""
    deaths: Counter[str] = field(default_factory=Counter)
    extra_length: int = 0
    """What is added to every length that it says."""
    ranges: bool = True
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    """(method, path, range) of each request."""
    answers: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    """Path with query -> (type, body) of what is no file."""
    replies: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    """Path with query -> (status, headers, body) of what is answered there."""
    endless: set[str] = field(default_factory=set)
    """Paths whose bytes do not end before 300 MB of them are sent."""
    stalling: set[str] = field(default_factory=set)
    """Paths of which the last byte does not come before the server ends."""
    ended: threading.Event = field(default_factory=threading.Event)
    packed: bool = False
    """Whether files are packed, whatever the client takes."""
    sent: int = 0
    """The most bytes that were taken of one endless answer."""


@contextlib.contextmanager
def web(root: Path) -> Iterator[Web]:
    state = Web(root)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self.answer(body=False)

        def do_GET(self) -> None:
            self.answer(body=True)

        def answer(self, body: bool) -> None:
            state.asked.append((self.command, self.path, self.headers.get("Range", "")))
            if state.failing[self.path] > 0:
                state.failing[self.path] -= 1
                self.reply(500, b"", 0, body)
                return
            if self.path in state.answers:
                kind, data = state.answers[self.path]
                self.reply(200, data, len(data), body, ("Content-Type", kind))
                return
            if self.path in state.replies:
                status, more, data = state.replies[self.path]
                self.reply(status, data, len(data), body, *more.items())
                return
            if self.path in state.endless and body:
                self.go_on()
                return
            file = state.root / self.path.lstrip("/")
            if not file.is_file():
                self.reply(404, b"", 0, body)
                return
            data = file.read_bytes()
            if state.packed and body:
                data = gzip.compress(data)
                self.reply(200, data, len(data), body, ("Content-Encoding", "gzip"))
                return
            status, headers = 200, [("Accept-Ranges", "bytes")]
            if state.ranges and (asked := self.headers.get("Range")):
                first, last = asked.removeprefix("bytes=").split("-")
                start, end = int(first), min(int(last or len(data) - 1), len(data) - 1)
                headers.append(("Content-Range", f"bytes {start}-{end}/{len(data)}"))
                data, status = data[start : end + 1], 206
            self.reply(status, data, len(data) + state.extra_length, body, *headers)

        def go_on(self) -> None:
            self.send_response(206 if self.headers.get("Range") else 200)
            self.end_headers()
            self.close_connection = True
            with contextlib.suppress(OSError):
                for number in range(300):
                    self.wfile.write(bytes(1_000_000))
                    state.sent = max(state.sent, (number + 1) * 1_000_000)

        def reply(self, status: int, data: bytes, length: int, body: bool, *headers: tuple[str, str]) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(length))
            for name, value in headers:
                self.send_header(name, value)
            self.end_headers()
            if not body:
                return
            if state.dies_at is not None and len(data) > state.dies_at and state.deaths[self.path] > 0:
                state.deaths[self.path] -= 1
                self.wfile.write(data[: state.dies_at])
                self.wfile.flush()
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
                return
            if self.path in state.stalling:
                self.wfile.write(data[:-1])
                self.wfile.flush()
                state.ended.wait(120)
                self.close_connection = True
                return
            self.wfile.write(data)
            if length > len(data):
                self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        state.ended.set()
        server.shutdown()
        server.server_close()
