"""Measures modelspec as users run it, whole processes, and prints a table: `make bench`.

    python benchmarks/run.py [--large] [--repeat N]

`--large` adds a registry of 100,000 versions, which takes a minute to generate.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

from measure import Figures, measure

HERE: Final = Path(__file__).parent
EXAMPLE: Final = HERE.parent
MODELSPEC: Final = str(Path(sys.executable).with_name("modelspec"))
MODELS: Final = 1000
ENVIRONMENTS: Final = 3
ENVIRONMENT: Final = "production-1"
MODEL: Final = "fraud-eu-00001"


@dataclass(frozen=True, slots=True)
class Case:
    """One row: what is run, on what, and the most seconds and MB that it may take."""

    what: str
    command: tuple[str, ...]
    before: Callable[[], None]
    seconds: float | None = None
    megabytes: float | None = None


def small(folder: Path) -> Iterator[Case]:
    """Yield what is measured on the example and on 10,000 versions."""
    root = str(folder)
    yield Case("`modelspec --version`", (MODELSPEC, "--version"), _nothing, 0.12)
    yield Case("`check`, the example", (MODELSPEC, "check", "--root", str(EXAMPLE)), _nothing, 0.4)

    aside = count()

    def cold() -> None:
        # Not deleted: ext4 passes over inodes freed minutes ago (recently_deleted, fs/ext4/ialloc.c); what
        # is compiled next would pay for that search.
        if (folder / "compiled").exists():
            (folder / "compiled").rename(folder.with_name(f"compiled-{next(aside)}"))

    yield Case("`check`, 10,000 versions", (MODELSPEC, "check", "--root", root), cold)
    yield Case("`compile` of 3,000 pins", (MODELSPEC, "compile", "--root", root), cold)
    both = (sys.executable, str(HERE / "both.py"), root)
    yield Case("`check` and `compile` in one run", both, cold, 10, 500)
    yield Case("the same by one process (`--alone`)", (*both, "--alone"), cold, 10, 500)
    # From here on compiled/ is complete, as it is in a repository that is in use.
    yield Case("`compile` again, nothing changed", (MODELSPEC, "compile", "--root", root), _nothing)
    yield one_model("10,000", folder)


def one_model(versions: str, folder: Path) -> Case:
    """Return the case of a single pin, compiled beside all the others."""
    command = (MODELSPEC, "compile", ENVIRONMENT, "--model", MODEL, "--root", str(folder))
    return Case(f"`compile ENV --model M`, {versions} versions", command, _nothing, 0.6)


def large(folder: Path) -> Iterator[Case]:
    """Yield what is measured on 100,000 versions of as many models: the pins are the same in number."""
    subprocess.run([MODELSPEC, "compile", "--root", str(folder)], check=True, stdout=subprocess.DEVNULL)
    yield one_model("100,000", folder)


def _nothing() -> None:
    pass


def generated(folder: Path, versions: int) -> Path:
    """Generate a registry with `versions` of each model below `folder`."""
    out = folder / f"{MODELS}x{versions}"
    size = ("--models", str(MODELS), "--versions", str(versions), "--environments", str(ENVIRONMENTS))
    command = (sys.executable, str(HERE / "generate.py"), *size, str(out))
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return out


def row(case: Case, found: Figures) -> str:
    """Return one line of the table; a missed target is marked."""
    target = f"{case.seconds:g} s" if case.seconds else ""
    target += f", {case.megabytes:g} MB" if case.megabytes else ""
    missed = (case.seconds is not None and found.wall > case.seconds) or (
        case.megabytes is not None and found.memory > case.megabytes
    )
    return (
        f"| {case.what} | {found.wall:.2f} s | {found.cpu:.2f} s | {found.memory:.0f} MB "
        f"| {target}{' **missed**' if missed else ''} |"
    )


def main() -> None:
    """Generate, measure, print."""
    parser = argparse.ArgumentParser(description="Measure modelspec as a whole process.")
    parser.add_argument("--large", action="store_true", help="also on 100,000 versions")
    parser.add_argument("--repeat", type=int, default=5, metavar="N", help="runs of each; the median counts")
    chosen = parser.parse_args()
    print(f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} processors; "
          f"median of {chosen.repeat}, peak memory\n")  # fmt: skip
    print("| what | wall | processor | memory | target |\n|---|--:|--:|--:|---|")
    with tempfile.TemporaryDirectory(prefix="modelspec-bench-") as name:
        folder = Path(name)
        for case in small(generated(folder, 10)):
            print(row(case, measure(case.command, chosen.repeat, case.before)), flush=True)
        if chosen.large:
            for case in large(generated(folder, 100)):
                print(row(case, measure(case.command, chosen.repeat, case.before)), flush=True)


if __name__ == "__main__":
    main()
