"""A real MLServer on free ports, asked over HTTP with the Open Inference Protocol."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from clone import SERVING, Clone, Failed

MODEL, ENVIRONMENT = "eta", "production"
COMPILED = f"compiled/{ENVIRONMENT}/models/{MODEL}/mlserver"
START_SECONDS = 90
STOP_SECONDS = 20

# 30 km through Berlin at eight in the morning, in light rain; with an id of its own, so that two
# answers of one version are the same bytes from the first brace to the last.
REQUEST = {
    "id": "01936a5e-7c00-7000-8000-000000000001",
    "inputs": [{"name": "features", "datatype": "FP32", "shape": [1, 4], "data": [0.25, 1, 8, 2.5]}],
}


class Engine:
    """MLServer on a free port, asked over HTTP with the Open Inference Protocol."""

    def __init__(self, port: int, process: subprocess.Popen[bytes], log: Path) -> None:
        self._port = port
        self._process = process
        self._log = log

    @property
    def address(self) -> str:
        """Where the model says who it is."""
        return f"http://127.0.0.1:{self._port}/v2/models/{MODEL}"

    def wait(self) -> None:
        """Wait until the model answers."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise Failed(f"MLServer ended while it started:\n{self._log.read_text()[-4000:]}")
            try:
                self._call(f"models/{MODEL}/ready")
            except (Failed, OSError):
                time.sleep(0.1)
            else:
                return
        raise Failed(f"MLServer was not ready in {START_SECONDS} s:\n{self._log.read_text()[-4000:]}")

    def reload(self) -> None:
        """Tell it to read the model's compiled config again."""
        print(f"    $ curl -X POST localhost:{self._port}/v2/repository/models/{MODEL}/load")
        self._call(f"repository/models/{MODEL}/load", b"")

    def ask(self) -> bytes:
        """Ask for one prediction, show it, and return the raw answer."""
        raw = self._call(f"models/{MODEL}/infer", json.dumps(REQUEST).encode())
        answer: dict[str, Any] = json.loads(raw)
        who = answer["parameters"]
        [minutes] = answer["outputs"][0]["data"]
        print(f"    {minutes!r} minutes, says {who['model']} {answer['model_version']}")
        print(f"    {who['digest']} ({who['environment']}, {who['slot']})")
        return raw

    def infer(self, rows: Sequence[Sequence[float]]) -> dict[str, Any]:
        """Ask for predictions of some rows, and return the answer; the server gives it an id."""
        data = [value for row in rows for value in row]
        tensor = {"name": "features", "datatype": "FP32", "shape": [len(rows), len(rows[0])], "data": data}
        raw = self._call(f"models/{MODEL}/infer", json.dumps({"inputs": [tensor]}).encode())
        answer: dict[str, Any] = json.loads(raw)
        return answer

    def _call(self, path: str, body: bytes | None = None) -> bytes:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._port}/v2/{path}",
            data=body,
            headers={"Content-Type": "application/json"},
        )
        # No proxy stands between this process and itself.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=10) as answer:
                content: bytes = answer.read()
                return content
        except urllib.error.HTTPError as error:
            raise Failed(f"{path}: {error.code} {error.read().decode(errors='replace')}") from error


@contextmanager
def serving(clone: Clone, folder: Path) -> Iterator[Engine]:
    """Start MLServer on the compiled config; stop it however this ends."""
    # An empty work directory: MLServer puts the one that it starts in first on its module path.
    work = folder / "work"
    work.mkdir()
    log = folder / "mlserver.log"
    http, grpc, metrics = free_ports(3)
    ports = {
        "MLSERVER_HOST": "127.0.0.1",
        "MLSERVER_HTTP_PORT": str(http),
        "MLSERVER_GRPC_PORT": str(grpc),
        "MLSERVER_METRICS_PORT": str(metrics),
    }
    print(f"    $ mlserver start {COMPILED}")
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(SERVING / "mlserver"), "start", str(clone.folder / COMPILED)],
            cwd=work,
            env=without(os.environ, "MLSERVER_") | ports,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        engine = Engine(http, process, log)
        engine.wait()
        yield engine
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            print("    MLServer did not stop by itself and is killed", file=sys.stderr)
        finally:
            # A second signal may end the wait early; nothing may outlive this.
            process.kill()
            process.wait()


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def without(env: Mapping[str, str], prefix: str) -> dict[str, str]:
    """Return the environment without the variables that begin with `prefix`."""
    return {name: value for name, value in env.items() if not name.startswith(prefix)}
