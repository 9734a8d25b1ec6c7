"""A store in a real OCI registry: what we push, `oras` pulls; what lies, is found out."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelspec.tree.finding import Refusal
from modelspec.world.stores import oci_http, retried
from modelspec.world.stores.fetch import fetch_tree
from modelspec.world.stores.folder import FolderStore
from modelspec.world.stores.oci import ARTIFACT, LAYER, MANIFEST, OciStore, oci_store
from modelspec.world.stores.verified import troubles
from world.stores.servers import free_port, needed, running, web
from world.stores.trees import SMALL, Changing, Given, goes_on, laid, noise

pytest.importorskip("httpx", reason="OCI stores need the oci extra")
CONFIG = """
version: 0.1
log: {{level: error}}
storage: {{delete: {{enabled: true}}, filesystem: {{rootdirectory: {root}}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""
LARGE = {**SMALL, "large.bin": noise(20_000_000), "again.bin": noise(20_000_000)}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retried, "FIRST", 0.001)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    server = needed("docker-registry", "apt-get install docker-registry")
    folder, port = tmp_path_factory.mktemp("oci"), free_port()
    (folder / "config.yml").write_text(CONFIG.format(root=folder / "root", port=port))
    with running([server, "serve", str(folder / "config.yml")], port, folder / "log"):
        yield f"127.0.0.1:{port}", folder / "root"


@pytest.fixture
def store(registry: tuple[str, Path], request: pytest.FixtureRequest) -> OciStore:
    return oci_store(f"oci://{registry[0]}/models/t{abs(hash(request.node.name))}")


def test_a_tree_is_pushed_and_comes_back(tmp_path: Path, store: OciStore) -> None:
    assert list(store.trees()) == []
    files = laid(tmp_path / "source", LARGE)
    tree = store.put(files)
    assert tree == FolderStore(tmp_path / "store").put(files)
    assert list(store.trees()) == [tree.digest]
    assert store.files(tree.digest) == {path: len(data) for path, data in LARGE.items()}
    assert troubles(store, tree.digest) == []
    assert goes_on(store, tree.digest, "large.bin", LARGE["large.bin"])
    fetch_tree(store, tree.digest, tmp_path / "out")
    assert (tmp_path / "out/again.bin").read_bytes() == LARGE["large.bin"]
    store.delete(tree.digest)
    assert not store.exists(tree.digest)


def test_the_manifest_is_asked_for_no_oftener_than_trees_are_read(
    tmp_path: Path, store: OciStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names every file: asked for with each of them, thousands of files are millions of rows."""
    tree = store.put(laid(tmp_path / "source", {f"{number}": b"%d" % number for number in range(20)}))
    asked, manifest = [], store.http.manifest

    def counted(reference: str, accept: str) -> bytes | None:
        asked.append(reference)
        return manifest(reference, accept)

    monkeypatch.setattr(store.http, "manifest", counted)
    assert troubles(store, tree.digest) == []
    assert len(asked) == 2
    fetch_tree(store, tree.digest, tmp_path / "out")
    assert len(asked) == 3
    assert next(iter(oci_store(store.uri).open(tree.digest, "7"))) == b"7"
    store.delete(tree.digest)
    with pytest.raises(Refusal, match="not in"):
        fetch_tree(store, tree.digest, tmp_path / "again")


def test_no_more_than_the_last_manifests_are_remembered() -> None:
    trees = [f"sha256:{number:064}" for number in range(40)]
    store = OciStore("oci://registry.example.com/models", answering(*[(200, {}, b'{"layers": []}')] * 40))
    for count, tree in enumerate(trees, 1):
        assert store.exists(tree)
        assert len(store._read) == min(count, 32)
    assert list(store._read) == trees[-32:]


def test_oras_pulls_what_we_push(tmp_path: Path, store: OciStore) -> None:
    oras = needed("oras", "make tools")
    tree = store.put(laid(tmp_path / "source"))
    address = f"{store.uri.removeprefix('oci://')}:{tree.digest.replace(':', '-')}"
    done = subprocess.run(
        [oras, "pull", "--plain-http", "--output", str(tmp_path / "out"), address],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out/vocab/tokens.txt").read_bytes() == SMALL["vocab/tokens.txt"]
    assert (tmp_path / "out/model.onnx").read_bytes() == SMALL["model.onnx"]


def test_the_manifest_is_a_modelpack_and_the_same_bytes_each_time(tmp_path: Path, store: OciStore) -> None:
    files = laid(tmp_path / "source")
    tag = store.put(files).digest.replace(":", "-")
    first = store.http.manifest(tag, MANIFEST)
    store.put(files)
    assert store.http.manifest(tag, MANIFEST) == first
    assert first is not None
    manifest = json.loads(first)
    assert manifest["artifactType"] == ARTIFACT
    assert {layer["mediaType"] for layer in manifest["layers"]} == {LAYER}
    assert [layer["annotations"]["org.cncf.model.filepath"] for layer in manifest["layers"]] == sorted(SMALL)
    # The schema of ModelPack's config asks for these three, and takes nothing beside them.
    config = json.loads(b"".join(store.http.blob(manifest["config"]["digest"], manifest["config"]["size"])))
    files = {"type": "layers", "diffIds": [layer["digest"] for layer in manifest["layers"]]}
    assert config == {"descriptor": {}, "config": {}, "modelfs": files}
    # `modctl` unpacks nothing whose type ends so.
    assert LAYER.endswith(".raw")


def test_a_blob_that_was_changed_in_place_is_found(
    tmp_path: Path, store: OciStore, registry: tuple[str, Path]
) -> None:
    tree = store.put(laid(tmp_path / "source", {"own": noise(9000, 7)}))
    blob = next(registry[1].rglob(f"{tree.files[0].digest[7:]}/data"))
    blob.write_bytes(noise(9000, 8))
    assert len(troubles(store, tree.digest)) == 1
    with pytest.raises(Refusal):
        fetch_tree(store, tree.digest, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_source_that_changes_between_its_two_readings_is_refused(store: OciStore) -> None:
    with pytest.raises(Refusal, match="changed while it was read"):
        store.put([Changing()])
    assert list(store.trees()) == []


def test_a_part_that_broke_is_sent_from_where_the_registry_got_to(
    tmp_path: Path, store: OciStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    import httpx

    send, broken = httpx.Client.send, []

    def flaky(self: httpx.Client, request: httpx.Request, **options: object) -> httpx.Response:
        if request.method == "PATCH" and len(broken) < 2:
            broken.append(request.headers["content-range"])
            if len(broken) == 2:
                # The registry took it all; only its answer was lost.
                send(self, request, **options)  # type: ignore[arg-type]
            raise httpx.ReadError("gone")
        return send(self, request, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(httpx.Client, "send", flaky)
    tree = store.put(laid(tmp_path / "source", {"large": noise(20_000_000, 3)}))
    assert len(broken) == 2
    monkeypatch.undo()
    assert troubles(store, tree.digest) == []


@pytest.mark.parametrize("title", ["../out", "/tmp/out", "a/../../b", "con", "x\\y", ""])
def test_a_hostile_manifest_writes_nothing(tmp_path: Path, store: OciStore, title: str) -> None:
    blob = store.http.upload_bytes(b"evil")
    rows = hashlib.sha256(f"{blob[7:]}  {title}\n".encode()).hexdigest()
    layer = {"mediaType": LAYER, "digest": blob, "size": 4, "annotations": {oci_title(): title}}
    config = {"mediaType": "application/vnd.oci.empty.v1+json", "digest": blob, "size": 4}
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}
    store.http.put_manifest(f"sha256-{rows}", json.dumps(manifest).encode(), MANIFEST)
    with pytest.raises(Refusal):
        fetch_tree(store, f"sha256:{rows}", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(Refusal):
        store.put([Given(title)])


def oci_title() -> str:
    return "org.opencontainers.image.title"


def test_a_registry_that_dies_in_the_middle_is_taken_up_again(tmp_path: Path) -> None:
    data = noise(3_000_000)
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    path = f"/v2/models/blobs/{digest}"
    (tmp_path / "v2/models/blobs").mkdir(parents=True)
    (tmp_path / path[1:]).write_bytes(data)
    with web(tmp_path) as server:
        http = oci_http.RegistryHttp(f"127.0.0.1:{server.port}", "models")
        server.dies_at, server.deaths[path], server.failing[path] = 1_000_000, 2, 2
        assert b"".join(http.blob(digest, len(data))) == data
        assert f"bytes={1_000_000}-" in {asked for _, _, asked in server.asked}
        # One that gives all of it, whatever part is asked for.
        server.ranges, server.dies_at, server.deaths[path] = False, 2_000_000, 1
        assert b"".join(http.blob(digest, len(data), 5)) == data[5:]
        server.dies_at, server.deaths[path] = 0, 1000
        with pytest.raises(Refusal, match="and no more"):
            list(http.blob(digest, len(data)))


def answering(*answers: tuple[int, dict[str, str], bytes]) -> oci_http.RegistryHttp:
    """Return a registry that gives these answers, one after the other."""
    import httpx

    left = list(answers)

    def answer(_: httpx.Request) -> httpx.Response:
        status, headers, body = left.pop(0)
        return httpx.Response(status, headers=headers, stream=httpx.ByteStream(body))

    http = oci_http.RegistryHttp("registry.example.com", "models")
    http._client = httpx.Client(transport=httpx.MockTransport(answer))
    return http


@pytest.mark.parametrize("page", [b"<html>Sign in</html>", b"", b"[1]", b"3", b"null"])
def test_a_page_in_place_of_a_registrys_answer_is_said(page: bytes) -> None:
    challenge = {"www-authenticate": 'Bearer realm="https://token.example.com"'}
    for http in (answering((200, {}, page)), answering((401, challenge, b""), (200, {}, page))):
        with pytest.raises(Refusal, match="something else than a registry does"):
            list(http.tags())


def test_a_list_of_tags_that_is_none_has_none() -> None:
    assert list(answering((200, {}, b'{"tags": 3}')).tags()) == []


@pytest.mark.parametrize("headers", [{}, {"location": "https://x:port/"}])
def test_an_upload_that_goes_on_nowhere_is_said(headers: dict[str, str]) -> None:
    with pytest.raises(Refusal, match="does not say where"):
        answering((404, {}, b""), (202, headers, b"")).upload_bytes(b"x")


def test_a_login_goes_only_to_its_own_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    auth = base64.b64encode(b"ada:secret").decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {"one.example.com": {"auth": auth}}}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.delenv("REGISTRY_AUTH_FILE", raising=False)
    assert oci_http._login("one.example.com") == auth
    assert oci_http._login("two.example.com") is None
    assert "secret" not in repr(oci_store("oci://one.example.com/models"))


TREE = "sha256:" + "0" * 64
MANIFEST_PATH = f"/v2/models/manifests/{TREE.replace(':', '-')}"


@pytest.mark.parametrize("body", [b"{", b"[]", b"[" * 100_000, b'{"layers": [{"size": 1e999}]}'])
def test_a_manifest_that_is_none_is_refused(tmp_path: Path, body: bytes) -> None:
    if b"1e999" in body:
        row = {"annotations": {oci_title(): "x"}, "digest": TREE, "size": 1}
        body = json.dumps({"layers": [row]}).replace('"size": 1', '"size": 1e999').encode()
    with web(tmp_path) as server:
        server.replies[MANIFEST_PATH] = (200, {}, body)
        with pytest.raises(Refusal, match="does not describe a tree"):
            oci_store(f"oci://127.0.0.1:{server.port}/models").listing(TREE)


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"[" * 100_000])
def test_a_token_that_is_none_is_refused(tmp_path: Path, body: bytes) -> None:
    with web(tmp_path) as server:
        realm = f'Bearer realm="http://127.0.0.1:{server.port}/token",service="x"'
        server.replies[MANIFEST_PATH] = (401, {"WWW-Authenticate": realm}, b"")
        server.replies["/token?service=x"] = (200, {}, body)
        with pytest.raises(Refusal, match="something else than a registry does"):
            oci_store(f"oci://127.0.0.1:{server.port}/models").listing(TREE)


@pytest.mark.parametrize("realm", ["http://tokens.example.com/", "http://localhost.example.com/", "file:///"])
def test_a_login_goes_to_no_token_service_without_tls(tmp_path: Path, realm: str) -> None:
    with web(tmp_path) as server:
        server.replies[MANIFEST_PATH] = (401, {"WWW-Authenticate": f'Bearer realm="{realm}"'}, b"")
        with pytest.raises(Refusal, match="without TLS"):
            oci_store(f"oci://127.0.0.1:{server.port}/models").listing(TREE)


@pytest.mark.parametrize("path", [MANIFEST_PATH, "/token?service=x"])
def test_an_answer_without_end_is_not_taken(tmp_path: Path, path: str) -> None:
    with web(tmp_path) as server:
        realm = f'Bearer realm="http://127.0.0.1:{server.port}/token",service="x"'
        server.replies[MANIFEST_PATH] = (401, {"WWW-Authenticate": realm}, b"")
        server.replies.pop(path, None)
        server.endless.add(path)
        with pytest.raises(Refusal, match="more than 4,194,304 bytes"):
            oci_store(f"oci://127.0.0.1:{server.port}/models").listing(TREE)
        assert server.sent < 50_000_000


def test_tags_that_go_round_in_a_circle_or_on_for_ever_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with web(tmp_path) as server:
        again = {"Link": '</v2/models/tags/list?n=1000>; rel="next"'}
        server.replies["/v2/models/tags/list?n=1000"] = (200, again, b'{"tags": ["a"]}')
        with pytest.raises(Refusal, match="without an end"):
            list(oci_store(f"oci://127.0.0.1:{server.port}/models").trees())
        monkeypatch.setattr(oci_http, "_PAGES", 3)
        for page in range(5):
            following = {"Link": f'</v2/models/tags/list?n=1000&last={page}>; rel="next"'}
            last = f"&last={page - 1}" if page else ""
            server.replies[f"/v2/models/tags/list?n=1000{last}"] = (200, following, b'{"tags": ["a"]}')
        with pytest.raises(Refusal, match="without an end"):
            list(oci_store(f"oci://127.0.0.1:{server.port}/models").trees())
        server.replies["/v2/models/tags/list?n=1000"] = (200, {}, b"[1]")
        with pytest.raises(Refusal, match="something else than a registry does"):
            list(oci_store(f"oci://127.0.0.1:{server.port}/models").trees())


def test_a_registry_may_send_readers_to_another_path_of_its_own(tmp_path: Path) -> None:
    data = noise(5000)
    path = f"/v2/models/blobs/sha256:{hashlib.sha256(data).hexdigest()}"
    (tmp_path / "data").write_bytes(data)
    with web(tmp_path) as server:
        server.replies[path] = (307, {"Location": "/data"}, b"")
        http = oci_http.RegistryHttp(f"127.0.0.1:{server.port}", "models")
        assert b"".join(http.blob(path.rpartition("/")[2], len(data))) == data
