"""`register gs://...`: nothing is copied, each object is pinned by its generation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from conftest import Git, Run, edit, reference
from modelspec.tree.yaml import read
from register.conftest import MODEL, Register, register, shop
from world.stores.google import endpoint

gcsfs = pytest.importorskip("gcsfs", reason="pip install gcsfs")
__all__ = ["endpoint", "register", "shop"]

NEW = "registry/models/eta/versions/3.0.1.yaml"
STAGING = "registry/environments/staging/models/eta.yaml"


def test_a_version_stays_where_it_is_and_is_read_from_there(
    register: Register, shop: Git, endpoint: str, invoke: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", endpoint)
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    bucket = gcsfs.GCSFileSystem(use_listings_cache=False)
    uri = "gs://models/eta/model.onnx"
    bucket.pipe_file(uri, MODEL.read_bytes())
    bucket.pipe_file("gs://models/trips/rows.csv", b"distance,minutes")
    done = register("3.0.1", artifact=uri, dataset="gs://models/trips")
    assert done.returncode == 0, done.stderr
    data: Any
    data, _ = read((shop.root / NEW).read_bytes())
    [file] = data["artifact"]["files"]
    assert (data["artifact"]["uri"], file["object"]) == (uri, bucket.info(uri)["generation"])
    assert invoke("check", cwd=shop.root).returncode == 0
    asked = invoke("verify", "eta@3.0.1", "--network", "--format", "json", cwd=shop.root)
    assert json.loads(asked.stdout)["versions"][0]["levels"]["artifact"] == "verified", asked.stdout

    edit(shop.root, STAGING, reference(shop.root, "eta", "3.0.0"), reference(shop.root, "eta", "3.0.1"))
    edit(shop.root, STAGING, "  mlserver: {}\n", "")
    compiled = invoke("compile", "staging", cwd=shop.root)
    assert compiled.returncode == 0, compiled.stdout + compiled.stderr
    service = (shop.root / "compiled/staging/models/eta/kserve/inference-service.yaml").read_text()
    assert f"storageUri: {uri}\n" in service

    bucket.pipe_file(uri, b"something else")
    found = invoke("verify", "eta@3.0.1", "--network", cwd=shop.root)
    assert found.returncode == 1 and "was overwritten" in found.stdout
    assert invoke("fetch", "eta@3.0.1", str(tmp_path / "out"), cwd=shop.root).returncode == 0
    assert (tmp_path / "out/model.onnx").read_bytes() == MODEL.read_bytes()
    bucket.pipe_file("gs://plain/model.onnx", MODEL.read_bytes())
    refused = register("3.0.2", artifact="gs://plain/model.onnx", dataset="gs://models/trips")
    assert refused.returncode == 3 and "does not count the versions" in refused.stderr
