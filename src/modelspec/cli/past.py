"""Opens the history of a registry, for the verbs that look back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from modelspec.world.git import Repository
    from modelspec.world.history import GitHistory

GRAPH = "git commit-graph write --reachable --changed-paths"


@contextmanager
def open_past(
    root: str | None, ref: str | None, opened: tuple[Repository, str] | None = None
) -> Iterator[GitHistory]:
    """Open the first-parent history that ends at a revision (default: HEAD).

    `opened` is the root's repository, and the root's folder in it, where the caller has them.
    """
    from modelspec.cli.where import repository_of, require_registry
    from modelspec.world.history import GitHistory

    repository, prefix = opened or repository_of(root)[:2]
    tip = repository.resolve("HEAD" if ref is None else ref)
    require_registry(repository, prefix, tip)
    with GitHistory(repository, tip, prefix) as past:
        yield past
        if past.timeline.slow:
            click.echo(
                f"modelspec: {len(past.timeline):,} commits, and no commit-graph that knows them\n"
                f"  fix: {GRAPH}",
                err=True,
            )
