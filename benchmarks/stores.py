"""Registers, verifies and fetches the same bytes in 1, 16 and 4,096 files, beside `openssl dgst`.

    python benchmarks/stores.py [--gigabytes 1] [--folder DIR] [--others PYTHON] [--repeat 3] [--least]

All of it is one run on one machine; openssl runs once on each core. Before the clock starts, the bytes have
been read once, except where a row says `cold`: there they are taken out of the system's cache. Each figure
is the median of its runs, or with --least the least of them. `register` shares blocks with its source where
the file system of DIR can, and copies elsewhere; which, is said. What a run has stored is removed when all
has been measured: right after thousands of files were removed, ext4 takes long to make new ones. `dvc add`
and `model_signing` work on the same bytes with the Python that `--others` names, so that they need not be
installed beside modelspec:

    python -m venv /tmp/others && /tmp/others/bin/pip install dvc model-signing pyopenssl
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Final

from measure import Figures, measure

BLOCK: Final = 1024 * 1024
COUNTS: Final = (1, 16, 4096)
OPENSSL: Final = "find {} -type f -print0 | xargs -0 -n {} -P {} openssl dgst -sha256 -r"
MODELSPEC: Final = str(Path(sys.executable).with_name("modelspec"))
SETTINGS: Final = "apiVersion: modelspec/v1\nkind: Settings\nstores:\n  main: {path: store}\n"
MODEL: Final = "apiVersion: modelspec/v1\nkind: Model\nmodel: large\nowner: ada\n"
SIGNATURE: Final = (
    "inputs: [{name: rows, dtype: float32, shape: [-1]}]\n"
    "outputs: [{name: answers, dtype: float32, shape: [-1]}]\n"
)
LOST: Final = ("code", "dataset", "runtime")
HASH: Final = """
import sys
from pathlib import Path
from model_signing import hashing
hashing.Config().hash(Path(sys.argv[1]))
"""
PUT: Final = """
import sys
from pathlib import Path
from modelspec.world.files import local_tree
from modelspec.world.stores.folder import FolderStore
FolderStore(Path(sys.argv[2])).put(local_tree(Path(sys.argv[1])))
"""

WRITE: Final = """
import mmap, os, sys
from pathlib import Path
block = mmap.mmap(-1, 4 * 1024 * 1024)
block.write(os.urandom(len(block)))
folder, left, writers = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
folder.mkdir()
for writer in range(writers - 1):
    if not os.fork():
        break
else:
    writer = writers - 1
