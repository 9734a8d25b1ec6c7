"""`derive --all` of a registry with more pinned models than Python nests calls."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from modelspec.api.derive import Setting, derive_all
from modelspec.change.proposal import Proposal
from modelspec.spec.registry import Registry
from modelspec.tree.snapshot import DictSnapshot
from rules.cases import ground

MODEL, OWNER = "registry/models/eta/versions/1.2.0.yaml", "registry/models/eta/model.yaml"
PIN = "registry/environments/staging/models/eta.yaml"


@pytest.fixture
def shallow() -> Iterator[int]:
    """The most calls in one another, fewer than usual: a test with fewer models is a shorter one."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(400)
    yield 400
    sys.setrecursionlimit(before)


def test_every_pinned_model_gets_its_next_version(shallow: int) -> None:
    files, count = dict(ground()), shallow
    for number in range(count):
        for path in (MODEL, OWNER, PIN):
            copy = path.replace("eta", f"m{number}", 1)
            files[copy] = files[path].replace(b"model: eta", b"model: m%d" % number).replace(
                b"name: eta", b"name: m%d" % number
            )  # fmt: skip
    settings = [Setting("config.hyperparameters.depth", "9", 9, 9)]
    found = derive_all(Registry(DictSnapshot(files)), settings, {})
    assert isinstance(found, Proposal), found
    assert len([path for path in found.patch if path.startswith("registry/models/m")]) == count
