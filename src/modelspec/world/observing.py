"""Adds receipts to their branch, and compacts it; no index and no work tree is touched.

Files are named by their content, so two writers never conflict: whoever loses a race, on this machine or at
the remote, reads what the winner wrote, and writes again what is still new.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from modelspec.spec.receipt import BRANCH, Receipt, at, canonical_bytes, located, written
from modelspec.tree.finding import Refusal
from modelspec.tree.text import plural, visible
from modelspec.world.branch import ORIGIN, await_locks, checked_out, tip
from modelspec.world.checkout import Place
from modelspec.world.imported import commit_files
from modelspec.world.landing import PATIENCE, busy, moved
from modelspec.world.lock import lock
from modelspec.world.receipts import HORIZON, LOCAL, REMOTE, BadReceipt, Branch, tips
from modelspec.world.remote import Reached, origin, reached

TRIES: Final = 60
"""How often a race may be lost: at a remote, to every observer of every cluster."""
_PAUSE: Final = 2.0
New = Callable[[Branch], Sequence[Receipt]]
"""From what is there to the receipts that say something new; asked again after each lost race."""
Keep = Callable[[Sequence[Receipt]], Sequence[Receipt]]


@dataclass(frozen=True, slots=True)
class Written:
    """What was written: the receipts, the commit that holds them (None: nothing new), and the remote."""

    receipts: tuple[Receipt, ...]
    commit: str | None = None
    remote: str | None = None


@dataclass(frozen=True, slots=True)
class Pruned:
    """What a compaction kept and dropped, and its commit (None: there was nothing to drop)."""

    kept: int
    dropped: int
    commit: str | None = None
    remote: str | None = None


def append(place: Place, new: New, *, push: bool) -> Written:
    """Write the receipts that are new in one commit; with `push`, at the remote as well.

    What the local branch has and the remote lacks goes along. Raises Refusal when git or the remote can't
    be written, or the branch is checked out.
    """
    with lock(place.where.common, PATIENCE), ExitStack() as stack:
        await_locks(place.where, LOCAL)
        _not_checked_out(place)
        there = stack.enter_context(reached(place, origin(place))) if push else None
        for attempt in range(TRIES):
            _pause(attempt)
            found = _append(place, there, new)
            if found is not None:
                return found
    raise busy(BRANCH)


def _append(place: Place, there: Reached | None, new: New) -> Written | None:
    """Try once; None when somebody else was quicker."""
    repository = place.repository
    remote = there.tips([BRANCH]).get(BRANCH) if there is not None else tip(repository, REMOTE)
    local = tip(repository, LOCAL)
    commits = tips(repository)
    with Branch(repository, commits, place.prefix) as branch:
        receipts = list(new(branch))
        base = commits[0] if len(commits) == 1 else (there and remote) or local
        kept = list(_left_over(place, base, branch)) if len(commits) > 1 and there is not None else []
    if there is None and not receipts:
        return Written(())
    commit = base
    if receipts or kept:
        files = {}
        for receipt in receipts:
            data = canonical_bytes(receipt)
            files[place.shown + located(receipt, data)] = data
        commit = commit_files(repository, place.where, base, files, _message(receipts), kept)
    if commit is None:
        return Written(())
    if (
        there is not None
        and commit != remote
        and there.push(commit, BRANCH, remote, replace=False) == "raced"
    ):
        return None
    # Once it is at the remote, a local branch that somebody moved meanwhile follows with the next run.
    if commit != local and not moved(place, LOCAL, commit, local, "receipts") and there is None:
        return None
    shown = there.remote.shown if there is not None else None
    return Written(tuple(receipts), commit if receipts else None, shown)


def _left_over(place: Place, base: str | None, both: Branch) -> Iterator[tuple[str, str]]:
    """Yield (path, blob) of what the local branch alone has, but for what the remote compacted away."""
    if base is None:
        return
    with Branch(place.repository, (base,), place.prefix) as branch:
        known, horizon = branch.blobs(), branch.horizon
    blobs = both.blobs()
    missing = [path for path in blobs if path not in known]
    for path, found in zip(missing, both.read(missing), strict=True):
        if isinstance(found, BadReceipt) or (horizon is not None and at(found.since) < horizon):
            continue
        yield place.shown + path, blobs[path]


def prune(place: Place, keep: Keep, horizon: datetime, *, push: bool) -> Pruned:
    """Begin the branch anew with the receipts that `keep` chooses: its history goes as well.

    At the remote it is replaced only if it stands where it was read (a lease). Raises Refusal where the
    remote has the branch and `push` is not asked for: its next fetch would bring all back.
    """
    repository = place.repository
    if not push and tip(repository, REMOTE) is not None:
        raise Refusal(
            f"{ORIGIN} has the branch {BRANCH} too: compacted here alone, it would come back",
            "modelspec receipts prune --push",
        )
    with lock(place.where.common, PATIENCE), ExitStack() as stack:
        await_locks(place.where, LOCAL)
        _not_checked_out(place)
        there = stack.enter_context(reached(place, origin(place))) if push else None
        for attempt in range(TRIES):
            _pause(attempt)
            found = _prune(place, there, keep, horizon)
            if found is not None:
                return found
    raise busy(BRANCH)


def _prune(place: Place, there: Reached | None, keep: Keep, horizon: datetime) -> Pruned | None:
    repository = place.repository
    remote = there.tips([BRANCH]).get(BRANCH) if there is not None else None
    local = tip(repository, LOCAL)
    with Branch(repository, tips(repository), place.prefix) as branch:
        blobs = branch.blobs()
        read = dict(zip(blobs, branch.read(blobs), strict=True))
        before = branch.horizon
    receipts = [one for one in read.values() if not isinstance(one, BadReceipt)]
    chosen = {located(one, canonical_bytes(one)) for one in keep(receipts)}
    # What can't be read stays where somebody can look at it.
    kept = [path for path, one in read.items() if isinstance(one, BadReceipt) or path in chosen]
    dropped = len(blobs) - len(kept)
    if dropped == 0:
        return Pruned(len(kept), 0)
    stamp = written(max(horizon, before) if before is not None else horizon)
    pairs = [(place.shown + path, blobs[path]) for path in kept]
    files = {place.shown + HORIZON: f"{stamp}\n".encode()}
    message = f"Compact the receipts\n\nWhat ended before {stamp} is gone: {plural(dropped, 'receipt')}.\n"
    commit = commit_files(repository, place.where, None, files, message, pairs)
    if there is not None and there.push(commit, BRANCH, remote, replace=True) == "raced":
        return None
    if not moved(place, LOCAL, commit, local, "receipts, compacted") and there is None:
        return None
    return Pruned(len(kept), dropped, commit, there.remote.shown if there is not None else None)


def _message(receipts: Sequence[Receipt]) -> str:
    if len(receipts) == 1:
        one = receipts[0]
        return f"Receipt: {one.environment}/{one.model} since {one.since}\n\n{visible(one.evidence, 300)}\n"
    where = sorted({f"{one.environment}/{one.model}" for one in receipts})
    listed = "\n".join(where[:50])
    return f"{plural(len(receipts), 'receipt')} of {plural(len(where), 'pin')}\n\n{listed}\n"


def _not_checked_out(place: Place) -> None:
    used = checked_out(place.repository, LOCAL)
    if used is not None:
        raise Refusal(
            f"{BRANCH} is checked out in {visible(used, 200)}",
            f"git -C '{visible(used, 200)}' switch --detach",
        )


def _pause(attempt: int) -> None:
    """Wait a little after a lost race, each time longer, and each writer another while."""
    if attempt:
        time.sleep(secrets.SystemRandom().uniform(0, min(_PAUSE, 0.05 * 2**attempt)))
