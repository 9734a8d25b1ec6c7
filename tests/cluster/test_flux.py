"""Real Flux brings what is committed into the cluster, and its own records say which commit served when."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import CompletedProcess
from threading import Thread
from typing import Any

import pytest
import yaml

from cluster.cluster import Cluster, until
from conftest import ROOT, Git, edit, reference

pytestmark = pytest.mark.cluster
See = Callable[..., CompletedProcess[str]]
PIN = "registry/environments/production/models/eta.yaml"
NAMESPACE = "delivered"
"""Other tests have the one that the page names."""


def test_the_manifests_of_docs_deploy_bring_a_promotion_and_its_revert(
    git: Git, cluster: Cluster, seeing: See
) -> None:
    root = git.root
    compiled(git, seeing, "Compile")
    with served(root) as address:
        cluster.start_flux()
        for name in ("flux-system", NAMESPACE):
            cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        for document in documented(address):
            cluster.apply(document)
        until(lambda: applied(cluster) == git("rev-parse", "HEAD"), "Flux applied the first commit")
        until(lambda: stamp(cluster) == digest(root, "2.3.0"), "2.3.0 is served")
        look(seeing, root)

        edit(root, PIN, reference(root, "eta", "2.3.0"), reference(root, "eta", "2.3.1"))
        compiled(git, seeing, "Promote eta to 2.3.1")
        promotion = git("rev-parse", "HEAD")
        until(lambda: applied(cluster) == promotion, "Flux applied the promotion")
        until(lambda: stamp(cluster) == digest(root, "2.3.1"), "2.3.1 is served")
        look(seeing, root)
        assert seeing("wait", "eta", "production", "2.3.1", "--timeout", "5s", cwd=root).returncode == 0

        git("revert", "--no-edit", promotion)
        until(lambda: applied(cluster) == git("rev-parse", "HEAD"), "Flux applied the revert")
        until(lambda: stamp(cluster) == digest(root, "2.3.0"), "2.3.0 is served again")
        look(seeing, root)
    assert seeing("drift", "production", cwd=root).returncode == 0
    listed = seeing("receipts", "list", "production", "eta", cwd=root).stdout
    assert re.findall(r"stable (\S+)", listed) == ["2.3.0", "2.3.1", "2.3.0"], listed


def compiled(git: Git, seeing: See, message: str) -> None:
    """Compile and commit what is compiled, with whatever else has changed."""
    done = seeing("compile", cwd=git.root)
    assert done.returncode == 0, done.stderr
    git.commit(message)


def documented(address: str) -> Iterator[dict[str, Any]]:
    """Yield the objects of docs/deploy.md for Flux, with the address and namespace of this test, and quicker looks."""
    text = (ROOT / "docs" / "deploy.md").read_text().partition("## Flux")[2]
    block = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)[0]
    for document in yaml.safe_load_all(block):
        document["spec"]["interval"] = "2s"
        if document["kind"] == "GitRepository":
            document["spec"]["url"] = address
        else:
            document["spec"]["targetNamespace"] = NAMESPACE
        yield document


def applied(cluster: Cluster) -> str | None:
    """Return the commit that Flux applied last, once it is healthy."""
    cluster.accept_routes()
    found = cluster.get(
        "kustomizations.kustomize.toolkit.fluxcd.io", "models-production", namespace="flux-system"
    )
    status = (found or {}).get("status", {})
    ready = [one["status"] for one in status.get("conditions", ()) if one["type"] == "Ready"]
    named = str(status.get("lastAppliedRevision", "")).rpartition(":")[2]
    return named if ready == ["True"] else None


def stamp(cluster: Cluster) -> str | None:
    """Return the stamp that all pods of eta carry, None while they differ."""
    pods = cluster.get("pods", "--selector=modelspec/model=eta", namespace=NAMESPACE)["items"]
    found = {pod["metadata"]["annotations"]["modelspec/stamp"] for pod in pods}
    return str(found.pop()) if len(found) == 1 else None


def digest(root: Path, version: str) -> str:
    return reference(root, "eta", version).partition("@")[2].replace(":", "-")


def look(seeing: See, root: Path) -> None:
    source = "kubectl:kustomizations.kustomize.toolkit.fluxcd.io"
    looked = seeing("observe", "--env", "production", source, "--namespace", "flux-system", cwd=root)
    assert looked.returncode == 0, looked.stdout + looked.stderr


@contextmanager
def served(repository: Path) -> Iterator[str]:
    """Serve a repository by git's own HTTP program; gives its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(b"")

        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers["Content-Length"])))

        def _answer(self, given: bytes) -> None:
            path, _, query = self.path.partition("?")
            asked = {
                "GIT_PROJECT_ROOT": str(repository),
                "GIT_HTTP_EXPORT_ALL": "1",
                "REQUEST_METHOD": self.command,
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(given)),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            }
            done = subprocess.run(
                ["git", "http-backend"], env=os.environ | asked, input=given, capture_output=True, check=False
            )
            head, _, body = done.stdout.partition(b"\r\n\r\n")
            headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
            self.send_response(int(headers.pop("Status", "200").split()[0]))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/.git"
    finally:
        server.shutdown()
        server.server_close()
