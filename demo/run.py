"""The demo: one version serves, the next is promoted, `git revert` brings the first one back, bit for bit.

    make demo

Works in a scratch clone of HEAD, with a real MLServer on free ports, and leaves nothing behind.
"""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from observing import looked, told

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
MODEL, ENVIRONMENT, PREVIOUS, NEXT = "eta", "production", "2.3.0", "2.3.1"
PIN = f"registry/environments/{ENVIRONMENT}/models/{MODEL}.yaml"
VERSION = f"registry/models/{MODEL}/versions/{NEXT}.yaml"
COMPILED = f"compiled/{ENVIRONMENT}/models/{MODEL}/mlserver"
START_SECONDS = 90
STOP_SECONDS = 20

# 30 km through Berlin at eight in the morning, in light rain; with an id of its own, so that two
# answers of one version are the same bytes from the first brace to the last.
REQUEST = {
    "id": "01936a5e-7c00-7000-8000-000000000001",
    "inputs": [{"name": "features", "datatype": "FP32", "shape": [1, 4], "data": [0.25, 1, 8, 2.5]}],
}


class Failed(Exception):
    """A step did not do what it must; the message says which."""


class Clone:
    """The scratch clone, and the commands that run in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "registry"
        config = folder / "gitconfig"
        config.write_text(
            "[user]\n\tname = Demo\n\temail = demo@example.com\n[safe]\n\tdirectory = *\n"
            "[commit]\n\tgpgsign = false\n[core]\n\thooksPath = /dev/null\n[advice]\n\tdetachedHead = false\n"
        )
        # A demo that is run from a git hook must not write to the repository of the hook.
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        self.env |= {"GIT_CONFIG_GLOBAL": str(config), "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}
        self._run(["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(self.folder)], folder)

    def say(self, *command: str) -> str:
        """Run a command, show it and what it prints, and return that."""
        print(f"    $ {shlex.join(command)}")
        output = self.run(*command)
        for line in output.splitlines():
            print(f"      {line}")
        return output

    def run(self, *command: str) -> str:
        """Run a command in the clone and return what it prints."""
        return self._run(command, self.folder)

    def commit(self, message: str) -> None:
        """Commit all that changed, if anything did."""
        self.run("git", "add", "--all")
        if self.run("git", "status", "--porcelain"):
            self.say("git", "commit", "--quiet", "--message", message)

    def compiled(self) -> str:
        """Return git's id of everything that is compiled."""
        return self.run("git", "rev-parse", "HEAD:compiled").strip()

    def _run(self, command: Sequence[str], where: Path) -> str:
        program = BIN / command[0]
        done = subprocess.run(
            [str(program) if program.exists() else command[0], *command[1:]],
            cwd=where,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode:
            raise Failed(f"`{shlex.join(command)}` ended with {done.returncode}:\n{done.stdout}")
        return done.stdout


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
            [str(BIN / "mlserver"), "start", str(clone.folder / COMPILED)],
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


def promote(clone: Clone) -> None:
    """Write the next version into the pin's `stable`: one line."""
    digest = clone.run("modelspec", "digest", VERSION).strip()
    path = clone.folder / PIN
    before = path.read_text()
    stable = re.compile(r"(?m)^(stable:\n  version: )\S+$")
    after, count = stable.subn(rf"\g<1>{NEXT}@{digest}", before)
    if count != 1 or after == before:
        raise Failed(f"{PIN} does not pin another stable version than {NEXT}")
    path.write_text(after)


def demo(folder: Path) -> None:
    """Run all steps; raise Failed at the first that does not hold."""
    step(1, "A scratch clone of this repository; its registry is judged and compiled.")
    clone = Clone(folder)
    clone.say("modelspec", "check")
    clone.say("modelspec", "compile")
    clone.commit("Compile")
    compiled = clone.compiled()

    step(2, f"MLServer serves what is compiled for {MODEL} in {ENVIRONMENT}, and says which version answers.")
    with serving(clone, folder) as engine:
        first = engine.ask()
        verdict("a receipt says so", looked(clone, ENVIRONMENT, engine.address, PREVIOUS))

        step(3, f"{NEXT} is promoted: one line in one file, reviewed and merged like any other change.")
        promote(clone)
        clone.say("git", "diff", "--unified=0", "--no-color", "--", PIN)
        clone.say("modelspec", "check")
        clone.say("modelspec", "compile")
        clone.commit(f"Promote {MODEL} {NEXT} to {ENVIRONMENT}")
        engine.reload()
        second = engine.ask()
        if json.loads(second)["model_version"] != NEXT:
            raise Failed(f"the engine does not serve {NEXT}")
        verdict("a receipt says so", looked(clone, ENVIRONMENT, engine.address, NEXT))

        step(4, "The promotion is reverted. That is the whole rollback.")
        clone.say("git", "revert", "--no-edit", "HEAD")
        clone.say("modelspec", "check")
        clone.say("modelspec", "compile")
        engine.reload()
        third = engine.ask()
        verdict("a receipt says so", looked(clone, ENVIRONMENT, engine.address, PREVIOUS))

    step(5, "What came back is what was there before.")
    verdict("every byte of the engine's answer", third == first)
    verdict("every byte of what is compiled", clone.compiled() == compiled)
    verdict("nothing is left uncommitted", not clone.run("git", "status", "--porcelain"))
    verdict("and the promoted version did answer differently", outputs(second) != outputs(first))

    step(6, "What git declared, and what really served.")
    verdict("what serves is what is declared", told(clone, MODEL, ENVIRONMENT))


def outputs(raw: bytes) -> Any:
    """Return the tensors of an answer."""
    return json.loads(raw)["outputs"]


def verdict(what: str, holds: bool) -> None:
    """Print whether it holds, and stop if not."""
    print(f"    {'yes' if holds else 'NO '}  {what}")
    if not holds:
        raise Failed(f"this does not hold: {what}")


def step(number: int, text: str) -> None:
    """Print the headline of a step."""
    print(f"\n{number}. {text}", flush=True)


def stop(number: int, _: object) -> NoReturn:
    """Turn a signal into an exit that still cleans up."""
    raise SystemExit(128 + number)


def main() -> int:
    """Run the demo; 0 when the first version came back bit for bit."""
    for name in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, stop)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    started = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="modelspec-demo-") as folder:
            demo(Path(folder))
    except Failed as error:
        print(f"\nThe demo failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        return 130
    print(f"\nDone in {time.monotonic() - started:.0f} s; nothing is left running.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
