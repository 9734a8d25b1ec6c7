"""Stores that can't be reached: said after seconds, with the endpoint and without what may be secret."""

from __future__ import annotations

import sys
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from modelspec.tree.finding import Refusal
from modelspec.world import tracking_http, waiting
from modelspec.world.stores import client, hub, logins, retried, systems, web
from modelspec.world.stores.opening import remote_store
from world.stores.servers import free_port, mute, silent

pytest.importorskip("httpx", reason="OCI stores need the oci extra")
S3FileSystem = pytest.importorskip("s3fs", reason="S3 stores need the s3 extra").S3FileSystem
HTTPFileSystem = pytest.importorskip("fsspec.implementations.http").HTTPFileSystem
TREE = "sha256:" + "0" * 64
STORES = ("s3://bucket/store", "http://127.0.0.1:{port}/store", "oci://127.0.0.1:{port}/models")


def refused(address: str, port: int, monkeypatch: pytest.MonkeyPatch) -> tuple[str, float]:
    """Return what is said of a store at a port, and after how many seconds."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}/hidden")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "hidden")
    for system in (S3FileSystem, HTTPFileSystem):
        system.clear_instance_cache()
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
    for module in (systems, client, web):
        monkeypatch.setattr(module, "CONNECT", 0.5)
    with silent() as port:
        said, took = refused(address, port, monkeypatch)
    assert "2 times" in said and took < 15


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Minutes are seconds."""
    for module in (systems, client, web):
        monkeypatch.setattr(module, "READ", 1.0)
    monkeypatch.setattr(logins, "_PATIENCE", 1)
    monkeypatch.setattr(waiting, "LONG", 0.2)
    monkeypatch.setattr(waiting, "_SAID", set())


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(
    "address", [*STORES, "sftp://127.0.0.1:{port}/store", "ftp://127.0.0.1:{port}/store"]
)
def test_a_server_that_says_nothing_is_asked_twice_and_that_is_said(
    address: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    if address.startswith("sftp"):
        pytest.importorskip("paramiko")
    with mute() as port:
        said, took = refused(address, port, monkeypatch)
    assert "2 times" in said and took < 8
    assert "is still being read, after 0 s\n" in capfd.readouterr().err


@pytest.mark.usefixtures("hasty")
def test_a_hub_and_a_tracking_server_that_say_nothing_are_given_up(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with mute() as port:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{port}")
        with pytest.raises(Refusal, match="2 times"):
            hub.hub_tree("hf://ada/net@" + "0" * 40)
        assert "ada/net is still being read from the hub" in capfd.readouterr().err
        with pytest.raises(Refusal, match="can't be reached: ReadTimeout"):
            tracking_http.Server(f"http://127.0.0.1:{port}").run("0" * 32)
        assert "is still being asked" in capfd.readouterr().err


def test_an_answer_that_stops_is_given_up_by_the_time_that_it_was_silent(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(retried, "READ", 0.2)
    monkeypatch.setattr(retried, "LONG", 0.1)
    monkeypatch.setattr(waiting, "_SAID", set())
    asked = 0

    def read(start: int) -> Generator[bytes]:
        nonlocal asked
        asked += 1
        yield from (b"begun",) if start == 0 else ()
        time.sleep(0.25)
        raise OSError

    with pytest.raises(Refusal, match="gives 5 of 9 bytes of a file, and no more"):
        list(retried.resumed("it", 9, read, (OSError,)))
    assert asked == 2


def test_who_is_not_logged_in_is_told_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    S3FileSystem.clear_instance_cache()
    with pytest.raises(Refusal, match="NoCredentialsError") as refused:
        remote_store("s3://bucket/store").exists(TREE)
    assert "log in where your credentials come from" in (refused.value.hint or "")
