"""Where the registry is: the folder that holds `registry/modelspec.yaml`."""

from __future__ import annotations

import os
from pathlib import Path

from modelspec.tree.finding import Refusal
from modelspec.tree.text import visible
from modelspec.world.folders import is_folder

SETTINGS = Path("registry") / "modelspec.yaml"


def find_root(given: str | None = None, here: Path | None = None) -> Path:
    """Return the root: the given folder, else MODELSPEC_ROOT, else the nearest one upwards from `here`.

    The search ends at the folder that holds `.git`, so that a registry which somebody put above the
    checkout (in a shared /tmp, say) is never taken for this one. Raises Refusal when there is none.
    """
    named = given if given is not None else os.environ.get("MODELSPEC_ROOT") or None
    if named is not None:
        folder = Path(named)
        if not _is_root(folder):
            shown = visible(named, 200)
            inside = within_bare(named)
            if inside is not None:
                what = "lies in a bare repository" if inside[1] else "is a bare repository"
                raise Refusal(
                    f"{shown} {what}: it has no files to read",
                    f"read a revision of it: --root {shown} and --ref REV",
                )
            what = "holds no registry/modelspec.yaml" if is_folder(folder) else "is not a folder"
            raise Refusal(
                f"{shown} {what}",
                f"name the folder that holds registry/, or start one: modelspec init {shown}",
            )
        return folder
    start = (here or _here()).absolute()
    for folder in (start, *start.parents):
        if _is_root(folder):
            return folder
        if os.path.lexists(folder / ".git"):
            break
    from modelspec.world.git import is_bare

    if is_bare(start):
        raise Refusal(
            f"{visible(str(start), 200)} is a bare repository: it has no files to read",
            "read a revision of it: --root . and --ref REV",
        )
    raise Refusal(
        f"there is no registry here: no registry/modelspec.yaml in {visible(str(start), 200)} or above it",
        "start one with `modelspec init`, or name its root with --root",
    )


def within_bare(named: str) -> tuple[Path, str] | None:
    """Return the bare repository that a path names or goes on from, and the folder in its trees; else None.

    `teams.git/ml` is the folder `ml` of a commit of `teams.git`; so is `ml` inside of `teams.git`. A root on
    disk comes first.
    """
    folder = Path(named)
    if _is_root(folder):
        return None
    # Loaded late: a check of a work tree runs no git.
    from modelspec.world.git import is_bare

    if is_bare(folder):
        return folder, ""
    whole = folder.absolute()
    for above in whole.parents:
        if is_bare(above):
            below = whole.relative_to(above).parts
            return None if ".." in below else (above, "/".join(below))
    return None


def _here() -> Path:
    try:
        return Path.cwd()
    except OSError:
        raise Refusal("the folder that this runs in is gone", "change to one that exists") from None


def _is_root(folder: Path) -> bool:
    try:
        return (folder / SETTINGS).is_file()
    except (OSError, ValueError):
        return False
