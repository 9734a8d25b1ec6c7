"""Stores at servers that keep folders: put, verified, fetched, collected; killed, cut off and lied to."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from conftest import ROOT, Run
from modelspec.tree.finding import Refusal
from modelspec.tree.protocols import StoredTree
from modelspec.world.stores import retried
from modelspec.world.stores.fetch import fetch_tree
from modelspec.world.stores.folder import FolderStore
from modelspec.world.stores.sweep import collect_dated
from modelspec.world.stores.url import UrlStore, url_store
from modelspec.world.stores.verified import troubles
from world.stores.host_servers import LOGIN, SERVERS, Kept, ftp, sftp
from world.stores.trees import SMALL, Changing, laid, noise

fsspec = pytest.importorskip("fsspec", reason="stores at URLs need fsspec")
LARGE = {**SMALL, "large.bin": noise(9_000_000)}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retried, "FIRST", 0.001)


def said(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> Kept:
    """Let this machine say what the server needs."""
    monkeypatch.setattr(fsspec.config, "conf", {kept.url.partition(":")[0]: dict(kept.own)})
    monkeypatch.setenv("HOME", str(kept.home))
    return kept


@pytest.fixture(scope="module", params=list(SERVERS))
def running_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Kept]:
    with SERVERS[request.param](tmp_path_factory.mktemp(request.param)) as kept:
        yield kept


@pytest.fixture
def kept(running_server: Kept, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Kept:
    own = str(abs(hash(request.node.name)))
    one = running_server
    return said(Kept(f"{one.url}/{own}", one.folder / own, one.own, one.home, one.breaks), monkeypatch)


def tree_in(kept: Kept, tree: StoredTree) -> Path:
    return kept.folder / tree.digest.replace(":", "-")


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def whole(kept: Kept, tree: StoredTree) -> bool:
    stem = tree.digest.replace(":", "-")
    return names(kept.folder) == {stem, f"{stem}.sha256sum"}


def test_a_tree_goes_there_and_comes_back(tmp_path: Path, kept: Kept) -> None:
    store = url_store(kept.url)
    assert (list(store.trees()), store.reaches()) == ([], False)
    assert not store.exists("sha256:" + "0" * 64)
    tree = store.put(laid(tmp_path / "source", LARGE))
    assert whole(kept, tree)
    assert (tree_in(kept, tree) / "large.bin").read_bytes() == LARGE["large.bin"]
    assert (list(store.trees()), troubles(store, tree.digest), store.reaches()) == ([tree.digest], [], True)
    fetch_tree(store, tree.digest, tmp_path / "out")
    assert (tmp_path / "out/vocab/tokens.txt").read_bytes() == SMALL["vocab/tokens.txt"]
    assert troubles(FolderStore(kept.folder), tree.digest) == []


def test_a_second_put_sends_nothing_and_one_that_was_stopped_goes_on(tmp_path: Path, kept: Kept) -> None:
    store = url_store(kept.url)
    files = laid(tmp_path / "source")
    tree = store.put(files)
    folder = tree_in(kept, tree)
    before = (folder / "model.onnx").stat()
    store.put(files)
    (kept.folder / f"{folder.name}.sha256sum").unlink()
    (folder / "empty").unlink()
    assert not store.exists(tree.digest)
    store.put(files)
    after = (folder / "model.onnx").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert whole(kept, tree)
    assert troubles(store, tree.digest) == []


def test_a_flipped_byte_is_found_and_mended(tmp_path: Path, kept: Kept) -> None:
    store = url_store(kept.url)
    files = laid(tmp_path / "source")
    tree = store.put(files)
    changed = tree_in(kept, tree) / "model.onnx"
    changed.write_bytes(b"n" + SMALL["model.onnx"][1:])
    assert "model.onnx" in str(troubles(store, tree.digest))
    with pytest.raises(Refusal, match="does not have its digest"):
        fetch_tree(store, tree.digest, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    (tree_in(kept, tree) / "more").write_bytes(b"x")
    assert "more is not in the listing" in troubles(store, tree.digest)
    store.put(files)
    assert changed.read_bytes() == SMALL["model.onnx"]


def test_what_nothing_needs_is_collected_with_what_killed_writers_left(tmp_path: Path, kept: Kept) -> None:
    store = url_store(kept.url)
    tree = store.put(laid(tmp_path / "source", {"a/b/c": b"1", "a/d": b"2"}))
    needed = store.put(laid(tmp_path / "other", {"x": b"3"}))
    left = kept.folder / (".modelspec-" + "0" * 32)
    left.write_bytes(b"half")
    now, day = datetime.now(UTC), timedelta(days=1)
    marks = lambda: frozenset({needed.digest})  # noqa: E731
    early = collect_dated(store, marks, now=now, grace=day, delete=True)
    assert (early.dead, early.kept, early.young, left.exists()) == ((), 1, 1, True)
    late = collect_dated(store, marks, now=now + 2 * day, grace=day, delete=True)
    assert [(dead.digest, dead.bytes) for dead in late.dead] == [(tree.digest, 2)]
    assert whole(kept, needed)


def test_two_writers_of_one_tree_both_end_well(tmp_path: Path, kept: Kept) -> None:
    files = laid(tmp_path / "source", {f"{number}": noise(1000, number) for number in range(20)})
    done: list[StoredTree] = []
    threads = [threading.Thread(target=lambda: done.append(url_store(kept.url).put(files))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(done) == 3
    assert whole(kept, done[0])
    assert troubles(url_store(kept.url), done[0].digest) == []


def test_a_source_that_changes_between_its_two_readings_leaves_nothing(kept: Kept) -> None:
    with pytest.raises(Refusal, match="changed while it was read"):
        url_store(kept.url).put([Changing()])
    assert [path for path in kept.folder.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    "wait", [0.1, 0.3, *(pytest.param(n / 20, marks=pytest.mark.slow) for n in range(20))]
)
def test_a_writer_that_is_killed_leaves_no_part_under_a_name(tmp_path: Path, kept: Kept, wait: float) -> None:
    """Killed at any moment: what has its name is whole, and another run ends well."""
    source = tmp_path / "source"
    files = laid(
        source, {**{f"more/{number}": noise(3000, number) for number in range(10)}, "z": noise(9_000_000)}
    )
    code = (
        "import sys; from pathlib import Path; from modelspec.world.files import local_tree\n"
        "from modelspec.world.stores.url import url_store\n"
        "store = url_store(sys.argv[1]); store.reaches(); print('begun', flush=True)\n"
        "store.put(local_tree(Path(sys.argv[2])))"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, kept.url, str(source)],
        env={**os.environ, **kept.env, "PYTHONPATH": str(ROOT / "src")},
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"begun\n"
    time.sleep(wait)
    child.kill()
    child.communicate()
    for folder in kept.folder.glob("sha256-*/"):
        for path in folder.rglob("*") if folder.is_dir() else ():
            assert path.is_dir() or path.read_bytes() == (source / path.relative_to(folder)).read_bytes()
    store = url_store(kept.url)
    assert troubles(store, store.put(files).digest) == []


def test_a_wrong_password_is_said_at_once_and_never_printed(
    tmp_path: Path, modelspec: Run, kept: Kept
) -> None:
    own = {key: value for key, value in kept.own.items() if key != "key_filename"}
    own |= {"auth": ["ml", "wrong-secret"]} if "base_url" in own else {"password": "wrong-secret"}
    scheme = kept.url.partition(":")[0].upper()
    uri = f"{kept.url}/sha256-" + "0" * 64
    env = {**kept.env, f"FSSPEC_{scheme}": json.dumps(own)}
    done = modelspec("fetch", uri, str(tmp_path / "out"), cwd=tmp_path, env=env)
    text = done.stdout + done.stderr
    assert done.returncode == 3, text
    assert "give yourself the right to it" in text
    assert not [word for word in ("wrong-secret", LOGIN[1], "Traceback") if word in text], text


def test_nobody_who_logs_in_is_said_at_once(tmp_path: Path, modelspec: Run) -> None:
    with sftp(tmp_path / "server") as server:
        uri = f"{server.url}/sha256-" + "0" * 64
        own = {"host": "127.0.0.1", "port": server.own["port"], "username": "me", "allow_agent": False}
        env = {**server.env, "FSSPEC_SFTP": json.dumps(own)}
        done = modelspec("fetch", uri, str(tmp_path / "out"), cwd=tmp_path, env=env)
        assert done.returncode == 3 and "give yourself the right to it" in done.stderr, done.stderr


def test_a_server_that_hangs_up_is_said_in_a_line(tmp_path: Path, modelspec: Run) -> None:
    """paramiko's thread would say it with a traceback."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def hang_up() -> None:
            while True:
                try:
                    listening.accept()[0].close()
                except OSError:
                    return

        threading.Thread(target=hang_up, daemon=True).start()
        port = listening.getsockname()[1]
        uri = f"sftp://127.0.0.1:{port}/store/sha256-" + "0" * 64
        done = modelspec("fetch", uri, str(tmp_path / "out"), cwd=tmp_path, env={"HOME": str(tmp_path)})
        listening.shutdown(socket.SHUT_RDWR)
    assert (done.returncode, len(done.stderr.splitlines())) == (3, 2), done.stderr
    # It is no silence: one that has too much to do hangs up, and is asked as often as any other.
    assert "ConnectionResetError, 5 times" in done.stderr


