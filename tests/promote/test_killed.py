"""Killed at each call that changes files or refs: the tip is old or new, and running it again completes it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from conftest import Git
from promote import lab
from world.strace import CHANGING, needs_strace

pytestmark = needs_strace

VERB = ("promote", "m0", "1.1.0", "--to", "staging", "--commit")
WRITERS = ("read-tree", "update-index", "hash-object", "write-tree", "commit-tree", "update-ref")
CALLS = CHANGING + ",link,creat,open,renameat2"
GIT = shutil.which("git")
_LINE = re.compile(r"^(?:\d+ +)?(\w+)\((.*)\) += ")

# Finds the subcommand, counts it, and runs the chosen one under strace; `$BOTH` kills who called it too.
WRAPPER = f"""#!/bin/bash
. "$HOME/wrapper"
sub=
for one in "$@"; do case "$one" in {"|".join(WRITERS)}) sub=$one; break;; esac; done
if [ -z "$sub" ] || [ ! -d "$COUNTS" ]; then exec {GIT} "$@"; fi
at=0; while ! mkdir "$COUNTS/$sub.$at" 2>/dev/null; do at=$((at+1)); done
if [ -n "$TRACES" ]; then exec strace -qq -s 300 -e trace={CALLS} -o "$TRACES/$sub.$at" {GIT} "$@"; fi
if [ "$POINT" = "$sub.$at" ]; then
  if [ -n "$BOTH" ]; then
    strace -qq -o /dev/null -e trace=$CALL -e inject=$CALL:signal=KILL:when=$WHEN {GIT} "$@"
    kill -9 $PPID; exit 1
  fi
  exec strace -qq -o /dev/null -e trace=$CALL -e inject=$CALL:signal=KILL:when=$WHEN {GIT} "$@"
