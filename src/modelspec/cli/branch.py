"""Opens the receipts of a repository: as they are, as they were known at an instant, or fetched first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from modelspec.tree.text import plural, visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from modelspec.spec.receipt import Receipt
    from modelspec.world.checkout import Place
    from modelspec.world.git import Repository
    from modelspec.world.receipts import BadReceipt, Branch

_SHOWN = 5


def place_of(repository: Repository, prefix: str) -> Place:
    """Return where receipts are written."""
    from modelspec.world.branch import folders
    from modelspec.world.checkout import Place

    return Place(repository, folders(repository), prefix)


@contextmanager
def open_receipts(
    repository: Repository, prefix: str, *, remote: bool = False, known_at: datetime | None = None
) -> Iterator[Branch]:
    """Open the receipts; with `remote` after a fetch, with `known_at` as they were known then."""
    from modelspec.world.receipts import Branch, tips
    from modelspec.world.receipts import known_at as known_then

    if remote:
        fetch(repository, prefix)
    if known_at is None:
        commits, by_observed = tips(repository), None
    else:
        known = known_then(repository, known_at, prefix)
        commits, by_observed = known.commits, known.by_observed
    if by_observed is not None:
        click.echo(
            "modelspec: the receipts were compacted since: what was known is told by when they were observed",
            err=True,
        )
    with Branch(repository, commits, prefix, by_observed) as branch:
        yield branch


def fetch(repository: Repository, prefix: str) -> None:
    """Fetch the remote's receipts; a remote that has none yet is no trouble."""
    from modelspec.spec.receipt import BRANCH
    from modelspec.world.landing import PATIENCE
    from modelspec.world.lock import lock
    from modelspec.world.remote import origin, reached

    place = place_of(repository, prefix)
    with lock(place.where.common, PATIENCE), reached(place, origin(place)) as there:
        there.tips([BRANCH])


def good(found: Iterable[Receipt | BadReceipt]) -> list[Receipt]:
    """Return the receipts; files of the branch that are none are named on stderr, not used."""
    from modelspec.world.receipts import split

    receipts, bad = split(found)
    say_bad(bad)
    return receipts


def say_bad(bad: Sequence[BadReceipt]) -> None:
    """Name the files of the branch that are no receipts."""
    for one in bad[:_SHOWN]:
        click.echo(f"modelspec: {visible(one.path, 200)} is not used: {one.why}", err=True)
    if len(bad) > _SHOWN:
        click.echo(f"modelspec: and {plural(len(bad) - _SHOWN, 'other file')} that no receipt is", err=True)


def served_since(root: str | None, since: datetime) -> frozenset[str]:
    """Return the digests of all that served since an instant, by the receipts that are here."""
    from modelspec.cli.where import repository_of
    from modelspec.tree.finding import Refusal
    from modelspec.world.receipts import served

    try:
        repository, prefix, _ = repository_of(root)
    except Refusal:
        return frozenset()
    return served(repository, prefix, since)
