"""A server that stands in for Google's buckets."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator

import pytest

from world.stores.servers import free_port, needed, running


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its address; it has two buckets, of which `models` keeps older objects and `plain` does not."""
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
