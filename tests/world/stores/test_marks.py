"""What is needed is told from every branch, and read once: branches differ in little."""

from __future__ import annotations

import random
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from conftest import ROOT, Git, reference
from modelspec.spec.registry import Registry
from modelspec.world.stores import marks
from modelspec.world.worktree import WorkTree

LONG_AGO = "2020-01-01T00:00:00Z"
OLD = {"GIT_COMMITTER_DATE": LONG_AGO, "GIT_AUTHOR_DATE": LONG_AGO}
MODEL = "registry/models/eta/model.yaml"
STAGING = "registry/environments/staging/models/eta.yaml"
VERSIONS = sorted(path.stem for path in (ROOT / "registry/models/eta/versions").iterdir())


@pytest.fixture
def old(example: Path) -> Git:
    """The example, committed long ago: what a branch needs, it needs now."""
    repository = Git(example)
    repository("add", ".")
    repository("commit", "--quiet", "--message", "Long ago", **OLD)
    return repository


def commit(repository: Git) -> None:
    repository("add", "--all")
    repository("commit", "--quiet", "--allow-empty", "--message", "Branch", **OLD)
    repository("reflog", "expire", "--expire=now", "--all")


def needed(root: Path) -> frozenset[str]:
    with WorkTree(root) as tree:
        return marks.marks(root, Registry(tree), datetime.now(UTC))


def retired(root: Path, versions: list[str]) -> None:
    rows = [
        f"  - {{version: {reference(root, 'eta', one)}, state: archived, reason: old}}" for one in versions
    ]
    text = (root / MODEL).read_text()
    (root / MODEL).write_text(
        text.replace("retired: []", "\n".join(["retired:", *rows]) if rows else "retired: []")
    )


@pytest.mark.parametrize("seed", range(6))
def test_what_branches_have_in_common_is_needed_as_if_each_was_read_whole(
    old: Git, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    chance = random.Random(seed)
    for number in range(6):
        old("checkout", "--quiet", "-B", f"branch-{number}", "main")
        retired(old.root, [one for one in VERSIONS if chance.random() < 0.8])
        pinned = (old.root / STAGING).read_text().rpartition("version: ")[0]
        (old.root / STAGING).write_text(
            f"{pinned}version: {reference(old.root, 'eta', chance.choice(VERSIONS))}\n"
        )
        for one in VERSIONS:
            if chance.random() < 0.5:
                (old.root / f"registry/models/eta/versions/{one}.yaml").unlink()
        if chance.random() < 0.3:
            shutil.rmtree(old.root / "registry/environments")
        commit(old)
    old("checkout", "--quiet", "branch-0")
    old("branch", "--quiet", "-D", "main")
    found = needed(old.root)
    monkeypatch.setattr(marks, "_changed", lambda *_: [()])
    assert found == needed(old.root)


def test_what_many_branches_have_in_common_is_read_once(old: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(20):
        old("checkout", "--quiet", "-B", f"branch-{number}", "main")
        text = (old.root / MODEL).read_text()
        (old.root / "registry/models/others").mkdir(parents=True)
        (old.root / "registry/models/others/model.yaml").write_text(text.replace("eta", f"other{number}"))
        commit(old)
    before, asked = needed(old.root), []
    version = marks._Marks.version

    def counted(found: marks._Marks, *what: object) -> None:
        asked.append(what)
        version(found, *what)  # type: ignore[arg-type]

    monkeypatch.setattr(marks._Marks, "version", counted)
    assert needed(old.root) == before
    # By the work tree, one tip, the history and the index; not by each of the branches.
    assert len(asked) < 6 * len(list(old.root.glob("registry/models/*/versions/*")))
