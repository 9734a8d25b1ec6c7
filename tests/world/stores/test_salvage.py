"""A fetch goes on with what one before it, which was killed, broke off or was interrupted, had written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from conftest import Run
from modelspec.tree.digest import stamp
from modelspec.tree.finding import Refusal
from modelspec.tree.protocols import Chunk
from modelspec.world.stores.fetch import fetch_tree
from modelspec.world.stores.folder import FolderStore
from world.mounted import mounted
from world.stores.servers import web
from world.stores.trees import laid, noise
from world.trees import put

FILES = {"a/first": b"1" * 9000, "b": b"2" * 8000, "c/third": b"3" * 7000}
SIZES = {path: len(data) for path, data in FILES.items()}
SLOW = """
import os, sys, time
from pathlib import Path
from modelspec.world.stores.fetch import fetch_tree
from modelspec.world.stores.folder import FolderStore
class Slow(FolderStore):
    def open(self, digest, path, start=0):
        if path != "a/first":
            os.write(1, b"waits\\n")
            time.sleep(60)
        yield from super().open(digest, path, start)
fetch_tree(Slow(Path(sys.argv[1])), sys.argv[2], Path(sys.argv[3]))
"""


@dataclass(frozen=True, slots=True)
class Watched(FolderStore):
    """A store that notes which files are asked for."""

    asked: list[str] = field(default_factory=list)
    starts: dict[str, int] = field(default_factory=dict)
    breaks: dict[str, int] = field(default_factory=dict)

    def open(self, digest: str, path: str, start: int = 0) -> Iterator[Chunk]:
        self.asked.append(path)
        self.starts[path] = start
        for chunk in FolderStore.open(self, digest, path, start):
            if start >= self.breaks.get(path, 1 << 60):
                raise Refusal("the connection broke")
            start += len(chunk)
            yield chunk


@pytest.fixture
def held(tmp_path: Path) -> tuple[Watched, str]:
    store = Watched(tmp_path / "store")
    return store, store.put(laid(tmp_path / "source", FILES)).digest


@pytest.fixture
def left(tmp_path: Path) -> Path:
    """What a killed fetch has left: one file whole, one in the middle of it, one not begun."""
    stage = tmp_path / ".incoming-0123456789abcdef"
    stage.mkdir(0o700)
    put(stage, "tree/a/first", FILES["a/first"]).chmod(0o444)
    put(stage, "tree/b", FILES["b"][:100])
    return stage


@pytest.mark.parametrize("sizes", [SIZES, None], ids=["of known sizes", "of unknown sizes"])
def test_what_is_whole_is_not_asked_for_again(
    sizes: dict[str, int] | None, tmp_path: Path, held: tuple[Watched, str], left: Path
) -> None:
    node, told = (left / "tree/a/first").stat().st_ino, list[int]()
    done = fetch_tree(*held, tmp_path / "target", told.append, sizes)
    assert not done.already and [(file.path, file.size) for file in done.files] == sorted(SIZES.items())
    assert held[0].starts == {"b": 100, "c/third": 0}
    assert {path: (tmp_path / "target" / path).read_bytes() for path in FILES} == FILES
    assert (tmp_path / "target/a/first").stat().st_ino == node
    assert (tmp_path / "target/b").stat().st_mode & 0o777 == 0o444
    assert sum(told) == sum(SIZES.values())
    assert not left.exists()
    assert fetch_tree(*held, tmp_path / "target").already


@pytest.mark.parametrize("how", ["changed", "linked", "a link", "a folder's link", "a folder", "others'"])
def test_what_is_not_known_to_be_ours_is_asked_for(
    how: str, tmp_path: Path, held: tuple[Watched, str], left: Path
) -> None:
    file = left / "tree/a/first"
    if how == "changed":
        file.chmod(0o644)
        file.write_bytes(b"9" + FILES["a/first"][1:])
    elif how == "linked":
        os.link(file, tmp_path / "another")
    elif how == "a link":
        file.rename(tmp_path / "another")
        file.symlink_to(tmp_path / "another")
    elif how == "a folder's link":
        file.parent.rename(tmp_path / "another")
        file.parent.symlink_to(tmp_path / "another")
    elif how == "a folder":
        file.unlink()
        put(file, "in it", b"")
    else:
        left.chmod(0o777)
    fetch_tree(*held, tmp_path / "target")
    assert held[0].starts == {"a/first": 0, "b": 0 if how == "others'" else 100, "c/third": 0}
    assert {path: (tmp_path / "target" / path).read_bytes() for path in FILES} == FILES
    assert not left.exists()
    if how in ("linked", "a link", "a folder's link"):
        assert (tmp_path / "another").exists()


def test_a_stage_that_a_run_holds_is_left_to_it(
    tmp_path: Path, held: tuple[Watched, str], left: Path
) -> None:
    import fcntl

    descriptor = os.open(left, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        fetch_tree(*held, tmp_path / "target")
    finally:
        os.close(descriptor)
    assert sorted(held[0].asked) == sorted(FILES)
    assert (left / "tree/a/first").read_bytes() == FILES["a/first"]


def test_a_killed_fetch_is_gone_on_with(tmp_path: Path, held: tuple[Watched, str]) -> None:
    store, tree = held
    given = [sys.executable, "-c", SLOW, str(store.root), tree, str(tmp_path / "target")]
    with subprocess.Popen(given, stdout=subprocess.PIPE, text=True) as fetch:
        assert fetch.stdout is not None and fetch.stdout.readline() == "waits\n"
        until = time.monotonic() + 30
        while not any(one.stat().st_size == 9000 for one in tmp_path.glob(".incoming-*/tree/a/first")):
            assert time.monotonic() < until
            time.sleep(0.01)
        fetch.send_signal(signal.SIGKILL)
    fetch_tree(store, tree, tmp_path / "target")
    assert sorted(store.asked) == ["b", "c/third"]
    assert {path: (tmp_path / "target" / path).read_bytes() for path in FILES} == FILES
    assert not list(tmp_path.glob(".incoming-*"))


@pytest.mark.parametrize("sizes", [SIZES, None], ids=["of known sizes", "of unknown sizes"])
@pytest.mark.parametrize("there", [b"9" * 100, b"9" * 8000, b"9" * 9000])
def test_what_is_no_beginning_of_a_file_is_fetched_anew(
    there: bytes, sizes: dict[str, int] | None, tmp_path: Path, held: tuple[Watched, str], left: Path
) -> None:
    (left / "tree/b").write_bytes(there)
    fetch_tree(*held, tmp_path / "target", sizes=sizes)
    assert held[0].starts == {"b": 0, "c/third": 0}
    assert {path: (tmp_path / "target" / path).read_bytes() for path in FILES} == FILES


def test_the_longest_beginning_of_several_is_gone_on_with(
    tmp_path: Path, held: tuple[Watched, str], left: Path
) -> None:
    for number, length in enumerate((300, 200, 8000, 50)):
        stage = tmp_path / f".incoming-{number}"
        stage.mkdir(0o700)
        put(stage, "tree/b" if length == 8000 else "tree/c/third", b"23"[length != 8000 :][:1] * length)
    fetch_tree(*held, tmp_path / "target")
    assert held[0].starts == {"c/third": 300}
    assert {path: (tmp_path / "target" / path).read_bytes() for path in FILES} == FILES
    assert not list(tmp_path.glob(".incoming-*"))


def test_a_fetch_that_broke_off_is_gone_on_with_where_it_is_told_to(
    tmp_path: Path, held: tuple[Watched, str], capsys: pytest.CaptureFixture[str]
) -> None:
    files, store = {**FILES, "large": noise(20_000_000)}, held[0]
    tree = store.put(laid(tmp_path / "larger", files)).digest
    store.breaks["large"] = 15_000_000
    with pytest.raises(Refusal, match="broke"):
        fetch_tree(store, tree, tmp_path / "out/target")
    assert list((tmp_path / "out").iterdir()) == []
    with pytest.raises(Refusal, match="broke"):
        fetch_tree(store, tree, tmp_path / "out/target", resumable=True)
    [stage] = (tmp_path / "out").iterdir()
    large = (stage / "tree/large").stat().st_size
    came = large + sum(map(len, FILES.values()))
    assert f"{came:,} bytes that have come stay in {stage}" in capsys.readouterr().err
    store.breaks.clear()
    store.starts.clear()
    fetch_tree(store, tree, tmp_path / "out/target", resumable=True)
    assert store.starts == {"large": large} and large > 5_000_000
    assert {path: (tmp_path / "out/target" / path).read_bytes() for path in files} == files
    assert [one.name for one in (tmp_path / "out").iterdir()] == ["target"]


def test_what_brought_nothing_leaves_nothing(tmp_path: Path, held: tuple[Watched, str]) -> None:
    held[0].breaks.update(dict.fromkeys(FILES, 0))
    with pytest.raises(Refusal, match="broke"):
        fetch_tree(*held, tmp_path / "out/target", resumable=True)
    assert list((tmp_path / "out").iterdir()) == []


def test_what_is_known_to_be_wrong_does_not_stay(tmp_path: Path, held: tuple[Watched, str]) -> None:
    store, tree = held
    for path in ("a/first", "c/third"):
        file = store.root / stamp(tree) / path
        file.chmod(0o644)
        file.write_bytes(b"9" * SIZES[path])
    with pytest.raises(Refusal, match=r"a/first .* does not have its digest"):
        fetch_tree(store, tree, tmp_path / "out/target", sizes=SIZES, resumable=True)
    [stage] = (tmp_path / "out").iterdir()
    assert [file.name for file in stage.rglob("*") if file.is_file()] == ["b"]
    store.put(laid(tmp_path / "source", FILES))
    store.starts.clear()
    fetch_tree(store, tree, tmp_path / "out/target", sizes=SIZES, resumable=True)
    assert store.starts == {"a/first": 0, "c/third": 0}


def test_a_full_disk_gets_its_space_back(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    tree = store.put(laid(tmp_path / "source", {"large": noise(200_000)})).digest
    with mounted("tmpfs", tmp_path / "small", 100_000) as place:
        with pytest.raises(Refusal, match="no space left"):
            fetch_tree(store, tree, place / "out", resumable=True)
        assert list(place.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_verb_goes_on_with_what_was_interrupted(tmp_path: Path, modelspec: Run, number: int) -> None:
    files = {"large.bin": noise(20_000_000), "small": b"s" * 5000}
    tree = FolderStore(tmp_path / "site").put(laid(tmp_path / "source", files)).digest
    target = tmp_path / "out/target"
    with web(tmp_path / "site") as server:
        server.ranges, server.stalling = False, {f"/{stamp(tree)}/large.bin"}
        uri = f"http://127.0.0.1:{server.port}/{stamp(tree)}"
        given = [sys.executable, "-m", "modelspec", "fetch", uri, str(target)]
        with subprocess.Popen(given, stderr=subprocess.PIPE, text=True) as fetch:
            until = time.monotonic() + 30
            while sum(one.stat().st_size for one in tmp_path.glob("out/.incoming-*/tree/*")) < 10_000_000:
                assert time.monotonic() < until
                time.sleep(0.01)
            fetch.send_signal(number)
            assert fetch.stderr is not None and "bytes that have come stay in" in fetch.stderr.read()
        assert fetch.returncode == 128 + number
        assert [one.name[:10] for one in (tmp_path / "out").iterdir()] == [".incoming-"]
        server.ranges, server.stalling = True, set()
        server.asked.clear()
        done = modelspec("fetch", uri, str(target), cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert not [one for one in server.asked if one[1].endswith("/small")]
        asked = {one[2] for one in server.asked if one[1].endswith("/large.bin") and one[0] == "GET"}
        first = min(int(one[6:].split("-")[0]) for one in asked - {"bytes=0-0"})
        assert first >= 10_000_000
    assert {path: (target / path).read_bytes() for path in files} == files
    assert [one.name for one in (tmp_path / "out").iterdir()] == ["target"]