def test_what_is_said_of_another_host_is_not_used(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry names the host: it must not be sent a password that is another's."""
    for url in (
        kept.url.replace("127.0.0.1", "evil.example.com"),
        kept.url.replace("127.0.0.1:", "127.0.0.1:1"),
    ):
        with pytest.raises(Refusal, match="is not said of"):
            url_store(url[:25] + "/models")
    own = {key: value for key, value in kept.own.items() if key not in ("host", "base_url")}
    monkeypatch.setattr(fsspec.config, "conf", {kept.url.partition(":")[0]: own})
    with pytest.raises(Refusal, match="is not said of"):
        url_store(kept.url)


@pytest.mark.parametrize("byte", [0, 1, 70_000, 7_999_999])
def test_a_connection_that_dies_is_taken_up_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, byte: int
) -> None:
    with ftp(tmp_path / "server") as server:
        store = url_store(said(server, monkeypatch).url)
        server.breaks[:] = [byte] * 3
        tree = store.put(laid(tmp_path / "source", LARGE))
        assert server.breaks == []
        assert whole(server, tree)
        server.breaks[:] = [byte] * 3
        fetch_tree(store, tree.digest, tmp_path / "out")
        assert (tmp_path / "out/large.bin").read_bytes() == LARGE["large.bin"]


