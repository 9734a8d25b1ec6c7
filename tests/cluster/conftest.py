"""The cluster that tests of this folder share, and the command with its kubectl on PATH."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from cluster.cluster import TOOLS, Cluster, missing
from conftest import GIT_ENV, Run


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Start one cluster for all tests."""
    if (lacks := missing()) is not None:
        pytest.skip(lacks)
    started = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        started.start()
        yield started
    finally:
        started.stop()


@pytest.fixture(autouse=True)
def _who(monkeypatch: pytest.MonkeyPatch) -> None:
    """Say who commits, to the command as well."""
    for name, value in GIT_ENV.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def seeing(modelspec: Run, cluster: Cluster) -> Callable[..., CompletedProcess[str]]:
    """Run the command where kubectl reaches the cluster."""

    def run(*arguments: str, cwd: Path) -> CompletedProcess[str]:
        path = f"{TOOLS}{os.pathsep}{os.environ['PATH']}"
        return modelspec(*arguments, cwd=cwd, env={"PATH": path, "KUBECONFIG": str(cluster.kubeconfig)})

    return run
