"""Measures `at`, `log`, `plan`, `promote` and the others as whole processes on a long past; prints a table.

    python benchmarks/history.py [--history N] [--repeat N] [--registry FOLDER]

Without `--registry` it generates one (100,000 commits and 3,000 pins take two minutes) and writes its
commit-graph. The modules are compiled first, as an installed wheel has them.
"""

from __future__ import annotations

import argparse
import compileall
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from measure import measure
from run import ENVIRONMENT, ENVIRONMENTS, HERE, MODEL, MODELS, MODELSPEC

import modelspec

INSTANT: Final = "2026-03-01T00:00:00Z"
GRAPH: Final = ("commit-graph", "write", "--reachable", "--changed-paths")


@dataclass(frozen=True, slots=True)
class Case:
    """One row: what is run, and the most seconds that it may take."""

    what: str
    command: tuple[str, ...]
    seconds: float | None = None


def cases(root: Path) -> Iterator[Case]:
    """Yield what is measured in this registry."""
    for place, more in (("staging", ""), (ENVIRONMENT, ", a window and gates")):
        newest = git(root, "log", "-1", "--format=%H", "--", f"registry/environments/{place}/models")
        change = ("--base", f"{newest}~1", "--ref", newest)
        yield Case(f"`plan` of the change of one pin, {place}{more}", ("plan", *change), 0.5)
    pinned = git(root, "show", f"HEAD:registry/environments/staging/models/{MODEL}.yaml")
    names = git(root, "ls-tree", "--name-only", f"HEAD:registry/models/{MODEL}/versions").split()
    version = next(name for one in reversed(names) if (name := one.removesuffix(".yaml")) + "@" not in pinned)
    yield Case(
        "`promote MODEL VERSION --to staging --branch`",
        ("promote", MODEL, version, "--to", "staging", "--branch"),
    )
    yield Case("`check --base HEAD~1 --ref HEAD`", ("check", "--base", "HEAD~1", "--ref", "HEAD"))
    pin = f"compiled/{ENVIRONMENT}/models/{MODEL}/kserve/inference-service.yaml"
    yield Case("`at TIME MODEL ENV`: one pin", ("at", INSTANT, MODEL, ENVIRONMENT), 0.15)
    yield Case("`at TIME`: all pins", ("at", INSTANT), 0.3)
    yield Case("`log MODEL --env ENV`: the newest 20", ("log", MODEL, "--env", ENVIRONMENT), 0.5)
    yield Case("`log MODEL --env ENV`: all", ("log", MODEL, "--env", ENVIRONMENT, "--limit", "0"), 0.5)
    yield Case("`log`: the newest 20 of all pins", ("log",), 3)
    yield Case("`log --limit 0`: every change of every pin", ("log", "--limit", "0"))
    yield Case("`diff` over 100 commits", ("diff", "HEAD~100", "HEAD"))
    yield Case("`blame` of one config", ("blame", pin))


def git(root: Path, *arguments: str) -> str:
    """Return what git says in the registry."""
    done = subprocess.run(("git", "-C", str(root), *arguments), check=True, capture_output=True, text=True)
    return done.stdout.strip()


def generated(folder: Path, history: int) -> Path:
    """Generate a registry with a past below `folder`, with its commit-graph."""
    out = folder / "past"
    size = ("--models", str(MODELS), "--versions", "10", "--environments", str(ENVIRONMENTS))
    command = (sys.executable, str(HERE / "generate.py"), *size, "--history", str(history), str(out))
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(("git", "-C", str(out), *GRAPH), check=True)
    return out


def main() -> None:
    """Generate, measure, print."""
    parser = argparse.ArgumentParser(description="Measure how modelspec looks back.")
    parser.add_argument("--history", type=int, default=100_000, metavar="N", help="commits")
    parser.add_argument("--repeat", type=int, default=5, metavar="N", help="runs of each; the median counts")
    parser.add_argument("--registry", type=Path, metavar="FOLDER", help="one that was generated before")
    chosen = parser.parse_args()
    compileall.compile_dir(Path(modelspec.__file__).parent, quiet=1)
    print(f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} processors; "
          f"median of {chosen.repeat}\n")  # fmt: skip
    print("| what | wall | processor | memory | target |\n|---|--:|--:|--:|---|")
    with tempfile.TemporaryDirectory(prefix="modelspec-bench-") as name:
        root = chosen.registry or generated(Path(name), chosen.history)
        for case in cases(root):
            found = measure((MODELSPEC, "--root", str(root), *case.command), chosen.repeat, lambda: None)
            target = f"{case.seconds:g} s" if case.seconds else ""
            missed = " **missed**" if case.seconds is not None and found.wall > case.seconds else ""
            print(
                f"| {case.what} | {found.wall:.2f} s | {found.cpu:.2f} s | {found.memory:.0f} MB "
                f"| {target}{missed} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
