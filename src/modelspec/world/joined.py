"""What two commits have in common, for laying a change over a base that moved on, as git does it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from modelspec.tree.snapshot import Overlaid, Snapshot, merged
from modelspec.world.git import Repository
from modelspec.world.gittree import GitSnapshot

_READ: Final = ("registry/", "templates/", "compiled/", ".gitattributes")


@dataclass(frozen=True, slots=True, eq=False)
class Common:
    """A common ancestor. `unsure`: the paths of which several best ones say different things.

    Two branches that were merged into each other have two of these, and what both merges decided differently
    stands in neither: git merges the ancestors first, and where they conflict so does the merge.
    """

    commit: str
    """One of the best common ancestors."""
    snapshot: Snapshot
    unsure: frozenset[str] = frozenset()

    def merged(self, ours: Snapshot, theirs: Snapshot) -> tuple[Overlaid, tuple[str, ...]]:
        """Return `theirs` with what `ours` changed since, and the sorted paths that stand in the way.

        A file that is none of the registry stands in nobody's way: git joins its lines, or asks.
        """
        head, conflicts = merged(self.snapshot, ours, theirs)
        either = {path for path in self.unsure if _differ(ours, theirs, path)}
        found = sorted({*conflicts, *either})
        return head, tuple(path for path in found if path.startswith(_READ))


def common_to(repository: Repository, tree: GitSnapshot, prefix: str, one: str, two: str) -> Common | None:
    """Return what two commits have in common, None without any; `tree` is one of the same repository."""
    commits = repository.merge_bases(one, two)
    if not commits:
        return None
    first, *others = commits
    found = Common(first, tree.at(first, prefix))
    for other in others:
        deeper = common_to(repository, tree, prefix, first, other)
        below = deeper if deeper is not None else Common(first, found.snapshot)
        joined, conflicts = merged(below.snapshot, tree.at(other, prefix), found.snapshot)
        found = Common(first, joined, found.unsure | below.unsure | frozenset(conflicts))
    return found


def _differ(one: Snapshot, two: Snapshot, path: str) -> bool:
    left, right = one.get(path), two.get(path)
    return (left and (left.mode, left.id)) != (right and (right.mode, right.id))
