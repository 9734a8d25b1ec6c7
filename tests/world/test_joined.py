"""A change laid over a base that moved on, against what git itself makes of the same two branches."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from conftest import Git
from modelspec.world.git import open_repository
from modelspec.world.gittree import GitSnapshot
from modelspec.world.joined import common_to
from world.trees import put

FILES = ("registry/a", "registry/b", "compiled/c")


@pytest.fixture
def repository(tmp_path: Path) -> Git:
    root = tmp_path / "repository"
    root.mkdir()
    git = Git(root)
    git("config", "merge.renames", "false")
    for path in FILES:
        put(root, path, f"{path}\n")
    git.commit("first")
    git("branch", "other")
    return git


def joined(git: Git, ours: str, theirs: str) -> tuple[dict[str, bytes | None], tuple[str, ...]]:
    """What each file is once `ours` is laid over `theirs`, and what stands in the way."""
    found, prefix, _ = open_repository(str(git.root))
    one, two = found.resolve(ours), found.resolve(theirs)
    with GitSnapshot(found, two, prefix) as below:
        common = common_to(found, below, prefix, two, one)
        assert common is not None
        head, conflicts = common.merged(below.at(one), below)
        blobs = {path: head.get(path) for path in FILES}
        return {path: None if blob is None else bytes(blob.read()) for path, blob in blobs.items()}, conflicts  # type: ignore[arg-type]


def merge(git: Git, other: str, keep: str) -> None:
    """Merge, and where git asks take all of one side."""
    if git("merge", "--quiet", "--no-ff", "--no-edit", other, check=False, LANG="C") or git("ls-files", "-u"):
        git("merge", "--abort", check=False)
        git("merge", "--quiet", "--no-ff", "--no-edit", "-s", "ours", other)
        if keep == "theirs":
            git("checkout", other, "--", ".")
            git("commit", "--quiet", "--amend", "--no-edit")


def test_what_two_merges_decided_differently_is_a_conflict(repository: Git) -> None:
    put(repository.root, FILES[0], "main\n")
    main = repository.commit("main")
    repository("switch", "--quiet", "other")
    put(repository.root, FILES[0], "other\n")
    other = repository.commit("other")
    repository("merge", "--quiet", "--no-edit", "-s", "ours", main)
    repository("switch", "--quiet", "main")
    repository("merge", "--quiet", "--no-edit", "-s", "ours", other)
    assert len(repository("merge-base", "--all", "main", "other").split()) == 2
    for ours, theirs in (("main", "other"), ("other", "main")):
        assert joined(repository, ours, theirs)[1] == (FILES[0],)


@pytest.mark.parametrize("seed", range(12))
def test_files_are_joined_as_git_joins_them(repository: Git, seed: int) -> None:
    draw = random.Random(seed)
    for step in range(14):
        here, there = draw.sample(("main", "other"), 2)
        repository("switch", "--quiet", here)
        if draw.random() < 0.35:
            merge(repository, there, draw.choice(("ours", "theirs")))
        else:
            put(repository.root, draw.choice(FILES), f"{draw.randrange(3)}\n")
            repository.commit(f"step {step}")
    for ours, theirs in (("main", "other"), ("other", "main")):
        tree, *conflicted = repository(
            "merge-tree", "--write-tree", "--name-only", "--no-messages", theirs, ours, check=False
        ).split("\n")
        found, conflicts = joined(repository, ours, theirs)
        assert sorted(conflicts) == sorted(filter(None, conflicted))
        for path in set(FILES) - set(conflicts):
            assert found[path] == (repository("show", f"{tree}:{path}") + "\n").encode()


def test_a_file_that_is_none_of_the_registry_is_in_nobodys_way(repository: Git) -> None:
    put(repository.root, "README.md", "main\n")
    repository.commit("main")
    repository("switch", "--quiet", "other")
    put(repository.root, "README.md", "other\n")
    put(repository.root, FILES[1], "other\n")
    repository.commit("other")
    found, conflicts = joined(repository, "other", "main")
    assert conflicts == () and found[FILES[1]] == b"other\n"
