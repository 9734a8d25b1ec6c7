"""`register --move`: what may be moved into a store, and the old names of what was."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modelspec.tree.finding import Refusal
from modelspec.tree.text import visible

if TYPE_CHECKING:
    from modelspec.spec.registry import Registry
    from modelspec.tree.protocols import Progress, SourceFile, Store, StoredTree
    from modelspec.world.stores.originals import Originals


def moving_of(given: dict[str, Any], root: Path, store: Store, stores: Sequence[Path]) -> Path | None:
    """Return the folder or file that is to be moved, None without `--move`; stops where it may not be."""
    from modelspec.world.stores.folder import FolderStore

    if not given["move"]:
        return None
    if any(given[name] is not None for name in ("from_mlflow", "from_dvc", "from_hf")):
        raise click.UsageError("--move takes --artifact: what another tool keeps is left where it is.")
    if len(given["artifact"]) != 1 or "://" in str(given["artifact"][0]):
        raise click.UsageError("--move takes one --artifact, a file or a folder of this machine.")
    if not isinstance(store, FolderStore):
        raise Refusal(
            f"{store.shown} is no folder: nothing can be moved into it", "leave --move out, and it is copied"
        )
    source = Path(given["artifact"][0])
    if source.is_symlink():
        raise Refusal(
            f"{visible(str(source), 200)} is a symbolic link", "name the file or folder that it leads to"
        )
    if os.path.lexists(source):
        _movable(source, [root / "registry", root / "compiled", root / "templates", *stores])
    return source


def gone(
    source: Path, store: Store, registry: Registry, model: str, version: str | None
) -> tuple[str, tuple[str, ...]]:
    """Finish what a killed run began; return what is registered already, and notes.

    Raises Refusal where the source is not there and no version says why.
    """
    from modelspec.spec.kinds import VERSION
    from modelspec.world.stores.folder import FolderStore
    from modelspec.world.stores.originals import finish

    shown = visible(str(source), 200)
    rest = finish(source, store.holds) if isinstance(store, FolderStore) else None
    entry = registry.get(VERSION, model, version) if version is not None else None
    digest = getattr(entry, "digest", None)
    if digest is None:
        told = f"; {rest}" if rest is not None else ""
        raise Refusal(
            f"{shown} does not exist{told}",
            f"name the model's file or folder; or an earlier run has moved it: `modelspec list {model}`",
        )
    note = f"{shown} does not exist, as after a move: nothing was compared"
    return f"{model} {version} is already registered: {version}@{digest}", (
        note,
        *((rest,) if rest is not None else ()),
    )


def put(
    store: Store, files: Sequence[SourceFile], source: Path | None, progress: Progress
) -> tuple[StoredTree, Originals | None, tuple[str, ...]]:
    """Store a tree; return what is to be left of its source, and notes."""
    from modelspec.world.files import LocalFile
    from modelspec.world.stores.folder import FolderStore

    if source is None or not isinstance(store, FolderStore):
        return store.put(files, progress), None, ()
    own = [one for one in files if isinstance(one, LocalFile) and _within(one.file, source)]
    if len(own) != len(files):
        raise Refusal(
            f"{visible(str(source), 200)} holds pointers to what git-LFS or DVC keeps",
            "leave --move out, and the bytes are copied",
        )
    tree, taken = store.take(own, progress)
    if isinstance(taken, str):
        return tree, None, (f"copied, and not moved: {taken}",)
    return tree, taken, ()


def settle(originals: Originals | None, source: Path | None, registered: bool) -> None:
    """Remove the source of what is registered; else say what has become of it."""
    if originals is None or source is None:
        return
    if registered:
        stays = originals.remove(source)
        if stays is not None:
            click.echo(f"modelspec: {stays}", err=True)
        return
    click.echo(
        f"modelspec: {visible(str(source), 200)} was not moved; its files are read-only now, "
        "since the store may share their bytes",
        err=True,
    )


def _movable(source: Path, besides: Sequence[Path]) -> None:
    from modelspec.world.files import walked
    from modelspec.world.folders import real

    shown, place = visible(str(source), 200), source.resolve()
    for one in map(real, besides):
        if place == one or place in one.parents or one in place.parents:
            raise Refusal(
                f"{shown} is part of the registry, or of a store, or holds it: it can't be moved",
                "name a folder, or a file, that holds the model alone",
            )
    if source.is_dir() and any(".git" in path.split("/") for path, _ in walked(source)):
        raise Refusal(f"{shown} holds a git repository", "name a folder that holds the model alone")
    if _followed(place):
        raise Refusal(
            f"git follows {shown}: moving it would delete it from the work tree",
            "leave --move out, and it is copied; or `git rm --cached` it first",
        )


def _followed(place: Path) -> bool:
    """Whether git follows a file, or anything in a folder; raises Refusal where git can't say."""
    from modelspec.world.git import open_repository

    folder = place if place.is_dir() else place.parent
    if not any(os.path.lexists(one / ".git") for one in (folder, *folder.parents)):
        return False
    repository = open_repository(str(folder))[0]
    done = repository.run("ls-files", "-z", "--", "." if place.is_dir() else f":(literal){place.name}")
    if done.code != 0:
        raise Refusal("git can't say which files it follows", "git ls-files says why")
    return bool(done.out)


def _within(file: Path, source: Path) -> bool:
    return file == source or source in file.parents
