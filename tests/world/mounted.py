"""File systems of many kinds, mounted for a test: on images of their own, and none where that is not allowed."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

SIZE = 400_000_000
KINDS: dict[str, tuple[Sequence[str], Sequence[str], int]] = {
    "ext4": (("mkfs.ext4", "-q", "-m0"), (), 512),
    "ext4 of small blocks": (("mkfs.ext4", "-q", "-m0", "-b", "1024"), (), 512),
    "ext4 on large sectors": (("mkfs.ext4", "-q", "-m0"), (), 4096),
    "ext4 with data in its journal": (("mkfs.ext4", "-q", "-m0"), ("data=journal",), 512),
    "xfs": (("mkfs.xfs", "-q"), (), 512),
    "xfs on larger sectors": (("mkfs.xfs", "-q", "-f", "-s", "size=16384", "-b", "size=16384"), (), 16384),
    "btrfs": (("mkfs.btrfs", "-q"), (), 512),
    "btrfs that compresses": (("mkfs.btrfs", "-q"), ("compress-force=zstd",), 512),
}
"""How each is made, mounted, and how large the sectors of its disk are."""


@contextmanager
def mounted(kind: str, top: Path, size: int = SIZE) -> Iterator[Path]:
    """Mount a new file system; skips the test where that can't be. Its image is `top/image`."""
    place = top / "mounted"
    place.mkdir(parents=True)
    with ExitStack() as undone:
        if kind == "tmpfs":
            mount(place, "-t", "tmpfs", "-o", f"size={size}", "none")
        elif kind == "sshfs":
            _sshfs(top, place)
        else:
            (program, *options), flags, sector = KINDS[kind]
            image = top / "image"
            with image.open("wb") as stream:
                stream.truncate(size)
            loop = _done("losetup", "--find", "--show", "--sector-size", f"{sector}", f"{image}")
            undone.callback(subprocess.run, ["losetup", "--detach", loop], check=True)
            _done(program, *options, loop)
            mount(place, "-o", ",".join(("rw", *flags)), loop)
        undone.callback(subprocess.run, ["umount", str(place)], check=True)
        yield place


def mount(place: Path, *options: str) -> None:
    """Mount something; skips the test where that can't be."""
    _done("mount", *options, str(place))


def _sshfs(top: Path, place: Path) -> None:
    """A folder behind a server of files, which runs here and without any network."""
    servers = [Path(folder, "sftp-server") for folder in ("/usr/lib/openssh", "/usr/libexec/openssh")]
    server = next((server for server in servers if server.exists()), None)
    if server is None:
        pytest.skip("sftp-server is not installed")
    (top / "served").mkdir()
    command = top / "ssh"
    command.write_text(f"#!/bin/sh\nexec {server}\n")
    command.chmod(0o755)
    _done("sshfs", "-o", f"ssh_command={command}", f"here:{top / 'served'}", str(place))


def _done(program: str, *arguments: str) -> str:
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    if found is None:
        pytest.skip(f"{program} is not installed")
    done = subprocess.run([found, *arguments], capture_output=True, check=False, text=True)
    if done.returncode:
        pytest.skip(f"not to be had here: {done.stderr.strip()}")
    return done.stdout.strip()


@pytest.fixture
def here(place: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A folder of a test in the file system of its module, the fixture `place`."""
    folder = place / "".join(letter if letter.isalnum() else "-" for letter in request.node.name)
    folder.mkdir()
    yield folder
    shutil.rmtree(folder)
