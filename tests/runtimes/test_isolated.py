"""A version that is asked in an environment of its own: only the file that its artifact has."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from conftest import edit
from modelspec.runtimes.isolated import IsolatedReplay
from modelspec.spec.kinds import VERSION
from modelspec.spec.registry import Registry
from modelspec.tree.finding import Refusal
from modelspec.world.worktree import WorkTree


@pytest.mark.parametrize("path", ["model.onnx", "../../model.onnx"])
def test_no_file_outside_of_the_artifact_is_asked(example: Path, path: str) -> None:
    edit(example, "registry/models/eta/versions/2.3.1.yaml", "path: model.onnx", f"path: {path}")
    with WorkTree(example) as tree:
        entry = Registry(tree).value(VERSION, "eta", "2.3.1")
    assert entry is not None
    if path == "model.onnx":
        IsolatedReplay(entry.value, sys.executable, example)
        return
    with pytest.raises(Refusal, match="lists another file than its artifact has"):
        IsolatedReplay(entry.value, sys.executable, example)
