"""Argo CD's Application as docs/deploy.md has it: its definition takes it, and its history is read with kubectl.

Argo CD itself does not run here: its part, the status, is written by the test, by the definition's rules.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from subprocess import CompletedProcess
from typing import Any

import pytest
import yaml

from cluster.cluster import Cluster
from conftest import ROOT, Git

pytestmark = pytest.mark.cluster
See = Callable[..., CompletedProcess[str]]


def test_what_it_applied_is_seen_live(git: Git, cluster: Cluster, seeing: See) -> None:
    text = (ROOT / "docs" / "deploy.md").read_text().partition("## Argo CD")[2]
    application: dict[str, Any] = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)[0])
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "argocd"}}, application)
    commit, deployed = git("rev-parse", "HEAD"), git("show", "--no-patch", "--format=%cI", "HEAD")
    entry = {"id": 0, "revision": commit, "deployedAt": deployed, "source": application["spec"]["source"]}
    status = {"history": [entry], "health": {"status": "Healthy"}}
    cluster.kubectl(
        "patch", "applications.argoproj.io", "models-production", "--namespace=argocd", "--type=merge",
        "--patch", json.dumps({"status": status}),
    )  # fmt: skip

    looked = seeing(
        "observe",
        "--env",
        "production",
        "kubectl:applications.argoproj.io",
        "--namespace",
        "argocd",
        cwd=git.root,
    )
    assert looked.returncode == 0, looked.stdout + looked.stderr
    found = seeing("receipts", "list", "production", "eta", "--format", "json", cwd=git.root)
    (stretch,) = json.loads(found.stdout)["stretches"]
    assert (stretch["commit"], stretch["sources"]) == (commit, ["argocd"])
    assert stretch["slots"][0]["version"] == "2.3.0"
