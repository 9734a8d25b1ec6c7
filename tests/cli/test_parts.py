"""A large registry is judged by several processes: the answers are those of one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import Git, edit

PIN = "registry/environments/production/models/eta.yaml"
VERSION = "registry/models/eta/versions/2.3.0.yaml"
FORKED = """
import sys
import modelspec.cli.source as source
import modelspec.world.parallel as parallel
from modelspec.cli.main import run
source.LARGE = 0
parallel.cores = lambda: 3
sys.exit(run(sys.argv[1:]))
"""
needs_fork = pytest.mark.skipif(sys.platform != "linux", reason="only Linux forks safely")


def command(root: Path, *arguments: str, forked: bool) -> tuple[int, str, str]:
    start = ["-c", FORKED] if forked else ["-m", "modelspec"]
    done = subprocess.run(
        [sys.executable, *start, *arguments, "--root", str(root)], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


@needs_fork
@pytest.mark.parametrize(
    "arguments",
    [
        ("check",),
        ("check", "--format", "json", "--now", "2026-11-24T00:00:00Z"),
        ("check", "--ref", "HEAD"),
        ("check", "--base", "HEAD~1", "--ref", "HEAD", "--format", "json"),
        ("compile",),
        ("compile", "production", "--format", "json"),
        ("compile", "--check"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("broken", [False, True], ids=["clean", "broken"])
def test_the_answers_are_those_of_one_process(
    example: Path, git: Git, arguments: tuple[str, ...], broken: bool
) -> None:
    edit(example, PIN, "model: eta\n", "model: eta\nreason: {text: Why}\n")
    if broken:
        edit(example, VERSION, "threads: 1", "threads: one")
        (example / "templates/kserve/inference-service.yaml.j2").write_text("kind: x{{ model }}\n")
    git("add", "-A")
    git("commit", "-qm", "A change")
    found = []
    for forked in (False, True):
        shutil.rmtree(example / "compiled", ignore_errors=True)
        answer = command(example, *arguments, forked=forked)
        files = sorted(path for path in example.glob("compiled/**/*") if path.is_file())
        found.append((answer, [(path.relative_to(example), path.read_bytes()) for path in files]))
    assert found[1] == found[0]
    assert bool(found[0][1]) == (arguments[0] == "compile" and "--check" not in arguments and not broken)


@needs_fork
def test_there_really_are_several(example: Path, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    spied = FORKED.replace(
        "source.LARGE = 0",
        f"source.LARGE = 0\nimport os, modelspec.spec.part as part\nhas = part.Part.has\n"
        f"def spy(self, path):\n    open({str(pids)!r}, 'a').write(f'{{os.getpid()}}\\n')\n    return has(self, path)\n"
        f"part.Part.has = spy",
    )
    subprocess.run(
        [sys.executable, "-c", spied, "check", "--root", str(example)], check=True, env=dict(os.environ)
    )
    assert len(set(pids.read_text().split())) == 3
