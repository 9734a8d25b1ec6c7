"""Stores at URLs: a real S3 server, and a web server that breaks in every way."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import Run
from modelspec.tree.finding import Refusal
from modelspec.tree.protocols import StoredTree
from modelspec.world.stores import retried
from modelspec.world.stores.fetch import fetch_tree
from modelspec.world.stores.folder import FolderStore
from modelspec.world.stores.url import UrlStore, url_store
from modelspec.world.stores.verified import troubles
from world.stores.servers import Web, free_port, needed, running, web
from world.stores.trees import SMALL, Changing, Given, goes_on, laid, noise
from world.trees import put

fsspec = pytest.importorskip("fsspec", reason="stores at URLs need fsspec")
pytest.importorskip("s3fs", reason="S3 stores need the s3 extra")
KEYS = {
    "AWS_ACCESS_KEY_ID": "loopback",
    "AWS_SECRET_ACCESS_KEY": "not-a-secret-really",
    "AWS_DEFAULT_REGION": "us-east-1",
}
LARGE = {**SMALL, "large.bin": noise(20_000_000)}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retried, "FIRST", 0.001)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A real S3 server that checks signatures; gives its endpoint and the folder that it keeps objects in."""
    server = needed("versitygw", "make tools")
    folder = tmp_path_factory.mktemp("s3")
    (folder / "root/models").mkdir(parents=True)
    port = free_port()
    command = [server, "--quiet", "--port", f"127.0.0.1:{port}", "posix", "--sidecar", str(folder / "meta")]
    (folder / "meta").mkdir()
    keys = {"ROOT_ACCESS_KEY": KEYS["AWS_ACCESS_KEY_ID"], "ROOT_SECRET_KEY": KEYS["AWS_SECRET_ACCESS_KEY"]}
    with running([*command, str(folder / "root")], port, folder / "log", keys):
        yield f"http://127.0.0.1:{port}", folder / "root/models"


