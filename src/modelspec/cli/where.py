"""Where a verb works: its root, and the repository around it. Imports nothing that only some verbs need."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from modelspec.world.root import find_root

if TYPE_CHECKING:
    from modelspec.world.git import Repository


def root_of(root: str | None) -> Path:
    """Return the root that a verb works in: its own `--root`, the command's, or the one found from here."""
    return find_root(_given(root))


def _given(root: str | None) -> str | None:
    context = click.get_current_context(silent=True)
    return root or (context.find_root().obj if context is not None else None)


def repository_of(root: str | None) -> tuple[Repository, str, Path]:
    """Open the repository of the root; a bare one has no work tree in which a root could be found."""
    from modelspec.world.git import is_bare, open_repository

    given = _given(root)
    bare = given is not None and is_bare(Path(given))
    return open_repository(given if bare else str(find_root(given)))
