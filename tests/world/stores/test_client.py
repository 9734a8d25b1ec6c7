"""The HTTP client as an environment sets it up: what it can't use is said, with its cure and no secret."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from modelspec.tree.finding import Refusal
from modelspec.world.stores.client import http_client
from modelspec.world.stores.hub import hub_tree
from modelspec.world.stores.oci import oci_store
from modelspec.world.tracking_http import Server

pytest.importorskip("httpx")
WORD = "hunter2"


def open_all() -> None:
    http_client("a server", "oci")
    oci_store("oci://127.0.0.1:9/models")
    Server("http://127.0.0.1:9")


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("HTTPS_PROXY", f"gopher://ada:{WORD}@proxy:1", "proxy of this machine's environment has no address"),
        ("ALL_PROXY", f"http://ada:{WORD}@proxy:nine", "proxy of this machine's environment has no address"),
        (
            "SSL_CERT_FILE",
            "/nonexistent",
            "certificates of this machine's environment can't be read: no such",
        ),
    ],
)
def test_what_an_environment_says_wrong_is_refused(
    variable: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(Refusal, match=said) as refused:
        open_all()
    assert variable in (refused.value.hint or "")
    assert WORD not in refused.value.message + (refused.value.hint or "")


@pytest.mark.skipif(importlib.util.find_spec("socksio") is not None, reason="SOCKS can be spoken here")
def test_a_proxy_that_needs_another_package_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    with pytest.raises(Refusal, match="speaks SOCKS") as refused:
        open_all()
    assert "httpx[socks]" in (refused.value.hint or "")


@pytest.mark.parametrize("token", ["hemlig-å", f"{WORD}\nX-Other: 1"])
def test_a_token_that_no_header_holds_is_refused(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", token)
    for asked in (lambda: hub_tree("hf://ada/net@" + "0" * 40), lambda: Server("http://127.0.0.1:9")):
        with pytest.raises(Refusal, match="characters that no token has") as refused:
            asked()
        assert token not in refused.value.message


@pytest.mark.parametrize("address", ["http://[::1", "huggingface.co", "http://host:port"])
def test_an_endpoint_that_is_no_address_is_refused(
    address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setenv("HF_ENDPOINT", address)
    with pytest.raises(Refusal, match="HF_ENDPOINT is no address of a server"):
        hub_tree("hf://ada/net@" + "0" * 40)
