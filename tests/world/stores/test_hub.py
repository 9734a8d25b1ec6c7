"""Revisions on a hub: read by commit, and brought here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelspec.tree.finding import Refusal
from modelspec.world.files import local_tree
from modelspec.world.stores import hub as hub_module
from modelspec.world.stores import oci_http, retried
from modelspec.world.stores.folder import FolderStore
from modelspec.world.stores.hub import hub_here, hub_tree
from world.stores.servers import Web, web
from world.stores.trees import SMALL, laid
from world.trees import put

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    """A hub with one revision."""
    monkeypatch.setattr(retried, "FIRST", 0.001)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    for path, data in SMALL.items():
        put(tmp_path, f"site/ada/net/resolve/{COMMIT}/{path}", data)
    with web(tmp_path / "site") as server:
        rows = [
            {"type": "file", "path": path, "size": len(data), "oid": "0" * 40} for path, data in SMALL.items()
        ]
        rows.append({"type": "directory", "path": "vocab", "size": 0, "oid": "0" * 40})
        rows.append({"type": "file", "path": ".gitattributes", "size": 9, "oid": "0" * 40})
        tree(server, rows)
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.port}")
        yield server


def tree(server: Web, rows: object) -> None:
    path = f"/api/models/ada/net/tree/{COMMIT}?recursive=true"
    server.answers[path] = ("application/json", json.dumps(rows).encode())


def test_a_revision_by_commit_is_a_source(hub: Web, tmp_path: Path) -> None:
    files = hub_tree(f"hf://ada/net@{COMMIT}")
    assert [file.path for file in files] == sorted(SMALL)
    got = FolderStore(tmp_path / "store").put(files)
    assert got == FolderStore(tmp_path / "other").put(laid(tmp_path / "source"))


def test_a_hub_that_breaks_is_taken_up_again(hub: Web, tmp_path: Path) -> None:
    path = f"/ada/net/resolve/{COMMIT}/model.onnx"
    hub.dies_at, hub.deaths[path], hub.failing[path] = 1000, 2, 2
    assert len(FolderStore(tmp_path / "store").put(hub_tree(f"hf://ada/net@{COMMIT}")).files) == 3
    assert "bytes=1000-" in {asked for _, _, asked in hub.asked}


def test_a_hub_that_always_breaks_is_given_up(hub: Web, tmp_path: Path) -> None:
    hub.dies_at, hub.deaths[f"/ada/net/resolve/{COMMIT}/model.onnx"] = 0, 1000
    with pytest.raises(Refusal, match=r"the hub gives 0 of [0-9,]+ bytes of model\.onnx") as caught:
        FolderStore(tmp_path / "store").put(hub_tree(f"hf://ada/net@{COMMIT}"))
    assert caught.value.hint


@pytest.mark.parametrize(
    "rows",
    [
        "busy",
        [3],
        [{"type": "file"}],
        [{"type": "file", "path": "a"}],
        [{"type": "file", "path": "a", "size": "large"}],
        [{"type": "file", "path": "a", "size": 1, "lfs": "yes"}],
    ],
)
def test_what_is_no_list_of_files_is_said(hub: Web, rows: object) -> None:
    tree(hub, rows)
    with pytest.raises(Refusal, match="is no list of the files of ada/net"):
        hub_tree(f"hf://ada/net@{COMMIT}")


def test_a_list_without_end_is_not_taken(hub: Web) -> None:
    path = f"/api/models/ada/net/tree/{COMMIT}?recursive=true"
    more = {"Link": f'<http://127.0.0.1:{hub.port}{path}>; rel="next"'}
    del hub.answers[path]
    hub.replies[path] = (200, more, b"[]")
    with pytest.raises(Refusal, match="is no list of the files of ada/net"):
        hub_tree(f"hf://ada/net@{COMMIT}")
    del hub.replies[path]
    hub.endless.add(path)
    with pytest.raises(Refusal, match="more than 16,777,216 bytes"):
        hub_tree(f"hf://ada/net@{COMMIT}")
    assert hub.sent < 100_000_000


@pytest.mark.parametrize("following", ["http://[::1", "http://hub.example.com/", "/more"])
def test_a_page_that_leads_to_no_other_page_of_the_hub_is_said(hub: Web, following: str) -> None:
    path = f"/api/models/ada/net/tree/{COMMIT}?recursive=true"
    del hub.answers[path]
    hub.replies[path] = (200, {"Link": f'<{following}>; rel="next"'}, b'[{"type": "file", "path": "a"}]')
    with pytest.raises(Refusal, match="no list of the files"):
        hub_tree(f"hf://ada/net@{COMMIT}")


def test_a_name_that_means_something_in_an_address_is_asked_for_as_it_is(hub: Web, tmp_path: Path) -> None:
    tree(hub, [{"type": "file", "path": "a #1?x=%41.bin", "size": 1}])
    hub.answers[f"/ada/net/resolve/{COMMIT}/a%20%231%3Fx%3D%2541.bin"] = ("text/plain", b"x")
    (file,) = FolderStore(tmp_path / "store").put(hub_tree(f"hf://ada/net@{COMMIT}")).files
    assert (file.path, file.size) == ("a #1?x=%41.bin", 1)


def test_a_user_without_a_home_has_no_token(hub: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("HF_HOME")
    monkeypatch.setattr(Path, "home", homeless)
    assert hub_tree(f"hf://ada/net@{COMMIT}")
    assert oci_http._login("registry.example.com") is None


@pytest.mark.parametrize(
    "uri", ["hf://ada/net@main", "hf://ada/net", f"hf://ada@{COMMIT}", f"hf://a/../b@{COMMIT}"]
)
def test_what_moves_is_no_revision(uri: str) -> None:
    with pytest.raises(Refusal, match="is not hf://"):
        hub_tree(uri)


@pytest.mark.parametrize("path", ["../out", "/out", "a/../../b", "con"])
def test_no_path_of_a_hub_leads_out(hub: Web, path: str) -> None:
    tree(hub, [{"type": "file", "path": path, "size": 1}])
    with pytest.raises(Refusal):
        hub_tree(f"hf://ada/net@{COMMIT}")


def test_a_revision_that_is_not_there_is_said(hub: Web) -> None:
    with pytest.raises(Refusal, match="404"):
        hub_tree(f"hf://ada/net@{'1' * 40}")


def kept_by_lfs(hub: Web, digest: str) -> None:
    """Have the hub say that it keeps the model by LFS, under a digest."""
    size = len(SMALL["model.onnx"])
    lfs = {"oid": digest, "size": size, "pointerSize": 134}
    tree(hub, [{"type": "file", "path": "model.onnx", "size": size, "oid": "0" * 40, "lfs": lfs}])


def test_what_comes_is_compared_with_what_the_hub_says(hub: Web, tmp_path: Path) -> None:
    kept_by_lfs(hub, hashlib.sha256(SMALL["model.onnx"]).hexdigest())
    folder = hub_here(hub_tree(f"hf://ada/net@{COMMIT}"), tmp_path / "here")
    assert [(file.path, file.file.read_bytes()) for file in local_tree(folder)] == [
        ("model.onnx", SMALL["model.onnx"])
    ]
    kept_by_lfs(hub, "1" * 64)
    with pytest.raises(Refusal, match="did not come as the hub says"):
        hub_here(hub_tree(f"hf://ada/net@{COMMIT}"), tmp_path / "again")


def test_the_pages_of_a_list_have_a_limit_and_an_end(hub: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "_ANSWER", 200)
    with pytest.raises(Refusal, match="the hub answers with more than 200 bytes"):
        hub_tree(f"hf://ada/net@{COMMIT}")
    path = f"/api/models/ada/net/tree/{COMMIT}?recursive=true"
    del hub.answers[path]
    link = {"Link": f'<http://127.0.0.1:{hub.port}{path}>; rel="next"'}
    hub.replies[path] = (200, link, b"[]")
    with pytest.raises(Refusal, match="no list of the files"):
        hub_tree(f"hf://ada/net@{COMMIT}")
