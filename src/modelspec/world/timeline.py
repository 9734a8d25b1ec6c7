"""The commits of a first-parent history in their order, each with a time that never runs backwards."""

from __future__ import annotations

import bisect
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import compress, count, islice
from operator import gt
from pathlib import Path
from typing import Final

from modelspec.tree.finding import Refusal
from modelspec.world.commitgraph import CommitGraph, read_graph
from modelspec.world.git import Repository

LATEST: Final = 253402300799
"""The last second of the year 9999: git allows later ones, datetime does not."""
MANY: Final = 20_000
"""From so many commits on that git had to list one by one, a commit-graph is worth a hint."""

_NAMED: Final = (64, 0.1)
"""The most commits, or the greatest share of all of them, that is worth naming to git one by one."""


@dataclass(frozen=True, slots=True, eq=False)
class _Line:
    """Commits newest first: those that git listed, then those of the graph."""

    listed: list[str]
    graph: CommitGraph | None
    positions: list[int]
    times: list[int]
    """The committers' times of both, newest first."""


class Timeline:
    """The first-parent history that ends at a commit. An index counts commits from the oldest, which is 0."""

    def __init__(self, repository: Repository, tip: str) -> None:
        self._repository = repository
        self._tip = tip
        self._asked = 0

    def __len__(self) -> int:
        return len(self._line.times)

    @property
    def slow(self) -> bool:
        """Whether a commit-graph would have saved a noticeable time."""
        return len(self._line.listed) >= MANY

    def id(self, index: int) -> str:
        """Return the id of a commit."""
        back = len(self) - 1 - index
        line = self._line
        if back < len(line.listed):
            return line.listed[back]
        assert line.graph is not None
        return line.graph.id(line.positions[back - len(line.listed)])

    def time(self, index: int) -> int:
        """Return a commit's time in seconds since 1970, raised to the latest before it."""
        return self._raised[index]

    def index(self, commit: str) -> int | None:
        """Return the index of a commit, or None when it is none of this history."""
        found = self._listed.get(commit)
        if found is None and self._line.graph is not None:
            position = self._line.graph.position(commit)
            found = None if position is None else self._place(position)
        return found

    def _place(self, position: int) -> int | None:
        """Return the index of a commit of the graph.

        A log asks newest first, so each is looked for from the last one on; whoever asks in another order
        gets a table of all of them.
        """
        positions = self._line.positions
        if "_placed" not in self.__dict__:
            try:
                self._asked = positions.index(position, self._asked)
            except ValueError:
                return self._placed.get(position)
            return len(positions) - 1 - self._asked
        return self._placed.get(position)

    def maybe(self, path: str) -> list[str] | None:
        """Return the ids of the commits that may have changed a path, newest first.

        None where git is as quick by itself: without a commit-graph with filters of changed paths, and
        where they deny too little.
        """
        line = self._line
        found = line.graph.maybe(path) if line.graph is not None and not self.slow else None
        few, share = _NAMED
        if line.graph is None or found is None or len(found) > max(few, share * len(line.positions)):
            return None
        return [*line.listed, *(line.graph.id(position) for position in line.positions if position in found)]

    def at(self, instant: datetime) -> int | None:
        """Return the index of the last commit that is not later than the instant; None before the first."""
        found = bisect.bisect_right(self._raised, instant.timestamp()) - 1
        return None if found < 0 else found

    @cached_property
    def _raised(self) -> list[int]:
        times = self._line.times[::-1]
        # Times run backwards rarely: where one does, it and those behind it are raised.
        for at in compress(count(), map(gt, times, islice(times, 1, None))):
            highest = times[at]
            for later in range(at + 1, len(times)):
                if times[later] >= highest:
                    break
                times[later] = highest
        return times

    @cached_property
    def _listed(self) -> dict[str, int]:
        last = len(self) - 1
        return dict(zip(self._line.listed, range(last, -1, -1), strict=False))

    @cached_property
    def _placed(self) -> dict[int, int]:
        last = len(self) - 1 - len(self._line.listed)
        return dict(zip(self._line.positions, range(last, -1, -1), strict=True))

    @cached_property
    def _line(self) -> _Line:
        graph = read_graph(_info(self._repository), self._repository.algorithm)
        listed: list[str] = []
        times: list[int] = []
        position = graph.position(self._tip) if graph is not None else None
        if position is None:
            position = self._list(graph, listed, times)
        positions: list[int] = []
        if graph is not None and position is not None:
            try:
                positions, known = graph.line(position)
            except (ValueError, IndexError):
                # What is damaged is not used: git lists all of it.
                graph, listed, times = None, [], []
                self._list(None, listed, times)
            else:
                times += known
        return _Line(listed, graph, positions, times)

    def _list(self, graph: CommitGraph | None, listed: list[str], times: list[int]) -> int | None:
        """Let git list commits, newest first, up to the first that the graph knows; return its position."""
        process = self._repository.start(
            "rev-list", "--first-parent", "--timestamp", "--end-of-options", self._tip
        )
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        with process.stdout as stream:
            for line in stream:
                stamp, _, identity = line.partition(b" ")
                commit = identity.decode("ascii").rstrip("\n")
                position = graph.position(commit) if graph is not None else None
                if position is not None:
                    process.kill()
                    process.wait()
                    return position
                listed.append(commit)
                times.append(min(int(stamp), LATEST))
        if process.wait() != 0 or not listed:
            raise Refusal(f"git can't list the history of {self._tip}", "run `git fsck`")
        return None


def _info(repository: Repository) -> Path:
    """Return the folder that holds the commit-graph."""
    top = repository.folder.joinpath(*[".."] * len(Path(repository.prefix).parts))
    usual = repository.folder if repository.bare else top / ".git"
    if (usual / "objects").is_dir():
        return usual / "objects" / "info"
    done = repository.run("rev-parse", "--git-path", "objects/info")
    return repository.folder / done.out.decode("utf-8", "surrogateescape").removesuffix("\n")