file = os.open(folder / str(writer), os.O_WRONLY | os.O_CREAT | os.O_DIRECT)
for _ in range(left // writers // len(block)):
    os.write(file, block)
os.fsync(file)
if writer == writers - 1:
    for _ in range(writers - 1):
        os.wait()
"""


def generate(folder: Path, size: int, count: int) -> None:
    """Write `count` files of the same size that no two of which are equal."""
    block = os.urandom(BLOCK)
    for number in range(count):
        file = folder / f"{number // 64:02}" / f"{number:04}.bin"
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as stream:
            stream.write(f"{number:08}".encode())
            left = size // count - 8
            while left > 0:
                left -= stream.write(block[:left])


def registry(root: Path) -> None:
    """Lay out a registry with one model and no version."""
    (root / "registry/models/large").mkdir(parents=True)
    (root / "registry/modelspec.yaml").write_text(SETTINGS)
    (root / "registry/models/large/model.yaml").write_text(MODEL)
    (root / "signature.yaml").write_text(SIGNATURE)
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "A registry"]):
        who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
        subprocess.run(["git", *who, *command], cwd=root, check=True)


def register(root: Path, source: Path, *more: str) -> list[str]:
    """Return the command that registers a folder as a version of which nothing else is known."""
    lost = [part for name in LOST for part in ("--unknown", f"{name}=A benchmark")]
    given = ["--artifact", str(source), "--artifact-format", "other", "--architecture", "random", *lost]
    nothing = ["--none", "features", "--none", "config", "--signature", str(root / "signature.yaml")]
    return [MODELSPEC, "register", "large", "1.0.0", *given, *nothing, *more, "--root", str(root)]


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=1)
    parser.add_argument("--folder", default=None, help="Where 12 times that much fits.")
    parser.add_argument("--others", default=sys.executable, help="A Python with dvc and model-signing.")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--least", action="store_true", help="The least of the runs, not their median.")
    given = parser.parse_args()
    if shutil.which(given.others) is None:
        parser.error(f"--others: there is no {given.others} to run")
    size, cores = int(given.gigabytes * 1e9), len(os.sched_getaffinity(0))
    load = os.getloadavg()[0]
    told = "least" if given.least else "median"
    print(f"{given.gigabytes:g} GB, {cores} cores, load {load:.1f} before; {told} of {given.repeat}\n")
    print(
        "| files | what | seconds | to openssl | of processor | to openssl | MB of memory | theirs / ours |"
    )
    print("|---:|---|---:|---:|---:|---:|---:|---:|")
    for count in COUNTS:
        with tempfile.TemporaryDirectory(dir=given.folder) as top:
            Compared(Path(top), size, count, cores, given.others, given.repeat, given.least).run()


class Compared:
    """The rows of one tree."""

    def __init__(
        self, top: Path, size: int, count: int, cores: int, others: str, repeat: int, least: bool
    ) -> None:
        self.top, self.size, self.count, self.cores = top, size, count, cores
        self.others, self.repeat, self.least = others, repeat, least
        self.old = 0
        self.source, self.root = top / "source", top / "registry-root"

    def run(self) -> None:
        """Measure and print."""
        generate(self.source, self.size, self.count)
        registry(self.root)
        each = max(1, min(self.count // self.cores, 256))
        openssl = ["sh", "-c", OPENSSL.format(self.source, each, self.cores)]
        measure(openssl, 1, os.sync)
        self.base = self.time(openssl)
        self.row("`openssl dgst -sha256`, over the cores", self.base)
        digest = self.time([MODELSPEC, "digest", str(self.source)])
        self.row("`modelspec digest`: hash alone", digest)
        started = self.time([MODELSPEC, "--version"])
        moved = self.time(register(self.root, self.source, "--move"), self.unmoved)
        self.row("`modelspec register --move`: link, hash, flush, judge, write", moved)
        self.unmoved()
        how = "share blocks" if shares(self.top) else "copy"
        registered = self.time(register(self.root, self.source), self.unregistered)
        self.row(f"`modelspec register`: {how}, hash, flush, judge, write", registered)
        store = self.top / "put"
        stored = self.time(
            [sys.executable, "-c", PUT, str(self.source), str(store)], lambda: self.aside(store)
        )
        self.aside(store)
        self.row("the store's part of it", stored)
        written = self.top / "written"
        write = [sys.executable, "-c", WRITE, str(written), str(self.size), str(self.cores)]
        self.row("as many bytes written to the disk, no more", self.time(write, lambda: self.aside(written)))
        self.aside(written)
        kept, verify = self.root / "store", [MODELSPEC, "verify", "large@1.0.0", "--root", str(self.root)]
        cold = ["sh", "-c", OPENSSL.format(kept, each, self.cores)]
        self.row("`openssl`, cold", self.time(cold, lambda: chill(kept)))
        self.row("`modelspec verify`, cold", self.time(verify, lambda: chill(kept)))
        measure(["sh", "-c", f"find {kept} -type f -print0 | xargs -0 cat > /dev/null"], 1, os.sync)
        self.row("`modelspec verify`", self.time(verify))
        target = self.top / "fetched"
        fetch = [MODELSPEC, "fetch", "large@1.0.0", str(target), "--root", str(self.root)]
        self.row("`modelspec fetch`", self.time(fetch, lambda: self.aside(target)))
        copy = self.top / "copy"
        copied = ["sh", "-c", f"cp -r {self.source} {copy} && sync -f {copy}"]
        self.row("`cp -r` and `sync -f`: no digest", self.time(copied, lambda: self.aside(copy)))
        self.beside(
            "model_signing", "`model_signing` hashing", [self.others, "-c", HASH, str(self.source)], digest
        )
        self.dvc(registered)
        print(f"|  | starting modelspec, in each of ours | {started.wall:.2f} | | {started.cpu:.2f} | | | |")

    def time(self, command: list[str], before: Callable[[], object] = lambda: None) -> Figures:
        """Measure a command; what earlier runs left to write is on the disk first."""

        def ready() -> None:
            before()
            os.sync()

        return measure(command, self.repeat, ready, min if self.least else median)

    def row(self, what: str, found: Figures, ours: Figures | None = None) -> None:
        """Print one row; of a peer, with its time by ours."""
        base, peer = self.base, "" if ours is None else f"{found.wall / ours.wall:.2f}"
        print(
            f"| {self.count:,} | {what} | {found.wall:.2f} | {found.wall / base.wall:.2f} "
            f"| {found.cpu:.2f} | {found.cpu / base.cpu:.2f} | {found.memory:.0f} | {peer} |",
            flush=True,
        )

    def unregistered(self) -> None:
        """Take the version and its bytes away."""
        self.aside(self.root / "store")
        (self.root / "registry/models/large/versions/1.0.0.yaml").unlink(missing_ok=True)

    def unmoved(self) -> None:
        """Take the version away, and give the bytes back."""
        for tree in (self.root / "store").glob("sha256-*/"):
            tree.rename(self.source)
        self.unregistered()

    def aside(self, path: Path) -> None:
        """Take a folder away that is removed in the end, with all the others."""
        if path.exists():
            self.old += 1
            path.rename(self.top / f"old-{self.old}")

    def beside(self, module: str, what: str, command: list[str], ours: Figures) -> None:
        """Measure a peer, or say that it is not there."""
        found = subprocess.run([self.others, "-c", f"import {module}"], check=False, capture_output=True)
        if found.returncode:
            print(f"| {self.count:,} | {what}: not installed, see --others | | | | | | |", flush=True)
        else:
            self.row(what, self.time(command), ours)

    def dvc(self, ours: Figures) -> None:
        """Measure `dvc add` in a repository of its own; it copies, since links would be no store."""
        place, program = self.top / "dvc", str(Path(self.others).with_name("dvc"))
        if not Path(program).exists():
            print(f"| {self.count:,} | `dvc add`: not installed, see --others | | | | | | |", flush=True)
            return

        def anew() -> None:
            if (place / "data").exists():
                shutil.move(place / "data", self.source)
            remove(place)
            place.mkdir()
            quiet = {"check": True, "stdout": subprocess.DEVNULL, "cwd": place}
            subprocess.run(["git", "init", "-q"], **quiet)  # type: ignore[call-overload]
            subprocess.run([program, "init", "-q"], **quiet)  # type: ignore[call-overload]
            subprocess.run([program, "config", "cache.type", "copy"], **quiet)  # type: ignore[call-overload]
            shutil.move(self.source, place / "data")

        self.row("`dvc add`", self.time(["sh", "-c", f"cd {place} && {program} add -q data"], anew), ours)


def shares(folder: Path) -> bool:
    """Whether files here can share their blocks."""
    from modelspec.world import durable

    with tempfile.TemporaryFile(dir=folder) as one, tempfile.TemporaryFile(dir=folder) as other:
        return durable.clone(one.fileno(), other.fileno())


def chill(folder: Path) -> None:
    """Take all files of a folder out of the system's cache."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as stream:
                os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def remove(path: Path) -> None:
    """Remove a folder, also one of a store, whose files nobody may write."""
    shutil.rmtree(path, ignore_errors=True)


if __name__ == "__main__":
    main()
