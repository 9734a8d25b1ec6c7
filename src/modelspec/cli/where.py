"""Where a verb works: its root, and the repository around it. Imports nothing that only some verbs need."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from modelspec.tree.finding import Refusal
from modelspec.tree.text import visible
from modelspec.world.root import SETTINGS, find_root, within_bare

if TYPE_CHECKING:
    from modelspec.world.git import Repository

_SETTINGS: Final = f"/{SETTINGS.as_posix()}"


def root_of(root: str | None) -> Path:
    """Return the root that a verb works in: its own `--root`, the command's, or the one found from here."""
    return find_root(_given(root))


def _given(root: str | None) -> str | None:
    context = click.get_current_context(silent=True)
    return root or (context.find_root().obj if context is not None else None)


def repository_of(root: str | None) -> tuple[Repository, str, Path]:
    """Open the repository of the root; return it, the root's folder in it, and the root.

    A bare one has no work tree in which a root could be found: the root goes on from it (`forge.git/ml`).
    """
    from modelspec.world.git import open_repository

    given = _given(root)
    inside = within_bare(given) if given is not None else None
    if inside is None or given is None:
        return open_repository(str(find_root(given)))
    bare, below = inside
    return open_repository(str(bare))[0], below, Path(given)


def require_registry(repository: Repository, prefix: str, commit: str) -> None:
    """Refuse a folder of a bare repository that holds no registry at a commit: it may be mistyped."""
    if not repository.bare:
        return
    names = repository.run("ls-tree", "-r", "-z", "--name-only", "--full-tree", commit)
    found = [name for name in os.fsdecode(names.out).split("\0") if f"/{name}".endswith(_SETTINGS)]
    folders = [name[: -len(_SETTINGS) + 1].rstrip("/") or "." for name in found]
    if (prefix or ".") not in folders:
        here = "at the top of the repository" if not prefix else f"in {visible(prefix, 200)}"
        listed = ", ".join(visible(name, 120) for name in folders[:5])
        raise Refusal(
            f"there is no registry/modelspec.yaml {here} at {commit[:12]}",
            f"name a folder that holds one: {listed}" if folders else "name another revision: --ref REV",
        )