def test_a_connection_that_always_dies_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ftp(tmp_path / "server") as server:
        store = url_store(said(server, monkeypatch).url)
        server.breaks[:] = [1000] * 1000
        with pytest.raises(Refusal, match=r"can't be (written|read|listed)"):
            store.put(laid(tmp_path / "source", LARGE))
        server.breaks.clear()
        left = [path.name for path in server.folder.glob("sha256-*") if path.is_file()]
        assert all(name.endswith(".begun") for name in left)


def test_a_host_whose_key_is_not_known_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with sftp(tmp_path / "server") as server:
        known = tmp_path / "server/.ssh/known_hosts"
        right = known.read_text()
        store = url_store(said(server, monkeypatch).url)
        known.write_text("")
        with pytest.raises(Refusal, match=r"the host key of .* is not known here"):
            store.put(laid(tmp_path / "source"))
        known.write_text(
            right.replace(right.split()[-1], (tmp_path / "server/user.pub").read_text().split()[1])
        )
        with pytest.raises(Refusal, match="BadHostKeyException"):
            store.put(laid(tmp_path / "source"))
        known.write_text(right)
        assert troubles(store, store.put(laid(tmp_path / "source")).digest) == []


def test_a_server_that_renames_over_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sftp(tmp_path / "server", "-P", "posix-rename") as server:
        store = url_store(said(server, monkeypatch).url)
        files = laid(tmp_path / "source")
        tree = store.put(files)
        (tree_in(server, tree) / "model.onnx").write_bytes(b"n" * 5000)
        store.put(files)
        assert whole(server, tree)
        assert troubles(store, tree.digest) == []


def test_hadoop_is_written_as_arrow_writes(tmp_path: Path) -> None:
    """No name node runs here: its fsspec class is a wrapper that also takes this machine's disk."""
    fs = pytest.importorskip("pyarrow.fs")
    from fsspec.implementations.arrow import ArrowFSWrapper

    from modelspec.world.stores.hosts import HostSystem

    root = str(tmp_path / "hdfs/store")
    store = UrlStore(
        root, HostSystem(root, lambda: ArrowFSWrapper(fs.LocalFileSystem(), skip_instance_cache=True))
    )
    tree = store.put(laid(tmp_path / "source", LARGE))
    assert (list(store.trees()), troubles(store, tree.digest)) == ([tree.digest], [])
    assert store.stored(tree.digest) is not None
    store.delete(tree.digest)
    assert names(tmp_path / "hdfs/store") == set()
