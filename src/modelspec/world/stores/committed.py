"""Which files of a store in a folder a commit has to hold, so that a clone has what its versions name."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from modelspec.tree.digest import stamp
from modelspec.tree.finding import Refusal
from modelspec.tree.text import plural, visible
from modelspec.world.git import NoRepository, Repository, open_repository
from modelspec.world.stores.folder import FolderStore
from modelspec.world.stores.names import SUFFIX

_CHANGING: Final = ("filter", "text", "eol", "ident", "working-tree-encoding")
"""Attributes by which git commits, or checks out, other bytes than those that lie there."""
_HARMLESS: Final = ("unspecified", "unset")


class _Replaced(Refusal):
    """git-LFS commits a pointer in place of a file, and brings the file back."""


def committed(root: Path, store: FolderStore, trees: Sequence[str]) -> tuple[dict[str, Path], str | None]:
    """Return (path below the root -> file) of the trees and their listings; or nothing, and why, as a note.

    A store that git ignores as a whole stays out, and so does one that is reached by a link. Raises Refusal
    where git would leave single files of it out, or give others than those bytes (git-LFS, line ends): their
    digests would not hold in a clone.
    """
    root, folder = root.absolute(), _below(root, store)
    repository = open_repository(str(root))[0]
    if store.root.resolve() != root.resolve() / folder:
        shown = visible(folder)
        return {}, f"{shown} is reached by a link: the bytes are where it leads, and not in the commit"
    if _ignored(repository, root, [f"{folder}/"]):
        return {}, f"git ignores {visible(folder)}/: the bytes are in the store here, and not in the commit"
    files: dict[str, Path] = {}
    for digest in trees:
        tree = f"{folder}/{stamp(digest)}"
        for path in (*(f"{tree}/{path}" for path in store.files(digest)), tree + SUFFIX):
            files[path] = root / path
    ignored = _ignored(repository, root, list(files))
    if ignored:
        raise Refusal(
            f"git ignores {plural(len(ignored), 'file')} of the store, such as {visible(ignored[0], 200)}: "
            "a commit of them would not be whole",
            f"let git follow {visible(folder)}/, or ignore all of it; `git check-ignore -v` names the line",
        )
    changed = _changed(repository, root, list(files))
    if changed is not None:
        path, attribute = changed
        raise (_Replaced if attribute == "filter=lfs" else Refusal)(
            f"git would change {visible(path, 200)} ({visible(attribute)}): in a clone it is another file",
            f"write `* -text -filter` into {visible(folder)}/.gitattributes; or, for git-LFS, run this "
            f"without --commit, then git add {visible(folder)} registry and commit",
        )
    return files, None


def to_commit(root: Path, store: FolderStore, trees: Sequence[str]) -> tuple[dict[str, Path], str | None]:
    """Return what a commit by hand has to hold of the store, as `committed`; what is wrong with it is a note.

    Nothing of a store that has no place in a commit. Files of git-LFS are committed as it does.
    """
    try:
        files, note = committed(root, store, trees)
    except NoRepository:
        return {}, None
    except Refusal as refusal:
        said = None if isinstance(refusal, _Replaced) else refusal.message
        return {f"{_below(root, store)}/{stamp(digest)}": store.root for digest in trees}, said
    return files, note if files else None


def _below(root: Path, store: FolderStore) -> str:
    return store.root.absolute().relative_to(root.absolute()).as_posix()


def _ignored(repository: Repository, root: Path, paths: Sequence[str]) -> list[str]:
    given = b"".join(
        os.fsencode(str(root / path) + ("/" if path.endswith("/") else "")) + b"\0" for path in paths
    )
    done = repository.write("check-ignore", "--no-index", "-z", "--stdin", given=given)
    if done.code not in (0, 1):
        raise Refusal("git can't say what it ignores", "run `git status`")
    return [os.fsdecode(path) for path in done.out.split(b"\0") if path]


def _changed(repository: Repository, root: Path, paths: Sequence[str]) -> tuple[str, str] | None:
    given = b"".join(os.fsencode(str(root / path)) + b"\0" for path in paths)
    done = repository.write("check-attr", "-z", "--stdin", *_CHANGING, given=given)
    if done.code != 0:
        raise Refusal("git can't say which attributes files have", "run `git status`")
    parts = [os.fsdecode(part) for part in done.out.split(b"\0")]
    for path, attribute, value in zip(parts[0::3], parts[1::3], parts[2::3], strict=False):
        if value not in _HARMLESS:
            return path, f"{attribute}={value}"
    return None
