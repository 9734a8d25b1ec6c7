"""A bucket of Google's, as a server that stands in for it keeps it."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelspec.tree.finding import Refusal
from modelspec.world.stores.fetch import fetch_tree
from modelspec.world.stores.placed import placed_at, placed_tree
from modelspec.world.stores.url import UrlStore, url_store
from modelspec.world.stores.verified import troubles
from world.stores.google import endpoint
from world.stores.trees import SMALL, Changing, laid, noise

pytest.importorskip("gcsfs", reason="pip install gcsfs")
__all__ = ["endpoint"]
LARGE = {**SMALL, "large.bin": noise(9_000_000)}


@pytest.fixture
def gcs(endpoint: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> UrlStore:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", endpoint)
    monkeypatch.setenv("NO_GCE_CHECK", "true")
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


def test_a_folder_stays_where_it_is_pinned_by_generation(tmp_path: Path, gcs: UrlStore) -> None:
    uri = f"{gcs.url}/eta"
    for path, data in LARGE.items():
        gcs.system.pipe_file(f"{uri}/{path}", data)
    tree = placed_at(uri)
    assert {file.path: file.size for file in tree.placed} == {path: len(data) for path, data in LARGE.items()}
    assert all(file.object.isdecimal() for file in tree.placed)
    again = placed_tree(uri, tree.placed)
    assert troubles(again, tree.digest) == []
    with again.stream("vocab/tokens.txt") as stream:
        assert stream.read() == SMALL["vocab/tokens.txt"]
    # Overwritten: what serves is no longer what is pinned, which is said; the pinned object is still read.
    gcs.system.pipe_file(f"{uri}/model.onnx", b"n" * 5000)
    assert "model.onnx" in str(troubles(again, tree.digest)) and "overwritten" in str(
        troubles(again, tree.digest)
    )
    assert b"".join(bytes(chunk) for chunk in again.open(tree.digest, "model.onnx")) == SMALL["model.onnx"]
    fetch_tree(again, tree.digest, tmp_path / "out")
    assert (tmp_path / "out/large.bin").read_bytes() == LARGE["large.bin"]


def test_one_object_and_what_lies_beside_it(gcs: UrlStore) -> None:
    uri = f"{gcs.url}/model.onnx"
    gcs.system.pipe_file(uri, b"m")
    gcs.system.pipe_file(f"{gcs.url}/more", b"x")
    one, both = placed_at(uri), placed_at(gcs.url)
    assert (one.address("model.onnx"), troubles(one, one.digest)) == (uri, [])
    gcs.system.pipe_file(f"{gcs.url}/third", b"x")
    assert troubles(both, both.digest) == ["third is not in the listing"]
    gcs.system.rm(uri)
    assert troubles(one, one.digest) == ["model.onnx is missing"]


def test_a_bucket_that_keeps_no_older_objects_is_refused(gcs: UrlStore) -> None:
    gcs.system.pipe_file("gs://plain/model.onnx", b"m")
    with pytest.raises(Refusal, match="does not count the versions"):
        placed_at("gs://plain/model.onnx")
