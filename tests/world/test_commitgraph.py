"""The commit-graph as we read it says what git says; what is damaged, or not in it, is asked of git."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import Git
from modelspec.world.commitgraph import read_graph
from modelspec.world.git import open_repository
from modelspec.world.timeline import Timeline, _Line

START = datetime(2026, 1, 1, tzinfo=UTC)
INFO = Path(".git/objects/info")


def commits(git: Git, times: list[int]) -> list[str]:
    """Commit at these times (seconds since 1970) on the branch that is checked out."""
    ids = []
    for time in times:
        date = f"@{time} +0000"
        git("commit", "--quiet", "--allow-empty", "-m", "x", GIT_COMMITTER_DATE=date, GIT_AUTHOR_DATE=date)
        ids.append(git("rev-parse", "HEAD"))
    return ids


def line(git: Git) -> list[tuple[str, int]]:
    repository, _, _ = open_repository(str(git.root))
    timeline = Timeline(repository, repository.resolve("HEAD"))
    return [(timeline.id(index), timeline.time(index)) for index in range(len(timeline))]


TIMES = [1_800_000_000, 1_700_000_000, 1_900_000_000, 5_000_000_000, 1_600_000_000]
RAISED = [1_800_000_000, 1_800_000_000, 1_900_000_000, 5_000_000_000, 5_000_000_000]


def test_with_and_without_a_graph_the_line_is_the_same(repository: Git) -> None:
    ids = commits(repository, TIMES)
    wanted = list(zip(ids, RAISED, strict=True))
    assert line(repository) == wanted
    repository("commit-graph", "write", "--reachable", "--changed-paths")
    assert read_graph(repository.root / INFO, "sha1") is not None
    assert line(repository) == wanted


def test_commits_that_the_graph_does_not_know_are_asked_of_git(repository: Git) -> None:
    ids = commits(repository, TIMES)
    repository("commit-graph", "write", "--reachable")
    ids += commits(repository, [1_500_000_000, 6_000_000_000])
    assert line(repository) == list(zip(ids, [*RAISED, 5_000_000_000, 6_000_000_000], strict=True))


def test_a_chain_of_graphs_is_one_graph(repository: Git) -> None:
    ids = commits(repository, TIMES[:3])
    repository("commit-graph", "write", "--reachable", "--split=no-merge")
    ids += commits(repository, TIMES[3:])
    repository("commit-graph", "write", "--reachable", "--split=no-merge")
    graph = read_graph(repository.root / INFO, "sha1")
    assert graph is not None
    assert all(graph.id(graph.position(one) or 0) == one for one in ids)
    assert line(repository) == list(zip(ids, RAISED, strict=True))


def test_a_merge_counts_by_its_first_parent(repository: Git) -> None:
    first = commits(repository, [1_700_000_000])
    repository("checkout", "--quiet", "-b", "side")
    commits(repository, [1_950_000_000])
    repository("checkout", "--quiet", "main")
    second = commits(repository, [1_710_000_000])
    date = "@1720000000 +0000"
    repository("merge", "--quiet", "--no-ff", "-m", "m", "side", GIT_COMMITTER_DATE=date)
    wanted = [*first, *second, repository("rev-parse", "HEAD")]
    repository("commit-graph", "write", "--reachable")
    assert line(repository) == list(zip(wanted, [1_700_000_000, 1_710_000_000, 1_720_000_000], strict=True))


@pytest.mark.parametrize("cut", [0, 7, 40, 200, 1100, -30])
def test_a_damaged_graph_is_not_used(repository: Git, cut: int) -> None:
    ids = commits(repository, TIMES)
    repository("commit-graph", "write", "--reachable")
    file = repository.root / INFO / "commit-graph"
    data = file.read_bytes()
    file.chmod(0o644)
    file.write_bytes(data[:cut])
    graph = read_graph(repository.root / INFO, "sha1")
    # git itself reads a cut file or complains; the answer never comes from a graph that is not whole.
    assert graph is None or [graph.position(one) is not None for one in ids] == [True] * len(ids)


def test_a_repository_of_sha256(tmp_path: Path) -> None:
    root = tmp_path / "r"
    root.mkdir()
    git = Git.__new__(Git)
    git.root = root
    git("init", "--quiet", "--initial-branch=main", "--object-format=sha256")
    ids = commits(git, TIMES)
    git("commit-graph", "write", "--reachable")
    assert read_graph(root / INFO, "sha256") is not None
    assert line(git) == list(zip(ids, RAISED, strict=True))


def test_an_instant_is_found_with_the_graph(repository: Git) -> None:
    seconds = int(START.timestamp())
    ids = commits(repository, [seconds, seconds + 100, seconds + 50])
    repository("commit-graph", "write", "--reachable")
    found, _, _ = open_repository(str(repository.root))
    timeline = Timeline(found, ids[-1])
    assert timeline.at(START - timedelta(seconds=1)) is None
    assert timeline.at(START + timedelta(seconds=99)) == 0
    assert timeline.at(START + timedelta(seconds=100)) == 2
    assert not timeline.slow


def test_commits_have_their_places_in_any_order_of_asking(repository: Git) -> None:
    ids = commits(repository, list(range(1_700_000_000, 1_700_000_012)))
    repository("commit-graph", "write", "--reachable")
    ids += commits(repository, [1_700_000_100])
    found, _, _ = open_repository(str(repository.root))
    for order in (range(12, -1, -1), range(13), (5, 9, 9, 2, 12, 0, 7)):
        timeline = Timeline(found, ids[-1])
        assert [timeline.index(ids[at]) for at in order] == list(order)
        assert timeline.index("0" * 40) is None


@given(st.lists(st.integers(0, 6), min_size=1, max_size=12))
def test_times_are_raised_to_the_latest_before_them(times: list[int]) -> None:
    timeline = Timeline.__new__(Timeline)
    timeline.__dict__["_line"] = _Line([], None, [], times[::-1])
    assert timeline._raised == list(accumulate(times, max))
