"""What is read of a file: copied out of the cache, and in a fork that may die of it, mapped."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from io import FileIO
from pathlib import Path

import pytest

from modelspec.world.files import CHUNK, whole
from world.stores.trees import noise

SIZES = [0, 1, 4095, 4096, 65_535, 65_536, 65_537, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 7]
START = """
import hashlib, mmap, os, sys
from io import FileIO
from modelspec.world import files, parallel, shares
parallel.cores = lambda: 2
def look(item, tell, meanwhile=lambda place: None):
    with FileIO(sys.argv[1]) as stream:
        found, sizes = hashlib.sha256(), []
        for chunk in files.whole(stream, os.fstat(stream.fileno()).st_size):
            meanwhile(sys.argv[1])
            found.update(chunk)
            sizes.append(len(chunk))
    return found.hexdigest(), sizes, type(chunk.obj).__name__ if sizes else ""
def run(function):
    return shares.each_of(function, list(range(shares.MANY)), lambda count: None)
"""


def forked(file: Path, code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", START + code, str(file)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


needs_fork = pytest.mark.skipif(sys.platform != "linux", reason="only Linux forks safely")


@pytest.mark.parametrize("size", SIZES)
def test_all_bytes_are_read_once_in_their_order(tmp_path: Path, size: int) -> None:
    (tmp_path / "file").write_bytes(data := noise(size, 1))
    with FileIO(tmp_path / "file") as stream:
        assert b"".join(bytes(chunk) for chunk in whole(stream, size)) == data


@needs_fork
@pytest.mark.parametrize("size", [0, 4096, 65_536, CHUNK, 3 * CHUNK + 7])
def test_a_fork_maps_the_same_bytes_a_part_at_a_time(tmp_path: Path, size: int) -> None:
    (tmp_path / "file").write_bytes(data := noise(size, 1))
    kind = "mmap" if size >= 65_536 else "bytearray" if size else ""
    parts = [CHUNK] * (size // CHUNK) + [size % CHUNK] * bool(size % CHUNK)
    found = forked(tmp_path / "file", "print(set(map(str, run(look))))")
    assert found == str({str((hashlib.sha256(data).hexdigest(), parts, kind))})


@needs_fork
def test_a_file_that_gets_shorter_under_a_fork_is_read_here(tmp_path: Path) -> None:
    """Who looks at a mapped part that is not there any more is killed: what it had to do is done once more."""
    (tmp_path / "file").write_bytes(noise(CHUNK, 1))
    code = (
        "here = os.getpid()\n"
        "def cut(place):\n"
        "    if os.getpid() != here:\n"
        "        os.truncate(place, 0)\n"
        "found = run(lambda item, tell: (look(item, tell, cut), os.getpid() == here))\n"
        "print({sizes == [] for (_, sizes, _), _ in found}, {mine for _, mine in found})"
    )
    # The forks that found it empty lived on, or died with the one that cut it.
    said = forked(tmp_path / "file", code)
    assert said.startswith("{True}")
    assert "True" in said.partition("} ")[2]


@needs_fork
@pytest.mark.parametrize("error", ["OSError(19, 'No such device')", "ValueError('longer than the file')"])
def test_where_nothing_can_be_mapped_it_is_copied(tmp_path: Path, error: str) -> None:
    (tmp_path / "file").write_bytes(noise(CHUNK + 9, 1))
    code = (
        f"def none(*_, **__): raise {error}\n"
        "from types import SimpleNamespace\n"
        "files.mmap = SimpleNamespace(mmap=none, PROT_READ=mmap.PROT_READ)\n"
    )
    assert forked(tmp_path / "file", code + "print({str(sizes) for _, sizes, _ in run(look)})") == str(
        {str([CHUNK, 9])}
    )


@needs_fork
def test_what_comes_while_it_is_mapped_is_seen(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(noise(CHUNK, 1))
    code = (
        "def longer(place):\n"
        "    with open(place, 'r+b') as file:\n"
        "        file.seek(files.CHUNK)\n"
        "        file.write(b'more')\n"
        "print({sum(sizes) for _, sizes, _ in run(lambda item, tell: look(item, tell, longer))})"
    )
    assert forked(tmp_path / "file", code) == str({CHUNK + 4})


@needs_fork
def test_what_is_read_from_later_on_is_not_mapped_from_the_beginning(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(data := noise(CHUNK, 1))
    code = (
        "def later(item, tell):\n"
        "    with FileIO(sys.argv[1]) as stream:\n"
        "        stream.seek(5)\n"
        "        return hashlib.sha256(b''.join(map(bytes, files.whole(stream, files.CHUNK)))).hexdigest()\n"
        "print(set(run(later)))"
    )
    assert forked(tmp_path / "file", code) == str({hashlib.sha256(data[5:]).hexdigest()})
