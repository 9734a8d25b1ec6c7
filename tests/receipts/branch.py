"""A branch of receipts in a real repository, for the tests beside this file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from modelspec.spec.receipt import Receipt
from modelspec.trace.receipts import news
from modelspec.world.branch import folders
from modelspec.world.checkout import Place
from modelspec.world.git import open_repository
from modelspec.world.observing import Written, append
from modelspec.world.receipts import Branch, split, tips


def place(root: Path) -> Place:
    """Return where a repository's receipts are written."""
    repository, prefix, _ = open_repository(str(root))
    return Place(repository, folders(repository), prefix)


def write(root: Path, receipts: Sequence[Receipt], *, push: bool = False) -> Written:
    """Write those receipts that are new."""

    def new(branch: Branch) -> Sequence[Receipt]:
        found, bad = split(branch.all())
        assert not bad
        return news(found, receipts)

    return append(place(root), new, push=push)


def stored(root: Path) -> list[Receipt]:
    """Return all receipts of a repository, sorted by when they began."""
    where = place(root)
    with Branch(where.repository, tips(where.repository), where.prefix) as branch:
        found, bad = split(branch.all())
    assert not bad, bad
    return sorted(found, key=lambda one: (one.since, one.source))
