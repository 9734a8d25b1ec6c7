"""A bucket of Google's, as a server that stands in for it keeps it."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelspec.tree.finding import Refusal
from modelspec.world.stores.fetch import fetch_tree
from modelspec.world.stores.url import UrlStore, url_store
from modelspec.world.stores.verified import troubles
from world.stores.servers import free_port, needed, running
from world.stores.trees import SMALL, Changing, laid, noise

pytest.importorskip("gcsfs", reason="pip install gcsfs")
LARGE = {**SMALL, "large.bin": noise(9_000_000)}


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server, port = needed("fake-gcs-server", "make tools"), free_port()
    folder = tmp_path_factory.mktemp("gcs")
    command = [server, "-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-backend", "memory"]
    with running([*command, "-public-host", f"127.0.0.1:{port}"], port, folder / "log"):
        for bucket, counts in (("models", True), ("plain", False)):
            body = json.dumps({"name": bucket, "versioning": {"enabled": counts}}).encode()
            url = f"http://127.0.0.1:{port}/storage/v1/b?project=p"
            asked = urllib.request.Request(url, body, {"Content-Type": "application/json"})
            urllib.request.urlopen(asked).close()
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def gcs(endpoint: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> UrlStore:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", endpoint)
    store = url_store(f"gs://models/{abs(hash(request.node.name))}")
    store.system.clear_instance_cache()
    return url_store(store.url)


def test_a_tree_goes_to_gcs_and_comes_back(tmp_path: Path, gcs: UrlStore) -> None:
    assert list(gcs.trees()) == []
    files = laid(tmp_path / "source", LARGE)
    tree = gcs.put(files)
    assert (list(gcs.trees()), troubles(gcs, tree.digest)) == ([tree.digest], [])
    assert gcs.stored(tree.digest) is not None
    fetch_tree(gcs, tree.digest, tmp_path / "out")
    assert (tmp_path / "out/large.bin").read_bytes() == LARGE["large.bin"]
    gcs.system.pipe_file(f"{gcs.url}/{tree.digest.replace(':', '-')}/model.onnx", b"n" * 5000)
    assert "model.onnx" in str(troubles(gcs, tree.digest))
    gcs.put(files)
    assert troubles(gcs, tree.digest) == []
    gcs.delete(tree.digest)
    assert (list(gcs.trees()), gcs.files(tree.digest)) == ([], {})


def test_what_others_write_and_remove_meanwhile_is_seen(tmp_path: Path, gcs: UrlStore) -> None:
    """gcsfs remembers what it listed."""
    tree = gcs.put(laid(tmp_path / "source"))
    assert len(gcs.files(tree.digest)) == 3
    assert list(gcs.trees()) == [tree.digest]
    gcs.system.clear_instance_cache()
    other = url_store(gcs.url)
    assert other.system is not gcs.system
    other.delete(tree.digest)
    assert (list(gcs.trees()), gcs.files(tree.digest)) == ([], {})


def test_a_source_that_changes_between_its_two_readings_never_gets_its_name(gcs: UrlStore) -> None:
    with pytest.raises(Refusal, match="changed while it was read"):
        gcs.put([Changing()])
    assert gcs.system.find(gcs.url) == []