@pytest.fixture
def s3(
    gateway: tuple[str, Path], monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> UrlStore:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", gateway[0])
    store = url_store(f"s3://models/{abs(hash(request.node.name))}")
    store.system.clear_instance_cache()
    return url_store(store.url)


def objects(store: UrlStore, gateway: tuple[str, Path]) -> Path:
    return gateway[1] / store.url.rpartition("/")[2]


def test_a_tree_goes_to_s3_and_comes_back(tmp_path: Path, s3: UrlStore, gateway: tuple[str, Path]) -> None:
    assert list(s3.trees()) == []
    files = laid(tmp_path / "source", LARGE)
    tree = s3.put(files)
    assert tree == FolderStore(tmp_path / "store").put(files)
    folder = objects(s3, gateway) / tree.digest.replace(":", "-")
    assert (folder / "large.bin").read_bytes() == LARGE["large.bin"]
    assert list(s3.trees()) == [tree.digest]
    assert troubles(s3, tree.digest) == []
    assert goes_on(s3, tree.digest, "large.bin", LARGE["large.bin"])
    fetch_tree(s3, tree.digest, tmp_path / "out")
    assert (tmp_path / "out/vocab/tokens.txt").read_bytes() == SMALL["vocab/tokens.txt"]
    # Byte for byte the layout of a folder store: the storage URI of a compiled config points at it.
    assert troubles(FolderStore(folder.parent), tree.digest) == []


def test_a_second_put_sends_nothing_and_one_that_was_stopped_goes_on(
    tmp_path: Path, s3: UrlStore, gateway: tuple[str, Path]
) -> None:
    files = laid(tmp_path / "source")
    tree = s3.put(files)
    folder = objects(s3, gateway) / tree.digest.replace(":", "-")
    before = (folder / "model.onnx").stat().st_mtime_ns
    s3.put(files)
    assert (folder / "model.onnx").stat().st_mtime_ns == before
    s3.system.rm(f"{s3.url}/{folder.name}.sha256sum")
    s3.system.rm(f"{s3.url}/{folder.name}/empty")
    assert not s3.exists(tree.digest)
    s3.put(files)
    assert (folder / "model.onnx").stat().st_mtime_ns == before
    assert troubles(s3, tree.digest) == []


def test_an_object_that_was_changed_in_place_is_found_and_mended(tmp_path: Path, s3: UrlStore) -> None:
    files = laid(tmp_path / "source")
    tree = s3.put(files)
    s3.system.pipe_file(f"{s3.url}/{tree.digest.replace(':', '-')}/model.onnx", b"n" * 5000)
    assert "model.onnx" in str(troubles(s3, tree.digest))
    with pytest.raises(Refusal, match="does not have its digest"):
        fetch_tree(s3, tree.digest, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    s3.put(files)
    assert troubles(s3, tree.digest) == []


def test_strangers_and_missing_objects_are_found(tmp_path: Path, s3: UrlStore) -> None:
    tree = s3.put(laid(tmp_path / "source"))
    folder = f"{s3.url}/{tree.digest.replace(':', '-')}"
    s3.system.pipe_file(f"{folder}/more", b"x")
    s3.system.rm(f"{folder}/empty")
    assert sorted(troubles(s3, tree.digest)) == ["empty is missing", "more is not in the listing"]
    s3.delete(tree.digest)
    assert list(s3.trees()) == []


def test_a_bucket_that_is_not_there_is_said(tmp_path: Path, s3: UrlStore) -> None:
    nowhere = UrlStore("s3://nowhere-at-all/store", s3.system)
    tree = "sha256:" + "0" * 64
    assert troubles(nowhere, tree) == [f"{tree[:19]} is not in s3://nowhere-at-all/store"]
    with pytest.raises(Refusal, match="can't be written: there is no such bucket or folder"):
        nowhere.put(laid(tmp_path / "source"))


def test_a_source_that_changes_between_its_two_readings_never_gets_its_name(
    s3: UrlStore, gateway: tuple[str, Path]
) -> None:
    with pytest.raises(Refusal, match="changed while it was read"):
        s3.put([Changing()])
    assert [path for path in objects(s3, gateway).rglob("*") if path.is_file()] == []


def test_two_writers_of_one_tree_both_end_well(tmp_path: Path, s3: UrlStore) -> None:
    files = laid(tmp_path / "source", {f"{number}": noise(1000, number) for number in range(20)})
    done: list[StoredTree] = []
    threads = [threading.Thread(target=lambda: done.append(s3.put(files))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(done) == 3
    assert troubles(s3, done[0].digest) == []


def test_no_secret_and_no_endpoint_is_printed(
    tmp_path: Path, modelspec: Run, gateway: tuple[str, Path]
) -> None:
    wrong = {**KEYS, "AWS_SECRET_ACCESS_KEY": "wrong-secret", "AWS_ENDPOINT_URL": gateway[0]}
    uri = "s3://models/store/sha256-" + "0" * 64
    done = modelspec("fetch", uri, str(tmp_path / "out"), cwd=tmp_path, env=wrong)
    assert done.returncode == 3, done.stderr
    text = done.stdout + done.stderr
    assert not [word for word in ("secret", "loopback", "127.0.0.1", "Traceback") if word in text], text


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[UrlStore, Web, StoredTree]]:
    tree = FolderStore(tmp_path / "site/store").put(laid(tmp_path / "source", LARGE))
    with web(tmp_path / "site") as server:
        yield url_store(f"http://127.0.0.1:{server.port}/store"), server, tree


def where(tree: StoredTree, path: str) -> str:
    return f"/store/{tree.digest.replace(':', '-')}/{path}"


def test_a_web_server_is_read(tmp_path: Path, served: tuple[UrlStore, Web, StoredTree]) -> None:
    store, server, tree = served
    assert troubles(store, tree.digest) == []
    for server.ranges in (False, True):
        assert goes_on(store, tree.digest, "large.bin", LARGE["large.bin"])
    fetch_tree(store, tree.digest, tmp_path / "out")
    assert (tmp_path / "out/large.bin").read_bytes() == LARGE["large.bin"]
    assert not store.exists("sha256:" + "0" * 64)


def test_a_server_that_answers_500_twice_is_asked_again(
    tmp_path: Path, served: tuple[UrlStore, Web, StoredTree]
) -> None:
    store, server, tree = served
    for file in tree.files:
        server.failing[where(tree, file.path)] = 2
    fetch_tree(store, tree.digest, tmp_path / "out")
    assert (tmp_path / "out/large.bin").read_bytes() == LARGE["large.bin"]


def test_a_server_that_always_answers_500_is_given_up(
    tmp_path: Path, served: tuple[UrlStore, Web, StoredTree]
) -> None:
    store, server, tree = served
    server.failing[where(tree, "model.onnx")] = 1000
    with pytest.raises(Refusal, match="5 times"):
        fetch_tree(store, tree.digest, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("byte", [0, 1, 4096, 7_999_999])
def test_a_connection_that_dies_is_taken_up_again(
    tmp_path: Path, served: tuple[UrlStore, Web, StoredTree], byte: int
) -> None:
    store, server, tree = served
    server.dies_at, server.deaths[where(tree, "large.bin")] = byte, 3
    fetch_tree(store, tree.digest, tmp_path / "out")
    assert (tmp_path / "out/large.bin").read_bytes() == LARGE["large.bin"]


def test_a_connection_that_always_dies_leaves_nothing(
    tmp_path: Path, served: tuple[UrlStore, Web, StoredTree]
) -> None:
    store, server, tree = served
    server.dies_at, server.deaths[where(tree, "large.bin")] = 100, 1000
    with pytest.raises(Refusal, match="can't be read"):
        fetch_tree(store, tree.digest, tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} == {"site", "source"}


@pytest.mark.parametrize(("extra", "ranges"), [(100, True), (-100, True), (100, False)])
def test_a_server_that_lies_about_lengths_is_found_out(
    tmp_path: Path, served: tuple[UrlStore, Web, StoredTree], extra: int, ranges: bool
) -> None:
    store, server, tree = served
    assert store.exists(tree.digest)
    server.extra_length, server.ranges = extra, ranges
    with pytest.raises(Refusal):
        fetch_tree(store, tree.digest, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_server_that_lies_about_bytes_is_found_out(
    tmp_path: Path, served: tuple[UrlStore, Web, StoredTree]
) -> None:
    store, server, tree = served
    server.answers[where(tree, "model.onnx")] = ("application/octet-stream", b"n" * 5000)
    with pytest.raises(Refusal):
        fetch_tree(store, tree.digest, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("dies_at", [None, 3_000_000])
def test_a_server_that_gives_no_parts_of_a_file_is_read(
    tmp_path: Path, served: tuple[UrlStore, Web, StoredTree], dies_at: int | None
) -> None:
    store, server, tree = served
    server.ranges, server.dies_at, server.deaths[where(tree, "large.bin")] = False, dies_at, 3
    fetch_tree(store, tree.digest, tmp_path / "out")
    assert (tmp_path / "out/large.bin").read_bytes() == LARGE["large.bin"]


def test_a_server_that_gives_no_parts_and_always_dies_is_given_up(
    tmp_path: Path, served: tuple[UrlStore, Web, StoredTree]
) -> None:
    store, server, tree = served
    server.ranges, server.dies_at, server.deaths[where(tree, "large.bin")] = False, 3_000_000, 1000
    with pytest.raises(Refusal, match="gives 3,000,000 of 20,000,000 bytes"):
        fetch_tree(store, tree.digest, tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} == {"site", "source"}


@pytest.mark.parametrize("path", [".sha256sum", "/model.onnx", "/large.bin"])
def test_an_answer_without_end_is_not_taken(
    tmp_path: Path, served: tuple[UrlStore, Web, StoredTree], path: str
) -> None:
    store, server, tree = served
    server.endless.add(f"/store/{tree.digest.replace(':', '-')}{path}")
    with pytest.raises(Refusal, match="ShortAnswerError"):
        fetch_tree(store, tree.digest, tmp_path / "out")
    assert server.sent < 50_000_000
    assert not (tmp_path / "out").exists()


def test_what_is_packed_on_the_way_is_refused(
    tmp_path: Path, served: tuple[UrlStore, Web, StoredTree]
) -> None:
    store, server, tree = served
    server.packed = True
    with pytest.raises(Refusal, match="compresses its files unasked"):
        fetch_tree(store, tree.digest, tmp_path / "out")


def test_only_what_is_not_there_is_called_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retried, "FIRST", 0.001)
    put(tmp_path, "data/a.csv", "a")
    with web(tmp_path) as server:
        here, gone = (f"http://127.0.0.1:{server.port}/data/{name}.csv" for name in "ab")
        assert (url_store(here).reaches(), url_store(gone).reaches()) == (True, False)
        server.failing["/data/a.csv"] = 100
        with pytest.raises(Refusal, match="can't be read"):
            url_store(here).reaches()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "hidden")
    # A system that a test opened is connected to the server of that test.
    s3 = pytest.importorskip("s3fs").S3FileSystem
    s3.clear_instance_cache()
    for nobody in (f"http://127.0.0.1:{free_port()}/a.csv", "s3://lake/trips", "s3://lake"):
        with pytest.raises(Refusal, match="can't be read"):
            url_store(nobody).reaches()
    s3.clear_instance_cache()


@pytest.mark.parametrize(("status", "said"), [(401, "401"), (403, "403"), (416, "416"), (404, "is not in")])
def test_what_is_refused_is_not_called_missing(
    tmp_path: Path, served: tuple[UrlStore, Web, StoredTree], status: int, said: str
) -> None:
    store, server, tree = served
    server.replies[f"/store/{tree.digest.replace(':', '-')}.sha256sum"] = (status, {}, b"")
    with pytest.raises(Refusal, match=said):
        fetch_tree(store, tree.digest, tmp_path / "out")


def test_a_server_that_gives_a_byte_now_and_then_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retried, "PATIENCE", 0.0)
    pace = retried.Pace("it")
    pace.add(100_000)
    monkeypatch.setattr(retried, "SLOWEST", 10**12)
    with pytest.raises(Refusal, match=r"it gave 100,001 bytes in 0 s, and was given up"):
        pace.add(1)


def test_any_other_fsspec_system_is_a_store(tmp_path: Path) -> None:
    store = UrlStore("memory://stores/here", fsspec.filesystem("memory"))
    tree = store.put(laid(tmp_path / "source"))
    assert (list(store.trees()), troubles(store, tree.digest)) == ([tree.digest], [])
    store.delete(tree.digest)
    assert list(store.trees()) == []
    with pytest.raises(Refusal):
        store.put([Given("../x")])


def test_a_container_in_azure_by_either_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    adlfs = pytest.importorskip("adlfs", reason="pip install adlfs")
    server, port = needed("azurite-blob", "npm install --global azurite"), free_port()
    # The account and the key that every Azurite has.
    key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
    monkeypatch.setenv(
        "AZURE_STORAGE_CONNECTION_STRING",
        f"DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey={key};"
        f"BlobEndpoint=http://127.0.0.1:{port}/devstoreaccount1;",
    )
    command = [server, "--silent", "--location", str(tmp_path / "data"), "--blobPort", str(port)]
    with running([*command, "--skipApiVersionCheck"], port, tmp_path / "log"):
        adlfs.AzureBlobFileSystem(account_name="devstoreaccount1").mkdir("lake")
        one = url_store("abfss://lake@devstoreaccount1.dfs.core.windows.net/models")
        two = url_store("https://devstoreaccount1.blob.core.windows.net/lake/models")
        assert one.shown == two.shown == "https://devstoreaccount1.blob.core.windows.net/lake/models"
        tree = one.put(laid(tmp_path / "source", LARGE))
        assert (list(two.trees()), troubles(two, tree.digest)) == ([tree.digest], [])
        assert two.stored(tree.digest) is not None
        fetch_tree(two, tree.digest, tmp_path / "out")
        assert (tmp_path / "out/large.bin").read_bytes() == LARGE["large.bin"]
        two.delete(tree.digest)
        assert list(one.trees()) == []


@pytest.mark.parametrize(
    ("url", "module", "package"),
    [
        ("gs://bucket/store", "gcsfs", "gcsfs"),
        ("sftp://host/store", "paramiko", "fsspec paramiko"),
        ("smb://host/share", "smbclient", "fsspec smbprotocol"),
        ("webdav://host/store", "webdav4", '"webdav4[fsspec]"'),
        ("oss://bucket/store", "ossfs", "ossfs"),
        ("cos://bucket/store", "cosfs", "cosfs"),
        ("lakefs://repository/branch", "lakefs_spec", "lakefs-spec"),
    ],
)
def test_a_scheme_without_its_package_names_it(
    monkeypatch: pytest.MonkeyPatch, url: str, module: str, package: str
) -> None:
    for name in [one for one in sys.modules if one.partition(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("sftp", "smb"):
        monkeypatch.delitem(sys.modules, f"fsspec.implementations.{name}", raising=False)
    monkeypatch.setitem(sys.modules, module, None)
    for name in ("_registry", "registry"):
        monkeypatch.setattr(sys.modules["fsspec.registry"], name, {})
    with pytest.raises(Refusal) as refused:
        url_store(url)
    assert refused.value.hint == f"pip install {package}"
