"""A real MLServer with the modelspec runtime, as the tests start and ask it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

Describe = Callable[..., dict[str, Any]]
FEATURES = {"name": "features", "datatype": "FP32", "shape": [1, 4], "data": [0.25, 1, 8, 2.5]}
REQUEST = {"inputs": [FEATURES]}
START_SECONDS = 60


class Engine:
    """One MLServer over a folder with a slot in each subfolder."""

    def __init__(self, folder: Path, describe: Describe, store: Path) -> None:
        self.folder = folder
        self._describe = describe
        self._store = store
        self._http, self.grpc, self._metrics = _free_ports(3)

    def write(self, slot: str, version: str, name: str = "eta", **change: Any) -> None:
        """Write one slot's model-settings.json as the compiler does: built aside, then renamed."""
        described = {**self._describe("eta", version, slot=slot), **change}
        tree = self._store / described["artifact"]["digest"].replace(":", "-")
        settings = {
            "name": name,
            "implementation": "modelspec.runtimes.mlserver.OnnxRuntime",
            "parameters": {
                "version": version,
                "uri": os.path.relpath(tree, self.folder / slot),
                "format": "onnx",
                "extra": {"modelspec": described},
            },
        }
        (self.folder / slot).mkdir(parents=True, exist_ok=True)
        aside = self.folder / slot / "aside"
        aside.write_text(json.dumps(settings))
        aside.rename(self.folder / slot / "model-settings.json")

    def start(self, work: Path, **env: str) -> subprocess.Popen[str]:
        """Start it in an empty work directory, whose modules would come before the installed ones."""
        settings = {"debug": False, "parallel_workers": 0, "host": "127.0.0.1"}
        (self.folder / "settings.json").write_text(json.dumps(settings))
        work.mkdir()
        return subprocess.Popen(
            [Path(sys.executable).with_name("mlserver"), "start", str(self.folder)],
            cwd=work,
            env={
                **os.environ,
                "MLSERVER_HTTP_PORT": str(self._http),
                "MLSERVER_GRPC_PORT": str(self.grpc),
                "MLSERVER_METRICS_PORT": str(self._metrics),
                **env,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def wait(self, process: subprocess.Popen[str]) -> None:
        """Return when the model answers."""
        deadline = time.monotonic() + START_SECONDS
        while self.call("models/eta/ready", method="GET")[0] != 200:
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < deadline, "MLServer did not start"
            time.sleep(0.1)

    def metric(self, name: str) -> float:
        """Return the sum of a metric over its labels; 0 when it is not there."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._metrics}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name + "{"))

    def call(self, path: str, body: Any = None, method: str = "POST") -> tuple[int, Any]:
        """Return the status and the JSON of the answer; 0 when nobody answers."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._http}/v2/{path}",
            data=data,
            method=method,
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null")
        except OSError:
            return 0, None

    def infer(self, model: str = "eta", **change: Any) -> tuple[int, Any]:
        """Ask for one prediction."""
        return self.call(f"models/{model}/infer", {**REQUEST, **change})

    def reload(self, model: str = "eta") -> tuple[int, Any]:
        """Tell it to read its configuration again."""
        return self.call(f"repository/models/{model}/load")


def _free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports
