"""Real signals to real runs: what was begun is undone, soon, and the exit code says which signal it was."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from conftest import ROOT, Git
from modelspec.tree.digest import artifact_digest, listing, sha256, stamp
from world.stores.servers import free_port, needed, running, web
from world.trees import put

SOON = 8.0
"""Seconds; it takes one or two where nothing else runs. What is waited for takes a minute or more."""
TREE = "sha256-775ef938a7a58bee74795fdfb1b15bfe70b5d4b0db4ad59067f84d9ab48b85d5"
OCI = """
version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: {root}}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""
SIGNATURE = """
inputs:
  - {name: text, dtype: string, shape: [-1]}
outputs:
  - {name: score, dtype: float32, shape: [-1], unit: "1"}
"""


@contextmanager
def begun(
    *arguments: str, cwd: Path, until: Callable[[], bool], env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Run the command up to a point in the middle of what it does."""
    process = subprocess.Popen(
        [sys.executable, "-m", "modelspec", *arguments],
        cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, **(env or {})},
    )  # fmt: skip
    try:
        end = time.monotonic() + 60
        while not until():
            assert time.monotonic() < end
            assert process.poll() is None, process.communicate()
            time.sleep(0.01)
        yield process
    finally:
        process.kill()
        process.communicate()


def ended(process: subprocess.Popen[str], number: int) -> str:
    """Send a signal; return what was said. It must end soon, as a shell says it of that signal."""
    process.send_signal(number)
    said = process.communicate(timeout=SOON)[1]
    assert process.returncode == 128 + number, said
    assert "Traceback" not in said
    return said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("files", [1, 5])
def test_a_fetch_that_is_ended_leaves_nothing(tmp_path: Path, number: int, files: int) -> None:
    data = {f"part-{at}": bytes(100_000 + at) for at in range(files)}
    rows = [(path, sha256(one)) for path, one in data.items()]
    tree = stamp(artifact_digest(rows))
    put(tmp_path, f"site/{tree}.sha256sum", listing(rows))
    for path, one in data.items():
        put(tmp_path, f"site/{tree}/{path}", one)
    (tmp_path / "out").mkdir()
    with web(tmp_path / "site") as server:
        server.stalling = {f"/{tree}/{path}" for path in data}

        def stalled() -> bool:
            return any(method == "GET" and "part" in path for method, path, _ in server.asked)

        address = f"http://127.0.0.1:{server.port}/{tree}"
        with begun("fetch", address, "out/model", cwd=tmp_path, until=stalled) as process:
            assert [one.name[:10] for one in (tmp_path / "out").iterdir()] == [".incoming-"]
            said = ended(process, number)
    assert list((tmp_path / "out").iterdir()) == []
    assert said.splitlines()[-1] == (
        "modelspec: interrupted"
        if number == signal.SIGINT
        else f"modelspec: ended by {signal.Signals(number).name}"
    )


@pytest.mark.parametrize("files", [1, 3])
def test_verify_ends_in_the_middle_of_its_files(git: Git, files: int) -> None:
    shutil.copytree(ROOT / "store", git.root / "store")
    for name in ["model.onnx", "other", "another"][:files]:
        large = git.root / "store" / TREE / name
        large.unlink(missing_ok=True)
        large.touch()
        os.truncate(large, 256 * 1024**3)
    late = time.monotonic() + 3
    with begun("verify", "eta@2.3.1", cwd=git.root, until=lambda: time.monotonic() > late) as process:
        ended(process, signal.SIGINT)


@pytest.mark.parametrize(("kind", "files"), [("s3", 1), ("s3", 3), ("oci", 1), ("oci", 3)])
def test_an_upload_ends_while_the_server_answers_nothing(
    git: Git, tmp_path: Path, kind: str, files: int
) -> None:
    """The server is stopped in the middle of it."""
    git("remote", "add", "origin", "https://git.example.com/ml/eta")
    shutil.copytree(ROOT / "training", git.root / "training")
    git.commit("Training")
    put(git.root, ".git/info/exclude", "/run/\n/*.yaml\n/served/\n")
    for at in range(files):
        put(git.root, f"run/part-{at}", bytes([at]) * (90_000_000 // files))
    served, port = tmp_path / "served", free_port()
    store, command, env = _served(kind, served, port)
    settings = git.root / "registry/modelspec.yaml"
    settings.write_text(settings.read_text().replace("stores:\n", f'stores:\n  away: {{uri: "{store}"}}\n'))

    def arrives() -> bool:
        with suppress(OSError):  # the server removes a folder that is being looked through
            return sum(map(_size, served.rglob("*"))) > 1_000_000
        return False

    arguments = (
        "register", "eta", "9.0.0", "--store", "away", "--artifact", "run", "--artifact-format", "parts",
        "--code", "training/train.py", "--unknown", "dataset=It is lost", "--unknown", "runtime=It is lost",
        "--none", "features", "--none", "config", "--request", "request.yaml", "--signature", "signature.yaml",
    )  # fmt: skip
    put(git.root, "request.yaml", "[]\n")
    put(git.root, "signature.yaml", SIGNATURE)
    with (
        running(command, port, tmp_path / "log", env) as server,
        begun(*arguments, cwd=git.root, until=arrives, env=env) as process,
    ):
        server.send_signal(signal.SIGSTOP)
        time.sleep(0.5)
        ended(process, signal.SIGINT)
    assert not (git.root / "registry/models/eta/versions/9.0.0.yaml").exists()


def _size(file: Path) -> int:
    with suppress(OSError):  # the server renames it just now
        return file.stat().st_size
    return 0


def _served(kind: str, served: Path, port: int) -> tuple[str, list[str], dict[str, str]]:
    """Return a store, the server that keeps it, and the environment that both need."""
    if kind == "oci":
        program = needed("docker-registry", "apt-get install docker-registry")
        config = put(served, "config.yml", OCI.format(root=served / "root", port=port))
        return f"oci://127.0.0.1:{port}/models", [program, "serve", str(config)], {}
    program = needed("versitygw", "make tools")
    for folder in ("root/models", "meta"):
        (served / folder).mkdir(parents=True)
    command = [program, "--quiet", "--port", f"127.0.0.1:{port}", "posix", "--sidecar", str(served / "meta")]
    keys = {
        "AWS_ACCESS_KEY_ID": "ended",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    root = {"ROOT_ACCESS_KEY": "ended", "ROOT_SECRET_KEY": "secret"}
    address = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}
    return "s3://models/store", [*command, str(served / "root")], {**keys, **root, **address}


def test_ctrl_c_while_modules_load_is_silent(tmp_path: Path) -> None:
    put(
        tmp_path, "click.py", "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(60)\n"
    )
    paths = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "modelspec", "--version"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")


def test_what_is_ignored_stays_ignored(tmp_path: Path) -> None:
    """As `nohup` has it."""
    code = (
        "import os, signal\n"
        "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "from modelspec.world.signals import caught\n"
        "with caught():\n"
        "    os.kill(os.getpid(), signal.SIGHUP)\n"
        "print('on')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "on\n", done.stderr
