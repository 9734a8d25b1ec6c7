"""Lands a change on the remote: a push that is refused means that somebody was first, and judging again."""

from __future__ import annotations

from dataclasses import dataclass

from modelspec.tree.finding import Refusal
from modelspec.tree.text import visible
from modelspec.world.branch import HEADS, ORIGIN, await_locks, must_be_checked_out, tip
from modelspec.world.checkout import Place, finish, must_agree
from modelspec.world.gittree import GitSnapshot
from modelspec.world.landing import PATIENCE, TRIES, Judge, Landed, Stays, busy, follow, may_replace, moved
from modelspec.world.lock import lock
from modelspec.world.remote import Reached, origin, reached


@dataclass(frozen=True, slots=True)
class Pushed:
    """What landed on the remote; `behind` when the local branch has not followed."""

    landed: Landed
    remote: str
    behind: bool = False


def push_main(place: Place, branch: str, judge: Judge) -> Pushed | None:
    """Commit on the remote's tip of main and push it; the local branch follows if it stood there."""
    must_be_checked_out(place.repository, branch)
    ref, remote = HEADS + branch, origin(place)
    with lock(place.where.common, PATIENCE), reached(place, remote) as there:
        await_locks(place.where, ref)
        finish(place)
        for _ in range(TRIES):
            base, local = _main(there, branch), tip(place.repository, ref)
            if local is not None and not _holds(place, base, local):
                raise Refusal(
                    f"{visible(branch)} has commits that {ORIGIN} lacks",
                    f"push them first: git push {ORIGIN} {branch}",
                )
            wanted = judge(base)
            if wanted is None or not wanted.patch:
                return None
            if local == base:
                with GitSnapshot(place.repository, base, place.prefix) as tree:
                    must_agree(place, tree, wanted.patch)
            commit = wanted.on(place, base)
            if there.push(commit, branch, base, replace=False) == "raced":
                continue
            followed = local == base and follow(place, ref, base, commit, wanted)
            return Pushed(Landed(commit, branch, base), remote.shown, not followed)
    raise busy(f"{ORIGIN}/{branch}")


def push_branch(place: Place, main: str, branch: str, judge: Judge, stays: Stays) -> Pushed | None:
    """Build a branch from the remote's tip of main and push it in place of what we pushed before."""
    ref, remote = HEADS + branch, origin(place)
    with lock(place.where.common, PATIENCE), reached(place, remote) as there:
        await_locks(place.where, ref)
        for _ in range(TRIES):
            tips = there.tips([main, branch])
            base, old, local = tips.get(main), tips.get(branch), tip(place.repository, ref)
            if base is None:
                raise _no_branch(main)
            wanted = judge(base)
            if wanted is None or not wanted.patch:
                return None
            may_replace(place, ref, branch, old, base, stays)
            may_replace(place, ref, branch, local, base, stays)
            commit = wanted.on(place, base)
            if there.push(commit, branch, old, replace=True) == "raced":
                continue
            followed = moved(place, ref, commit, local, wanted.title)
            return Pushed(Landed(commit, branch, base), remote.shown, not followed)
    raise busy(f"{ORIGIN}/{branch}")


def _main(there: Reached, branch: str) -> str:
    found = there.tips([branch]).get(branch)
    if found is None:
        raise _no_branch(branch)
    return found


def _no_branch(branch: str) -> Refusal:
    return Refusal(f"{ORIGIN} has no branch {visible(branch)}", f"git push {ORIGIN} {visible(branch)}")


def _holds(place: Place, tip_of_remote: str, local: str) -> bool:
    done = place.repository.run("merge-base", "--is-ancestor", local, tip_of_remote)
    return done.code == 0
