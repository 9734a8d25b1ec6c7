"""The filters of changed paths deny no commit that changed a path, and what they leave is what git finds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from conftest import Git
from modelspec.world.changedpaths import _murmur3, filters
from modelspec.world.commitgraph import read_graph
from modelspec.world.git import open_repository
from modelspec.world.history import GitHistory
from modelspec.world.timeline import Timeline

INFO = Path(".git/objects/info")
START = datetime(2026, 1, 1, tzinfo=UTC)
WRITE = ("commit-graph", "write", "--reachable", "--changed-paths")
PATHS = [f"r/{folder}/{name}" for folder in ("a", "ab", "b/c") for name in ("1.yaml", "2.yaml", "é.yaml")]


def change(git: Git, random: Random, hour: int) -> None:
    """Write or remove a few files, and commit; now and then by a merge."""
    aside = random.random() < 0.2
    if aside:
        git("checkout", "--quiet", "-b", f"side{hour}")
    for path in random.sample(PATHS, random.randrange(1, 4)):
        file = git.root / path
        if file.exists() and random.random() < 0.3:
            file.unlink()
        else:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(str(random.random()))
    git("add", "--all")
    date = (START + timedelta(hours=hour)).isoformat()
    dates = {"GIT_COMMITTER_DATE": date, "GIT_AUTHOR_DATE": date}
    git("commit", "--quiet", "--allow-empty", "-m", "x", **dates)
    if aside:
        git("checkout", "--quiet", "main")
        git("merge", "--quiet", "--no-ff", "-m", "m", f"side{hour}", **dates)


@pytest.fixture
def past(repository: Git) -> Git:
    random = Random(5)
    for hour in range(40):
        change(repository, random, hour)
    return repository


def told(git: Git, prefix: str = "") -> dict[str, list[tuple[str, str | None]]]:
    """Return the commits and blobs of each file and folder, as the history tells them."""
    repository, _, _ = open_repository(str(git.root))
    found = {}
    with GitHistory(repository, repository.resolve("HEAD"), prefix) as log:
        for path in [*PATHS, "r/none", "r/a", "r/b"]:
            inside = path.removeprefix(f"{prefix}/") if prefix else path
            found[path] = [
                (touch.commit.id, touch.now.id if touch.now is not None else None)
                for touch in log.newest(inside)
            ]
    return found


def named(git: Git, path: str) -> list[str] | None:
    repository, _, _ = open_repository(str(git.root))
    return Timeline(repository, repository.resolve("HEAD")).maybe(path)


@pytest.mark.parametrize("prefix", ["", "r"])
def test_what_happened_is_the_same_with_and_without_filters(past: Git, prefix: str) -> None:
    plain = told(past, prefix)
    assert named(past, PATHS[0]) is None, "without a graph git looks at every commit"
    past(*WRITE)
    commits = named(past, PATHS[0])
    assert commits is not None
    assert len(plain[PATHS[0]]) <= len(commits) < int(past("rev-list", "--first-parent", "--count", "HEAD"))
    assert named(past, "r/none") is not None, "and a path that never was may be changed by no commit at all"
    assert told(past, prefix) == plain


def test_commits_that_came_after_the_graph_count_too(past: Git) -> None:
    past(*WRITE)
    random = Random(6)
    for hour in range(40, 44):
        change(past, random, hour)
    new = told(past)
    (past.root / INFO / "commit-graph").unlink()
    assert new == told(past)


def test_a_chain_of_graphs_has_filters_in_each_part(past: Git) -> None:
    past(*WRITE, "--split=no-merge")
    random = Random(7)
    for hour in range(40, 50):
        change(past, random, hour)
    past(*WRITE, "--split=no-merge")
    assert len((past.root / INFO / "commit-graphs/commit-graph-chain").read_text().split()) == 2
    assert named(past, PATHS[0]) is not None
    chained = told(past)
    past("-c", "core.commitGraph=false", "log", "-1")
    for file in (past.root / INFO / "commit-graphs").iterdir():
        file.unlink()
    assert chained == told(past)


def test_of_a_path_beyond_ascii_git_is_asked(past: Git) -> None:
    """The two versions of the filters' hash differ there."""
    past(*WRITE)
    assert named(past, "r/a/é.yaml") is None
    assert [path for path in PATHS if "é" in path and told(past)[path]]


