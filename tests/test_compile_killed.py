"""The whole command, killed before any call that changes files, or with that call failing.

`tests/world/test_swap_killed.py` does the same to the writer alone, at far more points; here the command
reads a registry, renders it, and is run again after the kill as a person would.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from conftest import EXAMPLE, ROOT, edit, reference
from world.injected import ERRORS
from world.strace import Call, changing, needs_strace, run

pytestmark = needs_strace

Tree = dict[str, bytes]


def promote(root: Path) -> None:
    """Give production the version after the one that it serves: the first run compiled it already."""
    compiled = command(root)
    assert compiled.returncode == 0, compiled.stdout + compiled.stderr
    pin = "registry/environments/production/models/eta.yaml"
    edit(root, pin, reference(root, "eta", "2.3.0"), reference(root, "eta", "2.3.1"))


SCENARIOS: dict[str, tuple[Callable[[Path], None], tuple[str, ...]]] = {
    "the first compile": (lambda _: None, ()),
    "a promotion": (promote, ()),
    "a promotion alone": (promote, ("production", "--model", "eta")),
}
SAMPLED = [("the first compile", 90), ("a promotion alone", 9)]
EVERY = [pytest.param(name, 1, marks=pytest.mark.slow) for name in SCENARIOS]


def command(
    root: Path, *arguments: str, inject: str | None = None, trace: Path | None = None
) -> subprocess.CompletedProcess[str]:
    return run(
        [sys.executable, "-B", "-m", "modelspec", "compile", "--root", str(root), *arguments],
        inject=inject,
        trace=trace,
    )


def holds(root: Path) -> Tree:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.glob("compiled/**/*")
        if path.is_file()
    }


def litter(root: Path) -> set[str]:
    return {path.name for path in root.iterdir()} - {*EXAMPLE, "compiled"}


class Stage:
    """A scenario laid out on disk as often as it is asked for, with the trees before and after."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        prepare, self.arguments = SCENARIOS[name]
        self._ground = folder / "ground"
        for one in EXAMPLE:
            shutil.copytree(ROOT / one, self._ground / one)
        prepare(self._ground)
        self.old = holds(self._ground)
        traced = self.root("traced")
        done = command(traced, *self.arguments, trace=folder / "trace")
        assert done.returncode == 0, done.stdout + done.stderr
        self.new = holds(traced)
        assert self.new != self.old

    def root(self, name: str) -> Path:
        root = self.folder / name
        shutil.copytree(self._ground, root)
        return root

    def points(self, every: int) -> list[Call]:
        found = changing(self.folder / "trace")
        swap = next(at for at, call in enumerate(found) if call.name.startswith("rename"))
        # Whatever is left out, the calls around the swap itself are not.
        return [call for at, call in enumerate(found) if at % every == 0 or abs(at - swap) <= 1]


def killed(stage: Stage, call: Call) -> None:
    root = stage.root(f"{call.name}-{call.number}")
    done = command(root, *stage.arguments, inject=f"{call.name}:signal=KILL:when={call.number}")
    assert (done.stdout, done.stderr) == ("", ""), f"{call} was not reached"
    assert holds(root) in (stage.old, stage.new), f"killed before {call}: a mixture"
    again = command(root, *stage.arguments)
    assert (again.returncode, again.stderr) == (0, ""), f"after {call}: {again.stderr}"
    assert holds(root) == stage.new
    assert litter(root) == set()


def failed(stage: Stage, call: Call, error: str) -> None:
    root = stage.root(f"{call.name}-{call.number}-{error}")
    done = command(root, *stage.arguments, inject=f"{call.name}:error={error}:when={call.number}")
    assert "Traceback" not in done.stderr, f"{error} in {call}"
    if done.returncode == 0:
        # The call was tried again, or the old tree could be removed after all.
        assert holds(root) == stage.new
    else:
        assert done.returncode == 3
        assert done.stderr.startswith("modelspec: ")
        assert holds(root) == stage.old, f"{error} in {call}: refused, and changed"
    assert litter(root) == set(), f"{error} in {call}"


@pytest.mark.parametrize(("name", "every"), [*SAMPLED, *EVERY])
def test_a_killed_compile_leaves_the_old_configs_or_the_new_ones(
    tmp_path: Path, name: str, every: int
) -> None:
    stage = Stage(tmp_path, name)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda call: killed(stage, call), stage.points(every)))


@pytest.mark.parametrize(("name", "every"), [("a promotion alone", 9), *EVERY])
def test_a_compile_on_a_failing_disk_refuses_and_changes_nothing(
    tmp_path: Path, name: str, every: int
) -> None:
    stage = Stage(tmp_path, name)
    jobs = [(call, ERRORS[at % len(ERRORS)]) for at, call in enumerate(stage.points(every))]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda job: failed(stage, *job), jobs))
