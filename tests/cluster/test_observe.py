"""From a commit to what a cluster serves and back again, looked at with kubectl."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from cluster.cluster import Cluster, until
from conftest import Git, edit, reference

pytestmark = pytest.mark.cluster
See = Callable[..., CompletedProcess[str]]
SOURCE = "kubectl:inferenceservices,pods"


def test_a_promotion_and_its_revert_are_seen_live(git: Git, cluster: Cluster, seeing: See) -> None:
    root = git.root
    deploy(cluster, seeing, root)
    git.commit("Compile")
    until(lambda: served(cluster, seeing, root) == "2.3.0", "2.3.0 is served")
    assert seeing("drift", "production", cwd=root).returncode == 0

    old, new = reference(root, "eta", "2.3.0"), reference(root, "eta", "2.3.1")
    edit(root, "registry/environments/production/models/eta.yaml", old, new)
    deploy(cluster, seeing, root)
    git.commit("Promote eta to 2.3.1")
    until(lambda: served(cluster, seeing, root) == "2.3.1", "2.3.1 is served")
    assert seeing("wait", "eta", "production", "2.3.1", "--timeout", "5s", cwd=root).returncode == 0

    git("revert", "--no-edit", "HEAD")
    deploy(cluster, seeing, root)
    until(lambda: served(cluster, seeing, root) == "2.3.0", "2.3.0 is served again")
    assert seeing("drift", "production", cwd=root).returncode == 0
    found = seeing("receipts", "list", "production", "eta", "--format", "json", cwd=root)
    versions = [one["slots"][0]["version"] for one in json.loads(found.stdout)["stretches"]]
    assert versions == ["2.3.0", "2.3.1", "2.3.0"]


def deploy(cluster: Cluster, seeing: See, root: Path) -> None:
    """Compile production and apply what eta's kserve target wrote."""
    done = seeing("compile", "production", cwd=root)
    assert done.returncode == 0, done.stderr
    cluster.apply(*sorted((root / "compiled/production/models/eta/kserve").glob("*.yaml")))


def served(cluster: Cluster, seeing: See, root: Path) -> str | None:
    """Look, and return the version of eta that the newest receipt shows in `stable`."""
    cluster.accept_routes()
    looked = seeing("observe", "--env", "production", SOURCE, "--namespace", "default", cwd=root)
    assert looked.returncode == 0, looked.stdout + looked.stderr
    found = seeing("receipts", "list", "production", "eta", "--format", "json", cwd=root)
    stretches = json.loads(found.stdout)["stretches"]
    return str(stretches[0]["slots"][0]["version"]) if stretches else None
