"""What the request log costs a request: a real MLServer, the log off and on in turns, in one run.

    .venv-demo/bin/python benchmarks/requestlog.py [--requests 2000] [--turns 3]

Each server serves the example's eta; one client asks one after the other over a kept connection.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

BODY = json.dumps(
    {"inputs": [{"name": "features", "datatype": "FP32", "shape": [1, 4], "data": [0.25, 1, 8, 2.5]}]}
).encode()


def main() -> None:
    """Start both servers, ask them in turns, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--turns", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        servers = {name: Server(Path(work) / name, name == "on") for name in ("off", "on")}
        seen: dict[str, list[float]] = {name: [] for name in servers}
        spent: dict[str, float] = dict.fromkeys(servers, 0.0)
        try:
            for server in servers.values():
                server.ask(200)
            for _ in range(given.turns):
                for name, server in servers.items():
                    before = server.processor()
                    seen[name] += server.ask(given.requests)
                    spent[name] += server.processor() - before
        finally:
            for server in servers.values():
                server.stop()
        kept = list(Path(work).rglob("*.parquet"))
        print(f"{given.turns * given.requests:,} requests each; {len(kept)} files")
        for name, times in seen.items():
            cut = quantiles(times, n=100)
            print(
                f"log {name:3}  median {median(times) * 1e3:.2f} ms, p95 {cut[94] * 1e3:.2f} ms, "
                f"p99 {cut[98] * 1e3:.2f} ms, processor {spent[name] / len(times) * 1e3:.2f} ms a request"
            )


class Server:
    """One MLServer; its log is flushed every second when it is on."""

    def __init__(self, work: Path, log: bool) -> None:
        from runtimes.conftest import STORE, describe

        told: dict[str, Any] = describe("eta", "2.3.0")
        if log:
            told["log"] = {"sample": 100, "folder": str(work / "log"), "flush_seconds": 1}
        folder = work / "models" / "stable"
        folder.mkdir(parents=True)
        tree = STORE / told["artifact"]["digest"].replace(":", "-")
        settings = {
            "name": "eta",
            "implementation": "modelspec.runtimes.mlserver.OnnxRuntime",
            "parameters": {
                "version": "2.3.0", "uri": str(tree), "format": "onnx", "extra": {"modelspec": told}
            },
        }  # fmt: skip
        (folder / "model-settings.json").write_text(json.dumps(settings))
        held = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
        ports = [one.getsockname()[1] for one in held]
        for one in held:
            one.close()
        names = ("http_port", "grpc_port", "metrics_port")
        quiet = {"debug": False, "parallel_workers": 0, "host": "127.0.0.1", "logging_settings": None}
        (work / "models" / "settings.json").write_text(
            json.dumps({**quiet, **dict(zip(names, ports, strict=True))})
        )
        self._port = ports[0]
        self._process = subprocess.Popen(
            [Path(sys.executable).with_name("mlserver"), "start", str(work / "models")],
            cwd=work, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + 90
        while True:
            try:
                self.ask(1)
                return
            except (OSError, AssertionError):
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise
                time.sleep(0.1)

    def ask(self, count: int) -> list[float]:
        """Return the seconds of each of so many requests."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        times = []
        for _ in range(count):
            before = time.perf_counter()
            connection.request("POST", "/v2/models/eta/infer", BODY, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            times.append(time.perf_counter() - before)
            assert answer.status == 200
        connection.close()
        return times

    def processor(self) -> float:
        """Return the seconds of processor that it has used."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(60)


if __name__ == "__main__":
    main()
