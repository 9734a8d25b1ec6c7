"""Stores that can't be reached: said after seconds, with the endpoint and without what may be secret."""

from __future__ import annotations

import sys
import time

import pytest

from modelspec.tree.finding import Refusal
from modelspec.world.stores import oci_http, systems, web
from modelspec.world.stores.opening import remote_store
from world.stores.servers import free_port, silent

pytest.importorskip("httpx", reason="OCI stores need the oci extra")
S3FileSystem = pytest.importorskip("s3fs", reason="S3 stores need the s3 extra").S3FileSystem
TREE = "sha256:" + "0" * 64
STORES = ("s3://bucket/store", "http://127.0.0.1:{port}/store", "oci://127.0.0.1:{port}/models")


def refused(address: str, port: int, monkeypatch: pytest.MonkeyPatch) -> tuple[str, float]:
    """Return what is said of a store at a port, and after how many seconds."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}/hidden")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "hidden")
    S3FileSystem.clear_instance_cache()
    store = remote_store(address.format(port=port))
    begin = time.monotonic()
    with pytest.raises(Refusal) as error:
        store.exists(TREE)
    assert f"127.0.0.1:{port}" in error.value.message and "hidden" not in error.value.message
    return error.value.message, time.monotonic() - begin


@pytest.mark.parametrize("address", STORES)
def test_nobody_there_is_said_after_seconds(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    said, took = refused(address, free_port(), monkeypatch)
    assert "5 times" in said and took < 15


@pytest.mark.skipif(sys.platform != "linux", reason="other systems answer")
@pytest.mark.parametrize("address", STORES)
def test_no_answer_at_all_is_waited_for_twice(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (systems, oci_http, web):
        monkeypatch.setattr(module, "CONNECT", 0.5)
    with silent() as port:
        said, took = refused(address, port, monkeypatch)
    assert "2 times" in said and took < 15
