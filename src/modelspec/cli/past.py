"""Opens the history of a registry, for the verbs that look back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from modelspec.world.history import GitHistory

GRAPH = "git commit-graph write --reachable --changed-paths"


@contextmanager
def open_past(root: str | None, ref: str | None) -> Iterator[GitHistory]:
    """Open the first-parent history that ends at a revision (default: HEAD)."""
    from modelspec.world.git import is_bare, open_repository
    from modelspec.world.history import GitHistory
    from modelspec.world.root import find_root

    context = click.get_current_context(silent=True)
    given = root or (context.find_root().obj if context is not None else None)
    # A bare repository has no work tree in which a root could be found.
    bare = given is not None and is_bare(Path(given))
    repository, prefix, _ = open_repository(given if bare else str(find_root(given)))
    with GitHistory(repository, repository.resolve(ref or "HEAD"), prefix) as past:
        yield past
        if past.timeline.slow:
            click.echo(
                f"modelspec: {len(past.timeline):,} commits, and no commit-graph that knows them\n"
                f"  fix: {GRAPH}",
                err=True,
            )
