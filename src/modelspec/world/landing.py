"""Lands a change on a branch: judged on the tip that it lands on, or not at all.

On one machine a lock lets one run at a time do it. Whoever else moves the branch (a `git commit`, a pull)
is noticed by the compare-and-swap, and then the whole change is judged again on the new tip.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from modelspec.tree.finding import Refusal
from modelspec.tree.snapshot import Patch
from modelspec.tree.text import visible
from modelspec.world.branch import (
    HEADS,
    await_locks,
    checked_out,
    locked,
    locks,
    must_be_checked_out,
    tip,
)
from modelspec.world.checkout import Place, finish, forget, must_agree, note
from modelspec.world.commit import make_commit, move
from modelspec.world.folders import cure_in
from modelspec.world.gittree import GitSnapshot
from modelspec.world.lock import lock

PATIENCE: Final = 120.0
"""Seconds that a run waits for the others in front of it."""
TRIES: Final = 8


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be committed, and the message."""

    patch: Patch
    message: str
    beside: Mapping[str, Path] = field(default_factory=dict)
    """Path -> a file on disk that is to be in the commit as it is; it lies at that path in the work tree."""

    def on(self, place: Place, base: str) -> str:
        """Return a commit of it on top of another one."""
        return make_commit(
            place.repository, place.where, place.prefix, base, self.patch, self.message, self.beside
        )

    @property
    def title(self) -> str:
        """The first line of the message."""
        return self.message.partition("\n")[0]


@dataclass(frozen=True, slots=True)
class Landed:
    """A commit, the branch that it is on, and the commit that it was judged on."""

    commit: str
    branch: str
    base: str


Stays = Callable[[str, str], tuple[str, str] | None]
"""From a commit object and the branch that holds it to why it stays, and the cure; None when it may go."""
Judge = Callable[[str], Wanted | None]
"""From a tip to what is wanted on it; None when nothing is, or a rule stands in the way."""


def land(place: Place, branch: str, judge: Judge) -> Landed | None:
    """Commit on the branch that is checked out; what else is staged or changed is left alone."""
    must_be_checked_out(place.repository, branch)
    ref = HEADS + branch
    with lock(place.where.common, PATIENCE):
        await_locks(place.where, ref)
        finish(place)
        for _ in range(TRIES):
            base = tip_of(place, ref)
            wanted = judge(base)
            if wanted is None or not wanted.patch:
                return None
            must_be_checked_out(place.repository, branch)
            with GitSnapshot(place.repository, base, place.prefix) as tree:
                must_agree(place, tree, wanted.patch)
            commit = wanted.on(place, base)
            if follow(place, ref, base, commit, wanted):
                return Landed(commit, branch, base)
    raise busy(branch)


def follow(place: Place, ref: str, base: str, commit: str, wanted: Wanted) -> bool:
    """Move the branch that is checked out to a commit, and index and work tree with it; False on a lost race.

    The caller holds the lock, and index and work tree agree with `base`.
    """
    note(place, ref, base, commit, [*wanted.patch, *wanted.beside])
    if not moved(place, ref, commit, base, wanted.title):
        forget(place)
        return False
    try:
        finish(place)
    except Refusal as refusal:
        raise Refusal(
            f"{commit[:12]} is committed, and the work tree could not follow: {refusal.message}",
            "mend that, then run this again: it does what is left",
        ) from None
    return True


def land_beside(place: Place, base_ref: str, branch: str, judge: Judge, stays: Stays) -> Landed | None:
    """Build a branch from the tip of `base_ref`; what stood on it goes, unless `stays` says why not.

    No index and no work tree is touched. A branch that stands as it would be built is left as it is.
    """
    ref = HEADS + branch
    with lock(place.where.common, PATIENCE):
        await_locks(place.where, ref)
        for _ in range(TRIES):
            base, old = tip_of(place, base_ref), tip(place.repository, ref)
            wanted = judge(base)
            if wanted is None or not wanted.patch:
                return None
            may_replace(place, ref, branch, old, base, stays)
            commit = wanted.on(place, base)
            if old is not None and _equal(place, old, commit):
                return Landed(old, branch, base)
            if moved(place, ref, commit, old, wanted.title):
                return Landed(commit, branch, base)
    raise busy(branch)


def may_replace(place: Place, ref: str, branch: str, old: str | None, base: str, stays: Stays) -> None:
    """Raise Refusal when a branch is in use, or holds a commit that stays and did not reach `base`."""
    shown = visible(branch, 200)
    used = checked_out(place.repository, ref)
    if used is not None:
        raise Refusal(
            f"{shown} is checked out in {visible(used, 200)}",
            f"git -C '{visible(used, 200)}' switch --detach",
        )
    if old is None or place.repository.run("merge-base", "--is-ancestor", old, base).code == 0:
        return
    above = place.repository.run("rev-list", "--max-count=2", "--end-of-options", old, f"^{base}")
    added = above.out.decode("ascii").split()
    for commit in added:
        found = stays(
            place.repository.run("cat-file", "commit", commit).out.decode("utf-8", "replace"), shown
        )
        if found is not None and not _squashed(place, commit, base):
            raise Refusal(f"{shown} holds {commit[:12]}, {found[0]}: it is not replaced", found[1])


def _squashed(place: Place, commit: str, base: str) -> bool:
    """Whether every file as a commit left it is in the history of `base`: as a squash merge leaves it."""
    done = place.repository.run("diff-tree", "-r", "-z", "--no-renames", "--no-commit-id", commit)
    *fields, _ = done.out.split(b"\0")
    written = [
        (line.split(b" ")[3].decode(), path) for line, path in zip(fields[::2], fields[1::2], strict=True)
    ]
    return bool(written) and all(
        place.repository.run(
            "log", "--max-count=1", "--format=%H", f"--find-object={blob}", "--end-of-options", base,
            "--", f":(top,literal){os.fsdecode(path)}",
        ).out
        for blob, path in written if blob.strip("0")
    )  # fmt: skip


def _equal(place: Place, one: str, two: str) -> bool:
    """Whether two commits have one tree and one parent: then only their times differ."""
    done = place.repository.run("rev-parse", f"{one}^{{tree}}", f"{two}^{{tree}}", f"{one}^@", f"{two}^@")
    names = done.out.decode("ascii", "replace").split()
    return done.code == 0 and len(names) == 4 and names[0] == names[1] and names[2] == names[3]


def tip_of(place: Place, ref: str) -> str:
    """Return the commit that a branch stands at; raises Refusal when it has none."""
    found = tip(place.repository, ref)
    if found is None:
        raise Refusal(
            f"{visible(ref.removeprefix(HEADS))} has no commit yet",
            "commit first: git add . && git commit -m 'first'",
        )
    return found


def moved(place: Place, ref: str, new: str, old: str | None, why: str) -> bool:
    """Move the ref; False when somebody else moved it. What it stands at counts, not what git said."""
    done = move(place.repository, ref, new, old, why)
    at = tip(place.repository, ref)
    if at == new:
        return True
    if at != old:
        return False
    left = next(locks(place.where, ref), None)
    if left is not None:
        raise locked(left)
    if "Unable to create" in done.err:
        # The lock of a git that has ended meanwhile.
        return False
    said = done.err.strip().splitlines() or ["no reason was given"]
    raise Refusal(
        f"git could not move {visible(ref)}: {visible(said[0], 300)}; nothing was changed",
        cure_in(done.err),
    )


def busy(branch: str) -> Refusal:
    """Return the refusal of a run that lost every race."""
    return Refusal(
        f"{visible(branch)} moved {TRIES} times while this was judged; nothing was changed", "run this again"
    )
