"""Opens what a verb reads: a work tree, or a revision of its repository."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

import click

from modelspec.spec.registry import Registry
from modelspec.tree.digest import sha256
from modelspec.world.child import ChildRenderer
from modelspec.world.clock import now
from modelspec.world.root import find_root
from modelspec.world.worktree import WorkTree


@dataclass(frozen=True, slots=True)
class Source:
    """A registry with its root on disk and the instant that it is judged at when none is given."""

    root: Path
    registry: Registry
    instant: datetime


@contextmanager
def open_registry(root: str | None, ref: str | None) -> Iterator[Source]:
    """Open the work tree at the root, or that revision of it; raises Refusal when there is none."""
    context = click.get_current_context(silent=True)
    given = root or (context.find_root().obj if context is not None else None)
    if ref is None:
        folder = find_root(given)
        with WorkTree(folder) as tree:
            yield Source(folder, Registry(tree), now())
        return
    from modelspec.world.git import is_bare, open_repository
    from modelspec.world.gittree import GitSnapshot

    # A bare repository has no work tree in which a root could be found.
    bare = given is not None and is_bare(Path(given))
    repository, prefix, folder = open_repository(given if bare else str(find_root(given)))
    commit = repository.resolve(ref)
    with GitSnapshot(repository, commit, prefix) as tree:
        yield Source(folder, Registry(tree), repository.commit_time(commit))


@contextmanager
def renderer() -> Iterator[ChildRenderer]:
    """Open the child that renders templates which are not the catalogue's own."""
    child = ChildRenderer()
    try:
        yield child
    finally:
        child.close()


def catalogue() -> Path:
    """Return the folder of the targets that modelspec ships."""
    shipped = Path(__file__).parent.parent / "catalogue"
    return shipped if shipped.is_dir() else Path(__file__).parents[3] / "templates"


@cache
def trusted() -> frozenset[str]:
    """Return the sha256 of every template that modelspec ships: these are rendered in this process."""
    return frozenset(sha256(path.read_bytes()) for path in sorted(catalogue().glob("*/*.j2")))
