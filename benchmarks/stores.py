"""Hashes and stores the same bytes in 1, 16 and 4,096 files, beside `openssl dgst` over all cores.

    python benchmarks/stores.py [--gigabytes 4] [--folder DIR]

All of it is one run on one machine. Before the clock starts, the bytes have been read once. `dvc add` and
`model_signing` are measured on the same bytes where they are installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from measure import Figures, measure

BLOCK: Final = 1024 * 1024
COUNTS: Final = (1, 16, 4096)
OPENSSL: Final = "find {} -type f -print0 | xargs -0 -n {} -P {} openssl dgst -sha256 -r"
PUT: Final = """
import sys
from pathlib import Path
from modelspec.world.files import local_tree
from modelspec.world.stores.folder import FolderStore
FolderStore(Path(sys.argv[2])).put(local_tree(Path(sys.argv[1])))
"""
CHECK: Final = """
import sys
from pathlib import Path
from modelspec.world.stores.folder import FolderStore
from modelspec.world.stores.verified import troubles
store = FolderStore(Path(sys.argv[1]))
assert [troubles(store, digest) for digest in store.trees()] == [[]]
"""


def generate(folder: Path, size: int, count: int) -> None:
    """Write `count` files of the same size that no two of which are equal."""
    block = os.urandom(BLOCK)
    for number in range(count):
        file = folder / f"{number // 64:02}" / f"{number:04}.bin"
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as stream:
            stream.write(number.to_bytes(8, "little"))
            left = size // count - 8
            while left > 0:
                left -= stream.write(block[:left])


def once(command: list[str]) -> Figures:
    """Measure one run; what earlier runs left to write is on the disk first."""
    return measure(command, 1, os.sync)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=4)
    parser.add_argument("--folder", default=None, help="Where 2 to 3 times that much fits.")
    given = parser.parse_args()
    size, cores = int(given.gigabytes * 1e9), len(os.sched_getaffinity(0))
    print(f"{given.gigabytes:g} GB, {cores} cores; ratios are to openssl over the cores\n")
    print("| files | what | seconds | ratio | of processor | ratio | MB of memory |")
    print("|---:|---|---:|---:|---:|---:|---:|")
    for count in COUNTS:
        with tempfile.TemporaryDirectory(dir=given.folder) as top:
            compare(Path(top), size, count, cores)


def compare(top: Path, size: int, count: int, cores: int) -> None:
    """Print the rows of one tree."""
    source, store, copy = top / "source", top / "store", top / "copy"
    generate(source, size, count)
    each = max(1, min(count // cores, 256))
    openssl = ["sh", "-c", OPENSSL.format(source, each, cores)]
    once(openssl)
    base = once(openssl)

    def row(what: str, found: Figures) -> None:
        print(
            f"| {count:,} | {what} | {found.wall:.2f} | {found.wall / base.wall:.2f} "
            f"| {found.cpu:.2f} | {found.cpu / base.cpu:.2f} | {found.memory:.0f} |",
            flush=True,
        )

    row("`openssl dgst -sha256`, over the cores", base)
    row(
        "hash alone (`digest`)",
        once([str(Path(sys.executable).with_name("modelspec")), "digest", str(source)]),
    )
    row("store: copy, hash, flush", once([sys.executable, "-c", PUT, str(source), str(store)]))
    row("verify the store", once([sys.executable, "-c", CHECK, str(store)]))
    row("`cp` and `sync`, no digest", once(["sh", "-c", f"cp -r {source} {copy} && sync -f {copy}"]))
    shutil.rmtree(copy)
    if importlib.util.find_spec("dvc") is not None:
        row("`dvc add`", dvc(top, source))
    if importlib.util.find_spec("model_signing") is not None:
        row("`model_signing` hashing", once([sys.executable, "-c", SIGNING, str(source)]))


SIGNING: Final = """
import sys
from pathlib import Path
from model_signing import hashing
hashing.Config().hash(Path(sys.argv[1]))
"""


def dvc(top: Path, source: Path) -> Figures:
    """Measure `dvc add` in a repository of its own; it copies, since links would be no store."""
    place = top / "dvc"
    place.mkdir()
    program = str(Path(sys.executable).with_name("dvc"))
    for command in (
        ["git", "init", "-q"],
        [program, "init", "-q"],
        [program, "config", "cache.type", "copy"],
    ):
        subprocess.run(command, cwd=place, check=True)
    shutil.move(source, place / "data")
    time.sleep(0.1)
    return once(["sh", "-c", f"cd {place} && {program} add -q data"])


if __name__ == "__main__":
    main()
