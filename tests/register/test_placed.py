"""`register s3://...`: nothing is copied, each object is pinned by its version; on a real S3 server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import ROOT, Git, Run, edit, reference
from modelspec.tree.finding import Refusal
from modelspec.tree.yaml import read
from modelspec.world.stores import retried
from modelspec.world.stores.placed import placed_at, placed_tree
from register.conftest import MODEL, Register, register, shop
from world.stores.servers import free_port, needed, running

pytest.importorskip("s3fs", reason="the extra `s3` is not installed")
__all__ = ["register", "shop"]

NEW = "registry/models/eta/versions/3.0.1.yaml"
STAGING = "registry/environments/staging/models/eta.yaml"
STAGED = next((ROOT / "store").glob("sha256-e502e5162*/model.onnx"))
"""What staging pins."""
KEYS = {
    "AWS_ACCESS_KEY_ID": "loopback",
    "AWS_SECRET_ACCESS_KEY": "not-a-secret-really",
    "AWS_DEFAULT_REGION": "us-east-1",
}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real S3 server that can count versions; gives its endpoint."""
    server = needed("versitygw", "make tools")
    folder = tmp_path_factory.mktemp("s3")
    for name in ("root", "meta", "versions"):
        (folder / name).mkdir()
    port = free_port()
    posix = ["posix", "--sidecar", str(folder / "meta"), "--versioning-dir", str(folder / "versions")]
    command = [server, "--quiet", "--port", f"127.0.0.1:{port}", *posix, str(folder / "root")]
    keys = {"ROOT_ACCESS_KEY": KEYS["AWS_ACCESS_KEY_ID"], "ROOT_SECRET_KEY": KEYS["AWS_SECRET_ACCESS_KEY"]}
    with running(command, port, folder / "log", keys):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def bucket(gateway: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Any:
    """A client, with a bucket of this test that counts versions."""
    import s3fs

    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", gateway)
    monkeypatch.setattr(retried, "FIRST", 0.001)
    s3fs.S3FileSystem.clear_instance_cache()
    client = s3fs.S3FileSystem(version_aware=True, use_listings_cache=False)
    client.name = f"lake-{abs(hash(request.node.name)) % 10**9}"
    client.mkdir(client.name)
    client.call_s3("put_bucket_versioning", Bucket=client.name, VersioningConfiguration={"Status": "Enabled"})
    return client


def test_a_version_stays_where_it_is_and_is_read_from_there(
    register: Register, shop: Git, bucket: Any, invoke: Run, tmp_path: Path
) -> None:
    uri = f"s3://{bucket.name}/eta/model.onnx"
    bucket.pipe_file(uri, MODEL.read_bytes())
    data_uri = f"s3://{bucket.name}/trips"
    bucket.pipe_file(f"{data_uri}/rows.csv", b"distance,minutes")
    done = register("3.0.1", artifact=uri, dataset=data_uri)
    assert done.returncode == 0, done.stderr
    data: Any
    data, _ = read((shop.root / NEW).read_bytes())
    artifact = data["artifact"]
    assert (artifact["uri"], artifact["store"], artifact["format"]) == (uri, "main", "onnx")
    assert artifact["observed"]["inputs"][0]["name"] == "features"
    [file] = artifact["files"]
    assert file["object"] == bucket.info(uri)["VersionId"]
    # The lock is in the store; the model is not.
    stored = {path.name for path in (shop.root / "store").rglob("*") if path.is_file()}
    assert "requirements.txt" in stored and "model.onnx" not in stored
    again = register("3.0.1", artifact=uri, dataset=data_uri)
    assert "already registered" in again.stdout

    asked = invoke("verify", "eta@3.0.1", "--network", "--format", "json", cwd=shop.root)
    assert asked.returncode == 0, asked.stdout
    assert json.loads(asked.stdout)["versions"][0]["levels"]["artifact"] == "verified"
    unasked = invoke("verify", "eta@3.0.1", "--format", "json", cwd=shop.root)
    assert json.loads(unasked.stdout)["versions"][0]["levels"]["artifact"] == "recorded"

    assert invoke("fetch", "eta@3.0.1", str(tmp_path / "out"), cwd=shop.root).returncode == 0
    assert (tmp_path / "out/model.onnx").read_bytes() == MODEL.read_bytes()

    edit(shop.root, STAGING, reference(shop.root, "eta", "3.0.0"), reference(shop.root, "eta", "3.0.1"))
    refused = invoke("compile", "staging", cwd=shop.root)
    assert refused.returncode == 1 and "mlserver loads folders" in refused.stdout
    edit(shop.root, STAGING, "  mlserver: {}\n", "")
    compiled = invoke("compile", "staging", cwd=shop.root)
    assert compiled.returncode == 0, compiled.stdout + compiled.stderr
    service = (shop.root / "compiled/staging/models/eta/kserve/inference-service.yaml").read_text()
    assert f"storageUri: {uri}\n" in service

    # Overwritten: what serves is no longer what is pinned, which `verify` says; the version is still there.
    bucket.pipe_file(uri, b"something else")
    found = invoke("verify", "eta@3.0.1", "--network", cwd=shop.root)
    assert found.returncode == 1 and "was overwritten" in found.stdout
    assert invoke("fetch", "eta@3.0.1", str(tmp_path / "again"), cwd=shop.root).returncode == 0
    assert (tmp_path / "again/model.onnx").read_bytes() == MODEL.read_bytes()
    out = tmp_path / "whole"
    rebuilt = invoke("reproduce", "eta@3.0.1", str(out), "--network", cwd=shop.root)
    assert (out / "artifact/model.onnx").read_bytes() == MODEL.read_bytes(), rebuilt.stdout

    bucket.call_s3("delete_object", Bucket=bucket.name, Key="eta/model.onnx", VersionId=file["object"])
    gone = invoke("fetch", "eta@3.0.1", str(tmp_path / "gone"), cwd=shop.root)
    assert gone.returncode == 3 and "the object that was registered is gone" in gone.stderr
    assert not (tmp_path / "gone").exists()


def test_a_folder_of_objects_is_one_tree_and_what_comes_beside_it_is_found(bucket: Any) -> None:
    from modelspec.world.stores.verified import troubles

    uri = f"s3://{bucket.name}/big"
    files = {"config.json": b"{}", "weights/part-1.bin": bytes(range(256)) * 40_000, "empty": b""}
    for path, data in files.items():
        bucket.pipe_file(f"{uri}/{path}", data)
    tree = placed_at(uri)
    assert [(one.path, one.size) for one in tree.placed] == [
        ("config.json", 2), ("empty", 0), ("weights/part-1.bin", 10_240_000),
    ]  # fmt: skip
    again = placed_tree(uri, tree.placed)
    assert (
        b"".join(bytes(one) for one in again.open(tree.digest, "weights/part-1.bin"))
        == files["weights/part-1.bin"]
    )
    assert troubles(again, tree.digest) == []
    bucket.pipe_file(f"{uri}/weights/part-2.bin", b"more")
    assert troubles(again, tree.digest) == ["weights/part-2.bin is not in the listing"]
    bucket.rm_file(f"{uri}/weights/part-2.bin")
    bucket.rm_file(f"{uri}/empty")
    assert troubles(again, tree.digest) == ["empty is missing"]


def test_a_bucket_that_counts_no_versions_is_refused(bucket: Any, register: Register, shop: Git) -> None:
    plain = bucket.name + "-plain"
    bucket.mkdir(plain)
    bucket.pipe_file(f"s3://{plain}/model.onnx", MODEL.read_bytes())
    done = register("3.0.1", artifact=f"s3://{plain}/model.onnx")
    assert done.returncode == 3 and "does not count the versions" in done.stderr
    assert not (shop.root / NEW).exists()


def test_what_is_no_such_place_is_refused(bucket: Any) -> None:
    bucket.pipe_file(f"s3://{bucket.name}/twice/twice", b"1")
    for uri, said in (
        (f"s3://{bucket.name}/nothing", "there is nothing at"),
        (f"s3://{bucket.name}/twice", "one object of its own name"),
        ("https://models.example.com/eta", "only s3:// and gs:// pin an object"),
        ("s3://user:word@lake/eta", "user info"),
        ("file:///etc/passwd", "is a file: URI"),
    ):
        with pytest.raises(Refusal) as refused:
            placed_at(uri)
        assert said in refused.value.message and "word" not in refused.value.message


def test_the_init_container_that_is_compiled_fetches_what_the_pin_names(
    bucket: Any, shop: Git, invoke: Run, tmp_path: Path
) -> None:
    import yaml

    from modelspec.world.files import LocalFile
    from modelspec.world.stores.url import url_store

    store = f"s3://{bucket.name}/store"
    url_store(store).put([LocalFile("model.onnx", STAGED)])
    edit(shop.root, "registry/modelspec.yaml", "s3://example-models/store", store)
    image = f"registry.example.com/tools/modelspec@sha256:{'5c' * 32}"
    edit(shop.root, STAGING, "kserve: {replicas", f'kserve: {{fetch: {{image: "{image}"}}, replicas')
    done = invoke("compile", "staging", cwd=shop.root)
    assert done.returncode == 0, done.stdout + done.stderr
    service = yaml.safe_load(
        (shop.root / "compiled/staging/models/eta/kserve/inference-service.yaml").read_text()
    )
    predictor = service["spec"]["predictor"]
    [step] = predictor["initContainers"]
    program, *arguments, into = step["command"]
    [mount], [served] = step["volumeMounts"], predictor["model"]["volumeMounts"]
    # What is fetched is what the other container sees, at the path that KServe's runtimes read.
    assert into == f"{mount['mountPath']}/{served['subPath']}" and served["mountPath"] == "/mnt/models"
    assert (program, step["image"], step["name"]) == ("modelspec", image, "storage-initializer")
    assert predictor["model"]["storageUri"] in step["command"], "KServe is told where it comes from"
    # Outside of any registry, as in a container.
    fetched = invoke(*arguments, str(tmp_path / "models"), cwd=tmp_path)
    assert fetched.returncode == 0, fetched.stderr
    assert (tmp_path / "models/model.onnx").read_bytes() == STAGED.read_bytes()