def test_a_path_that_many_commits_change_is_left_to_git(past: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    past(*WRITE)
    plain = told(past)
    monkeypatch.setattr("modelspec.world.timeline._NAMED", (2, 0.1))
    assert named(past, "r") is None
    assert told(past) == plain


def test_a_graph_without_filters_or_with_one_that_lacks_denies_nothing(past: Git) -> None:
    past("commit-graph", "write", "--reachable")
    assert named(past, PATHS[0]) is None
    past(*WRITE, "--max-new-filters=3")
    graph = read_graph(past.root / INFO, "sha1")
    assert graph is not None
    assert graph.maybe(PATHS[0]) is None


def test_every_path_that_a_commit_changed_is_among_what_its_filter_leaves(past: Git) -> None:
    past(*WRITE)
    graph = read_graph(past.root / INFO, "sha1")
    assert graph is not None
    commits = past("rev-list", "--first-parent", "HEAD").split()
    for new, old in pairwise(commits):
        changed = past("-c", "core.quotePath=false", "diff", "--name-only", old, new).split()
        for path in changed:
            if path.isascii():
                for part in (path, path.rpartition("/")[0], "r"):
                    found = graph.maybe(part)
                    assert found is not None
                    assert graph.position(new) in found


@pytest.mark.parametrize(
    ("data", "seed", "wanted"),
    [
        (b"", 0, 0x00000000),
        (b"Hello world!", 0, 0x627B0C2C),
        (b"The quick brown fox jumps over the lazy dog", 0, 0x2E4FF723),
    ],
)
def test_the_hash_is_that_of_gits_own_tests(data: bytes, seed: int, wanted: int) -> None:
    assert _murmur3(data, seed) == wanted


@pytest.mark.parametrize(
    ("index", "data", "count"),
    [
        (b"\0\0\0\1", b"\0\0\0\1", 1),
        (b"\0\0\0\1", b"\0\0\0\3\0\0\0\7\0\0\0\x0ax", 1),
        (b"\0\0\0\1", b"\0\0\0\1\0\0\0\0\0\0\0\x0ax", 1),
        (b"\0\0\0\2", b"\0\0\0\1\0\0\0\7\0\0\0\x0ax", 1),
        (b"\0\0\0\1", b"\0\0\0\1\0\0\0\7\0\0\0\x0ax", 2),
    ],
    ids=["cut off", "another hash", "no hash", "ends beyond its end", "not of every commit"],
)
def test_filters_that_are_not_understood_are_not_used(index: bytes, data: bytes, count: int) -> None:
    assert filters(memoryview(index), memoryview(data), count) is None


def test_filters_that_end_before_they_begin_are_not_used() -> None:
    data = memoryview(b"\0\0\0\1\0\0\0\7\0\0\0\x0axyz")
    assert filters(memoryview(b"\0\0\0\2\0\0\0\1"), data, 2) is None
    assert filters(memoryview(b"\0\0\0\2\0\0\0\3"), data, 2) is not None


def test_several_files_are_asked_for_at_once_and_each_has_what_it_has_alone(past: Git) -> None:
    past(*WRITE)
    paths = [path for path in PATHS if path.isascii()]
    repository, _, _ = open_repository(str(past.root))
    with GitHistory(repository, repository.resolve("HEAD")) as log:
        singly = {path: [(one.commit.id, one.blob and one.blob.id) for one in log.of(path)] for path in paths}
    with GitHistory(repository, repository.resolve("HEAD")) as log:
        found = log.of_all([*paths, "r/none"])
        assert not found.pop("r/none")
        assert {
            path: [(one.commit.id, one.blob and one.blob.id) for one in found[path]] for path in paths
        } == singly
