"""`gc` of stores over a network: the same marks and grace time, on a real S3 server and a real registry."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from conftest import ROOT, Git, Run, edit
from modelspec.tree.digest import sha256, stamp
from modelspec.tree.finding import Refusal
from modelspec.tree.protocols import StoredTree, Swept
from modelspec.world.files import LocalFile
from modelspec.world.stores import retried
from modelspec.world.stores.oci import MANIFEST, OciStore, oci_store
from modelspec.world.stores.sweep import collect_dated
from modelspec.world.stores.url import UrlStore, url_store
from modelspec.world.stores.verified import troubles
from world.stores.servers import free_port, needed, running, web
from world.stores.test_oci import CONFIG
from world.stores.test_url import KEYS, gateway
from world.stores.trees import Given, laid

pytest.importorskip("s3fs")
pytest.importorskip("httpx")
__all__ = ["gateway"]
GRACE = timedelta(hours=72)
LATER = datetime.now(UTC) + timedelta(hours=100)
OTHER = {"other.bin": b"another tree"}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retried, "FIRST", 0.001)


@pytest.fixture
def s3(
    gateway: tuple[str, Path], monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> UrlStore:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", gateway[0])
    store = url_store(f"s3://models/sweep{abs(hash(request.node.name))}")
    store.system.clear_instance_cache()
    return url_store(store.url)


def registry(folder: Path, deletes: bool) -> Iterator[OciStore]:
    server = needed("docker-registry", "apt-get install docker-registry")
    port = free_port()
    config = CONFIG.format(root=folder / "root", port=port)
    (folder / "config.yml").write_text(config.replace("enabled: true", f"enabled: {str(deletes).lower()}"))
    with running([server, "serve", str(folder / "config.yml")], port, folder / "log"):
        yield oci_store(f"oci://127.0.0.1:{port}/models/eta")


@pytest.fixture
def oci(tmp_path: Path) -> Iterator[OciStore]:
    yield from registry(tmp_path, deletes=True)


@pytest.fixture
def keeping(tmp_path: Path) -> Iterator[OciStore]:
    """A registry as it comes: removing is switched off."""
    yield from registry(tmp_path, deletes=False)


@pytest.fixture(params=["s3", "oci"])
def store(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


def filled(store: Any, tmp_path: Path) -> tuple[StoredTree, StoredTree]:
    return store.put(laid(tmp_path / "one")), store.put([Given(path, data) for path, data in OTHER.items()])


def test_what_nothing_needs_goes_and_the_rest_stays_whole(store: Any, tmp_path: Path) -> None:
    needed_, dead = filled(store, tmp_path)

    def live() -> frozenset[str]:
        return frozenset({needed_.digest})

    dry = collect_dated(store, live, now=LATER, grace=GRACE, delete=False)
    assert ([one.digest for one in dry.dead], dry.kept, dry.young) == ([dead.digest], 1, 0)
    assert dry.dead[0].bytes == len(OTHER["other.bin"]) and store.exists(dead.digest)
    done = collect_dated(store, live, now=LATER, grace=GRACE, delete=True)
    assert [one.digest for one in done.dead] == [dead.digest]
    assert list(store.trees()) == [needed_.digest] and troubles(store, needed_.digest) == []
    assert store.stored(dead.digest) is None and not store.files(dead.digest)
    again = collect_dated(store, live, now=LATER, grace=GRACE, delete=True)
    assert (again.dead, again.kept) == ((), 1)


def beheaded(s3: UrlStore, gateway: tuple[str, Path], tree: StoredTree) -> None:
    """Leave a tree as a register does that was killed long ago: with files, and without a listing."""
    folder = gateway[1] / s3.url.rpartition("/")[2]
    (folder / f"{stamp(tree.digest)}.sha256sum").unlink()
    for file in folder.glob(f"{stamp(tree.digest)}*/**/*"):
        os.utime(file, (0, 0))


def test_what_a_killed_register_left_goes_too(
    s3: UrlStore, gateway: tuple[str, Path], tmp_path: Path
) -> None:
    tree, dead = filled(s3, tmp_path)
    beheaded(s3, gateway, dead)
    now = datetime.now(UTC)
    swept = collect_dated(s3, lambda: frozenset([dead.digest]), now=now, grace=GRACE, delete=True)
    assert (swept.dead, swept.kept, swept.young) == ((), 1, 1)
    swept = collect_dated(s3, frozenset, now=now, grace=GRACE, delete=True)
    assert ([one.digest for one in swept.dead], swept.young) == ([dead.digest], 1)
    left = sorted(path.name for path in (gateway[1] / s3.url.rpartition("/")[2]).iterdir())
    assert left == [stamp(tree.digest), f"{stamp(tree.digest)}.sha256sum"]


def test_what_goes_on_after_a_killed_register_is_let_alone(s3: UrlStore, gateway: tuple[str, Path]) -> None:
    """It sends again nothing of what is there, whose time is long ago."""
    swept: list[Swept] = []
    read: list[str] = []

    class Collected(Given):
        def chunks(self) -> Iterator[bytes]:
            read.append(self.path)
            if len(read) == 2:  # it was hashed before; now it is sent
                swept.append(collect_dated(s3, frozenset, now=datetime.now(UTC), grace=GRACE, delete=True))
            yield self.data

    files = [Given("a"), Given("b")]
    tree = s3.put(files)
    beheaded(s3, gateway, tree)
    object_ = gateway[1] / s3.url.rpartition("/")[2] / stamp(tree.digest) / "b"
    object_.write_bytes(b"y")
    os.utime(object_, (0, 0))
    assert s3.put([files[0], Collected("b")]) == tree
    assert [(len(one.dead), one.young) for one in swept] == [(0, 1)]
    assert troubles(s3, tree.digest) == []
    left = sorted(path.name for path in object_.parent.parent.iterdir())
    assert left == [stamp(tree.digest), f"{stamp(tree.digest)}.sha256sum"]


def test_what_was_stored_lately_or_again_stays(store: Any, tmp_path: Path) -> None:
    tree, _ = filled(store, tmp_path)
    first = store.stored(tree.digest)
    assert first is not None and abs(first - datetime.now(UTC)) < timedelta(minutes=5)
    young = collect_dated(store, frozenset, now=datetime.now(UTC), grace=GRACE, delete=True)
    assert (young.dead, young.young) == ((), 2)
    if isinstance(store, UrlStore):
        # A server that counts whole seconds.
        import time

        time.sleep(1.1)
    store.put(laid(tmp_path / "one"))
    assert store.stored(tree.digest) > first


def test_what_is_pinned_meanwhile_stops_it_with_nothing_removed(store: Any, tmp_path: Path) -> None:
    one, two = filled(store, tmp_path)
    answers = iter([frozenset(), frozenset({two.digest})])
    with pytest.raises(Refusal, match="nothing was removed"):
        collect_dated(store, lambda: next(answers), now=LATER, grace=GRACE, delete=True)
    assert sorted(store.trees()) == sorted([one.digest, two.digest])


def test_what_is_stored_again_while_it_is_collected_stays(oci: OciStore, tmp_path: Path) -> None:
    tree, _ = filled(oci, tmp_path)
    asked = 0

    def live() -> frozenset[str]:
        nonlocal asked
        asked += 1
        if asked == 2:
            # A register on another machine, after all was marked.
            told = oci.http.manifest(tree.digest.replace(":", "-") + ".stored", MANIFEST) or b""
            data = json.loads(told)
            data["annotations"]["org.opencontainers.image.created"] = LATER.isoformat()
            oci.http.put_manifest(
                tree.digest.replace(":", "-") + ".stored", json.dumps(data).encode(), data["mediaType"]
            )
        return frozenset()

    done = collect_dated(oci, live, now=LATER, grace=GRACE, delete=True)
    assert (len(done.dead), done.young) == (1, 1) and list(oci.trees()) == [tree.digest]


def test_a_tree_that_others_pushed_waits_from_when_it_was_seen(oci: OciStore, tmp_path: Path) -> None:
    tree, _ = filled(oci, tmp_path)
    noted = oci.http.manifest(tree.digest.replace(":", "-") + ".stored", MANIFEST)
    oci.http.delete_manifest(sha256(noted or b""))
    assert oci.stored(tree.digest) is None
    dry = collect_dated(oci, frozenset, now=LATER, grace=GRACE, delete=False)
    assert (len(dry.dead), dry.young, oci.stored(tree.digest)) == (1, 1, None)
    collect_dated(oci, frozenset, now=LATER, grace=GRACE, delete=True)
    assert oci.exists(tree.digest) and oci.stored(tree.digest) is not None
    collect_dated(oci, frozenset, now=LATER, grace=GRACE, delete=True)
    assert not oci.exists(tree.digest)


def test_a_registry_that_removes_nothing_says_so_before_anything_is_tried(
    keeping: OciStore, tmp_path: Path
) -> None:
    tree, _ = filled(keeping, tmp_path)
    dry = collect_dated(keeping, frozenset, now=LATER, grace=GRACE, delete=False)
    assert len(dry.dead) == 2
    with pytest.raises(Refusal) as refused:
        collect_dated(keeping, frozenset, now=LATER, grace=GRACE, delete=True)
    assert "removes nothing" in refused.value.message and "storage.delete.enabled" in (
        refused.value.hint or ""
    )
    assert troubles(keeping, tree.digest) == []


def test_a_web_server_is_read_only(tmp_path: Path) -> None:
    with web(tmp_path) as server:
        store = url_store(f"http://127.0.0.1:{server.port}/store")
        with pytest.raises(Refusal, match="is read only"):
            collect_dated(store, frozenset, now=LATER, grace=GRACE, delete=True)


def test_gc_by_the_name_of_a_remote_store(
    gateway: tuple[str, Path], s3: UrlStore, example: Path, modelspec: Run
) -> None:
    for tree in (ROOT / "store").glob("sha256-*/"):
        s3.put([LocalFile(path.name, path) for path in tree.iterdir()])
    dead = s3.put([Given(path, data) for path, data in OTHER.items()])
    edit(example, "registry/modelspec.yaml", "s3://example-models/store", s3.url)
    repository = Git(example)
    repository.commit("The example, with a store in a bucket")
    env = {**KEYS, "AWS_ENDPOINT_URL": gateway[0]}
    young = modelspec("gc", "--store", "main", cwd=example, env=env)
    assert young.returncode == 0 and "0 trees can go" in young.stdout, young.stderr
    assert "1 younger than the grace time" in young.stdout
    place = gateway[1] / s3.url.rpartition("/")[2]
    for listed in place.glob("*.sha256sum"):
        os.utime(listed, (0, 0))
    found = modelspec("gc", "--store", "main", "--delete", "--format", "json", cwd=example, env=env)
    assert found.returncode == 0, found.stderr
    [told] = json.loads(found.stdout)["stores"]
    assert [one["digest"] for one in told["dead"]] == [dead.digest] and told["kept"] == 7
    assert not s3.exists(dead.digest)
    # Nothing else goes over a network unless its name is given.
    assert "no store is a folder here" in modelspec("gc", cwd=example).stdout
