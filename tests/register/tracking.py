"""A server on loopback that answers as MLflow's tracking server does."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest

from register.brought import RUN


class Answers(BaseHTTPRequestHandler):
    """The part of the tracking server's REST API that is asked."""

    files: ClassVar[dict[str, bytes]] = {}
    sizes: ClassVar[dict[str, int]] = {}
    """What is listed for a file in place of its own size."""
    logged: ClassVar[dict[str, tuple[str, dict[str, bytes]]]] = {}
    source: ClassVar[str] = f"runs:/{RUN}/model"
    packed: ClassVar[bool] = False

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {key: value[0] for key, value in parse_qs(url.query).items()}
        call = url.path.removeprefix("/api/2.0/mlflow/")
        data: object
        if call == "model-versions/get":
            data = {"model_version": {"source": self.source, "run_id": RUN}}
        elif call == "runs/get":
            data = {
                "run": {
                    "data": {
                        "params": [{"key": "depth", "value": "3"}],
                        "metrics": [{"key": "mae", "value": 1.5}],
                        "tags": [],
                    },
                    "outputs": {"model_outputs": [{"model_id": model} for model in self.logged]},
                }
            }
        elif call == "artifacts/list":
            data = {
                "files": [
                    {"path": path, "is_dir": False, "file_size": str(self.sizes.get(path, len(content)))}
                    for path, content in self.files.items()
                ]
            }
        elif call.startswith("logged-models/"):
            _, model, *rest = call.split("/")
            name, files = self.logged[model]
            data = {"model": {"info": {"name": name, "source_run_id": RUN}}}
            if rest:
                data = {"files": [{"path": path, "is_dir": False} for path in files]}
        elif call.startswith("/ajax-api/2.0/mlflow/logged-models/"):
            data = self.logged[call.split("/")[5]][1][query["artifact_file_path"]]
        elif call == "/get-artifact":
            data = self.files[query["path"]]
        else:
            self.send_error(404)
            return
        body = data if isinstance(data, bytes) else json.dumps(data).encode()
        self.send_response(200)
        if self.packed and isinstance(data, bytes):
            body = gzip.compress(body)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    """A server on loopback that answers as MLflow's does."""
    Answers.files, Answers.logged, Answers.source = {}, {}, f"runs:/{RUN}/model"
    Answers.packed = False
    httpd = HTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{httpd.server_port}"
    httpd.shutdown()
    httpd.server_close()