fi
exec {GIT} "$@"
"""


@dataclass(frozen=True)
class Point:
    """One call to die before: of ours (`git` is "") or of one run of git."""

    git: str
    call: str
    number: int

    def __str__(self) -> str:
        return f"{self.git or 'modelspec'}:{self.call}:{self.number}"


class Ground:
    """A repository to be killed in, as often as it is asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.template = folder / "template"
        self.git = lab.repository(self.template, lab.files(1, 2, ("staging",)))
        self.old = self.git("rev-parse", "HEAD")
        (folder / "bin").mkdir()
        (folder / "bin" / "git").write_text(WRAPPER)
        (folder / "bin" / "git").chmod(0o755)

    def root(self, name: str) -> Path:
        root = self.folder / name.replace(":", "-")
        shutil.copytree(self.template, root)
        return root

    def run(
        self, root: Path, *, strace: list[str] | None = None, **env: str
    ) -> subprocess.CompletedProcess[str]:
        counts = root.parent / f"{root.name}.counts"
        shutil.rmtree(counts, ignore_errors=True)
        counts.mkdir()
        clean = {
            key: value for key, value in os.environ.items() if not key.startswith(("MODELSPEC_", "GIT_"))
        }
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        return subprocess.run(
            [*(strace or []), sys.executable, "-B", "-m", "modelspec", *VERB],
            cwd=root,
            # The wrapper's own variables reach it through a file: modelspec clears the environment of git.
            env={
                **clean,
                "PATH": path,
                "GIT_CONFIG_GLOBAL": os.devnull,
                "HOME": str(self.home(root, counts, env)),
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def home(self, root: Path, counts: Path, env: dict[str, str]) -> Path:
        home = root.parent / f"{root.name}.home"
        home.mkdir(exist_ok=True)
        lines = [f"{key}='{value}'\n" for key, value in {"COUNTS": str(counts), **env}.items()]
        (home / "wrapper").write_text("".join(lines))
        return home


def points(ground: Ground) -> list[Point]:
    """Every call that changes something, of ours after the lock and of each git that writes."""
    root, traces = ground.root("traced"), ground.folder / "traces"
    traces.mkdir()
    own = ground.folder / "own"
    done = ground.run(
        root,
        strace=["strace", "-y", "-qq", "-s", "300", "-e", f"trace={CALLS}", "-o", str(own)],
        TRACES=str(traces),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = _points("", own.read_text(errors="replace"), after="flock")
    for trace in sorted(traces.iterdir()):
        found += _points(trace.name, trace.read_text(errors="replace"))
    return found


def _points(git: str, trace: str, after: str | None = None) -> list[Point]:
    counts: Counter[str] = Counter()
    found = []
    reached = after is None
    for line in trace.splitlines():
        match = _LINE.match(line)
        if match is None:
            continue
        call, arguments = match.groups()
        counts[call] += 1
        reached = reached or call == after
        reads = call in ("openat", "open") and "O_CREAT" not in arguments
        prints = call == "write" and (arguments.startswith(("1,", "2,", "1<", "2<")) or "<pipe:" in arguments)
        if reached and not reads and not prints and call != "flock":
            found.append(Point(git, call, counts[call]))
    return found


def killed(ground: Ground, point: Point, both: bool) -> None:
    root = ground.root(f"{point}-{both}")
    git = _git(root)
    if point.git:
        env = {"POINT": point.git, "CALL": point.call, "WHEN": str(point.number)}
        done = ground.run(root, **env, **({"BOTH": "1"} if both else {}))
    else:
        inject = f"inject={point.call}:signal=KILL:when={point.number}"
        done = ground.run(
            root, strace=["strace", "-qq", "-o", os.devnull, "-e", f"trace={point.call}", "-e", inject]
        )
    assert "Traceback" not in done.stderr, f"{point}: {done.stderr}"
    said = done.stdout + done.stderr
    tip = git("rev-parse", "main")
    landed = tip != ground.old
    if landed:
        assert git("rev-parse", "main^") == ground.old
    if "nothing was changed" in said:
        assert not landed, f"{point}: {said}"
    for path in git("ls-tree", "-r", "--name-only", "main").split():
        now = (root / path).read_bytes()
        assert now in (_bytes(git, ground.old, path), _bytes(git, tip, path), *_new(path)), (
            f"{point}: {path} is torn"
        )
    again = ground.run(root)
    tries = 0
    while again.returncode == 3 and tries < 4:
        # What a killed git left is named, with its age and the cure; do what it says.
        stuck = re.search(r"git is locked: (\S+) is there, \d+ \w+ old", again.stderr)
        assert stuck is not None, f"{point}: {again.stderr}"
        assert f"rm '{stuck[1]}'" in again.stderr
        Path(stuck[1]).unlink()
        tries += 1
        again = ground.run(root)
    assert again.returncode == 0, f"{point}: {again.stdout}{again.stderr}"
    assert ("already at 1.1.0" if landed else "committed") in again.stdout, f"{point}: {again.stdout}"
    assert lab.stable(git, "staging", "m0") == "1.1.0"
    assert len(git("rev-list", "main").split()) == 2
    assert git("status", "--porcelain") == "", f"{point}: the work tree does not agree"
    assert _tree(git) == expected(), point
    litter = [path.name for path in (root / ".git").iterdir() if path.name.startswith("modelspec")]
    assert litter == [], f"{point}: {litter}"
    shutil.rmtree(root)


def _git(root: Path) -> Git:
    git = Git.__new__(Git)
    git.root = root
    return git


def _bytes(git: Git, revision: str, path: str) -> bytes:
    done = subprocess.run(
        [str(GIT), "cat-file", "blob", f"{revision}:{path}"], cwd=git.root, capture_output=True, check=False
    )
    return done.stdout


@cache
def _promoted() -> dict[str, bytes]:
    tree = lab.files(1, 2, ("staging",), compiled=False)
    tree["registry/environments/staging/models/m0.yaml"] = lab.pin("staging", "m0", "1.1.0")
    return tree | lab.outputs(tree)


def _new(path: str) -> tuple[bytes, ...]:
    return (_promoted()[path],) if path in _promoted() else ()


def _tree(git: Git) -> dict[str, bytes]:
    return {
        path: (git.root / path).read_bytes() for path in git("ls-tree", "-r", "--name-only", "main").split()
    }


def expected() -> dict[str, bytes]:
    return _promoted()


def sweep(tmp_path: Path, every: int, both: tuple[bool, ...]) -> None:
    ground = Ground(tmp_path)
    found = points(ground)
    assert {point.git.partition(".")[0] for point in found} >= {"", *WRITERS}
    assert len(found) > 60
    # The moments around the ref are always among them.
    chosen = [
        point
        for at, point in enumerate(found)
        if at % every == 0
        or (point.git.startswith("update-ref") and point.call.startswith(("rename", "fsync")))
    ]
    jobs = [(point, one) for point in chosen for one in (both if point.git else both[:1])]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda job: killed(ground, *job), jobs))


def test_a_kill_leaves_the_old_tip_or_the_new_one(tmp_path: Path) -> None:
    sweep(tmp_path, 60, (True,))


@pytest.mark.slow
def test_a_kill_anywhere_leaves_the_old_tip_or_the_new_one(tmp_path: Path) -> None:
    sweep(tmp_path, 1, (True, False))


def test_what_lands_is_on_the_disk_before_it_is_said(tmp_path: Path) -> None:
    """Git flushes nothing of this by itself: the objects and the ref are, since we ask for it."""
    ground = Ground(tmp_path)
    root, traces = ground.root("traced"), tmp_path / "traces"
    traces.mkdir()
    done = ground.run(root, TRACES=str(traces))
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("hash-object.0", "write-tree.0", "commit-tree.0", "update-ref.0"):
        assert "fsync(" in (traces / name).read_text(errors="replace"), f"{name} flushes nothing"
