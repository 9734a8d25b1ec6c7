"""Receipts as they lie on their branch: read from git objects, one folder a model, in batches.

There may be two of the branch, the local one and the remote's as it was fetched last. Files are named by
their content, so both together are the union of their files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from modelspec.spec.instant import instant
from modelspec.spec.receipt import BRANCH, FOLDER, LIMIT, Receipt, at, folder, read_receipt
from modelspec.tree.snapshot import irregular
from modelspec.world.branch import HEADS, ORIGIN
from modelspec.world.git import Repository
from modelspec.world.gittree import GitSnapshot
from modelspec.world.objects import Objects, TooLarge
from modelspec.world.timeline import Timeline

LOCAL: Final = HEADS + BRANCH
REMOTE: Final = f"refs/remotes/{ORIGIN}/{BRANCH}"
HORIZON: Final = f"{FOLDER}/horizon"
"""The file that says up to which instant a branch was compacted: what ended before it is gone."""
_AT_ONCE: Final = 2048


@dataclass(frozen=True, slots=True)
class BadReceipt:
    """A file of the branch that is no receipt: where, and why. It is named, never used."""

    path: str
    why: str


@dataclass(frozen=True, slots=True)
class Known:
    """What the branch held at an instant: the commits to read, and what can't be told any more.

    `by_observed`: the branch was compacted since, so what was known is what had been observed.
    """

    commits: tuple[str, ...]
    by_observed: datetime | None = None


def tips(repository: Repository) -> tuple[str, ...]:
    """Return the commits whose receipts count: the local tip, the remote's, or the one that holds both."""
    done = repository.run("for-each-ref", "--format=%(refname) %(objectname)", LOCAL, REMOTE)
    told = dict(line.split(" ") for line in done.out.decode("utf-8", "replace").splitlines())
    local, remote = told.get(LOCAL), told.get(REMOTE)
    if local is None or remote is None or local == remote:
        return tuple(filter(None, dict.fromkeys((local, remote))))
    if repository.is_ancestor(remote, local):
        return (local,)
    return (remote,) if repository.is_ancestor(local, remote) else (local, remote)


def known_at(repository: Repository, moment: datetime, prefix: str = "") -> Known:
    """Return what was known at an instant: the branch as it stood then, by the times of its commits."""
    found: list[str] = []
    compacted = False
    for commit in tips(repository):
        line = Timeline(repository, commit)
        index = line.at(moment)
        if index is not None:
            found.append(line.id(index))
        else:
            with Branch(repository, (commit,), prefix) as branch:
                compacted = compacted or branch.horizon is not None
    if compacted:
        return Known(tips(repository), moment)
    return Known(tuple(found))


class Branch:
    """The receipts at some commits; opened, read and closed by one thread."""

    def __init__(
        self,
        repository: Repository,
        commits: Sequence[str],
        prefix: str = "",
        observed_by: datetime | None = None,
    ) -> None:
        self._objects = Objects(repository)
        self._trees = [GitSnapshot(repository, commit, prefix, self._objects) for commit in commits]
        self._observed_by = observed_by

    def __enter__(self) -> Branch:
        return self

    def __exit__(self, *_: object) -> None:
        self._objects.close()

    @property
    def horizon(self) -> datetime | None:
        """The instant up to which the branch was compacted, None when it never was."""
        found = []
        for tree in self._trees:
            blob = tree.get(HORIZON)
            data = blob.read() if blob is not None else None
            moment = instant(data.decode("ascii", "replace").strip()) if isinstance(data, bytes) else None
            found += [moment] if moment is not None else []
        return max(found, default=None)

    def names(self) -> list[tuple[str, str]]:
        """Return the (environment, model) pairs that have receipts, sorted."""
        found = set()
        for tree in self._trees:
            for environment, is_folder in tree.ls(FOLDER):
                if is_folder:
                    models = tree.ls(f"{FOLDER}/{environment}")
                    found |= {(environment, model) for model, below in models if below}
        return sorted(found)

    def of(self, environment: str, model: str) -> Iterator[Receipt | BadReceipt]:
        """Yield the receipts of one model in one environment, in no order, each once."""
        return self._read(self._listed(folder(environment, model)))

    def all(self, environment: str | None = None, model: str | None = None) -> Iterator[Receipt | BadReceipt]:
        """Yield all receipts, or those of an environment, of a model, or of both."""
        for place, named in self.names():
            if environment in (None, place) and model in (None, named):
                yield from self.of(place, named)

    def blobs(self) -> dict[str, str]:
        """Return path -> id of the blob of every receipt, and of whatever lies among them."""
        return {path: blob for path, (_, blob) in self._listed(FOLDER).items()}

    def read(self, paths: Iterable[str]) -> Iterator[Receipt | BadReceipt]:
        """Yield the receipts at some of the paths of `blobs`, in their order."""
        listed = self._listed(FOLDER)
        return self._read({path: listed[path] for path in paths})

    def _listed(self, under: str) -> dict[str, tuple[int, str]]:
        return {path: (mode, blob) for tree in self._trees for path, mode, blob in _entries(tree, under)}

    def _read(self, listed: dict[str, tuple[int, str]]) -> Iterator[Receipt | BadReceipt]:
        for path, (mode, _) in listed.items():
            if irregular(mode) is not None:
                yield BadReceipt(path, "it is no regular file")
        regular = [(path, blob) for path, (mode, blob) in listed.items() if irregular(mode) is None]
        for start in range(0, len(regular), _AT_ONCE):
            some = regular[start : start + _AT_ONCE]
            read = self._objects.read_all([blob for _, blob in some], "blob", LIMIT)
            for (path, _), data in zip(some, read, strict=True):
                yield from self._one(path, data)

    def _one(self, path: str, data: bytes | TooLarge) -> Iterator[Receipt | BadReceipt]:
        found = "it is too large for a receipt" if isinstance(data, TooLarge) else read_receipt(path, data)
        if isinstance(found, str):
            yield BadReceipt(path, found)
        elif self._observed_by is None or at(found.observed) <= self._observed_by:
            yield found


def _entries(tree: GitSnapshot, under: str) -> Iterator[tuple[str, int, str]]:
    for path, blob in tree.walk(under):
        if path != HORIZON:
            yield path, blob.mode, blob.id


def split(found: Iterable[Receipt | BadReceipt]) -> tuple[list[Receipt], list[BadReceipt]]:
    """Return the receipts, and what is none."""
    receipts: list[Receipt] = []
    bad: list[BadReceipt] = []
    for one in found:
        if isinstance(one, BadReceipt):
            bad.append(one)
        else:
            receipts.append(one)
    return receipts, bad


def served(repository: Repository, prefix: str, since: datetime) -> frozenset[str]:
    """Return the digests of all that served since an instant: what began later, and the last before it."""
    commits = tips(repository)
    if not commits:
        return frozenset()
    found: set[str] = set()
    last: dict[tuple[str, str, str | None], Receipt] = {}
    with Branch(repository, commits, prefix) as branch:
        for one in branch.all():
            if isinstance(one, BadReceipt):
                continue
            if at(one.since) >= since:
                found.update(slot.digest for slot in one.slots)
                continue
            place = (one.environment, one.model, one.cluster)
            if place not in last or at(last[place].since) <= at(one.since):
                last[place] = one
    return frozenset(found | {slot.digest for one in last.values() for slot in one.slots})
