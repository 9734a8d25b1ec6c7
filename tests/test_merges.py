"""Fifty pull requests, each promoting another model, merged with real git: nothing of it conflicts."""

from __future__ import annotations

import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT, Git, Run, reference
from modelspec.api.build import build
from modelspec.compile.render import HoleRenderer
from modelspec.spec.registry import Registry
from modelspec.world.swap import replace_tree
from modelspec.world.worktree import WorkTree

MODELS = 50
ENVIRONMENT = "staging"
PINS = f"registry/environments/{ENVIRONMENT}/models"


def compile_here(root: Path, model: str | None = None) -> None:
    """What `modelspec compile` does, without fifty starts of Python."""
    with WorkTree(root) as tree:
        built = build(
            Registry(tree), renderer=HoleRenderer(), trusted=frozenset(), environment=ENVIRONMENT, model=model
        )
    assert not built.blocked, built.findings
    replace_tree(root, built.outputs, built.scope)


@pytest.fixture
def repository(tmp_path: Path) -> Git:
    """Fifty models with three versions each, all pinned in one environment, with `compiled/` committed."""
    root = tmp_path / "registry"
    size = ["--models", str(MODELS), "--versions", "3", "--environments", "1", "--seed", "3"]
    generate = [sys.executable, str(ROOT / "benchmarks" / "generate.py"), *size, str(root)]
    subprocess.run(generate, check=True, capture_output=True)
    git = Git(root)
    compile_here(root)
    git.commit("Compile")
    return git


def promote(git: Git, model: str) -> None:
    """Open a pull request: a branch from the first main with one pin moved and its outputs."""
    git("checkout", "--quiet", "-b", f"promote/{model}", "start")
    pin = git.root / PINS / f"{model}.yaml"
    pinned = re.search(r"stable:\n +version: (\S+)@", pin.read_text())
    assert pinned is not None
    versions = sorted(path.stem for path in (git.root / f"registry/models/{model}/versions").iterdir())
    other = versions[versions.index(pinned[1]) - 1]
    old, new = (reference(git.root, model, version) for version in (pinned[1], other))
    pin.write_text(pin.read_text().replace(old, new))
    compile_here(git.root, model)
    git.commit(f"Promote {model}")


def test_fifty_promotions_merge_in_any_order_and_each_reverts_cleanly(
    repository: Git, modelspec: Run
) -> None:
    git, chance = repository, random.Random(20261124)
    git("tag", "start")
    models = sorted(path.stem for path in (git.root / PINS).iterdir())
    assert len(models) == MODELS
    for model in models:
        promote(git, model)

    git("checkout", "--quiet", "main")
    for model in chance.sample(models, MODELS):
        # A conflict is an exit code of 1, and raises.
        git("merge", "--quiet", "--no-ff", "--no-edit", f"promote/{model}")
    changed = git("diff", "--name-only", "start", "main", "--", PINS).splitlines()
    assert len(changed) == MODELS
    done = modelspec("compile", "--check", cwd=git.root)
    assert done.returncode == 0, done.stdout

    merges = git("log", "--merges", "--first-parent", "--format=%H", "main").splitlines()
    assert len(merges) == MODELS
    for at, merge in enumerate(chance.sample(merges, MODELS)):
        git("revert", "--mainline", "1", "--no-edit", merge)
        if at == MODELS // 2:
            done = modelspec("compile", "--check", cwd=git.root)
            assert done.returncode == 0, done.stdout
    assert git("rev-parse", "main^{tree}") == git("rev-parse", "start^{tree}")
