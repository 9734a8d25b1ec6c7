"""A snapshot of a Hugging Face repository as its client leaves it on disk: links into `blobs/`, or files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from modelspec.tree.finding import Refusal
from modelspec.tree.protocols import SourceFile
from modelspec.tree.text import visible
from modelspec.world.files import LocalFile, local_tree
from modelspec.world.folders import real
from modelspec.world.source import Source, source_from

_CACHED: Final = re.compile(r"models--([A-Za-z0-9._-]+?)--([A-Za-z0-9._-]+)")
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_OWN: Final = (".cache/", ".git/", ".gitattributes")
"""What the client and git keep beside the files."""


@dataclass(frozen=True, slots=True)
class HubFolder:
    """Its files; the repository and the commit, where the folder's place in the cache names them."""

    source: Source
    repository: str | None
    revision: str | None


def hub_folder(folder: Path) -> HubFolder:
    """Return a downloaded snapshot. A link is followed only into the `blobs/` of the same repository."""
    shown = visible(str(folder), 200)
    if not folder.is_dir():
        raise Refusal(f"{shown} is no folder", "name the folder that snapshot_download printed")
    place = folder.resolve()
    cached = _CACHED.fullmatch(place.parent.parent.name) if place.parent.name == "snapshots" else None
    files: list[SourceFile] = []
    for one in local_tree(place, _OWN):
        target = one.file
        if one.file.is_symlink():
            target = real(one.file)
            if cached is None or target.parent != place.parent.parent / "blobs":
                raise Refusal(f"{visible(one.path)} in {shown} is a link that leads out of its repository")
        files.append(LocalFile(one.path, target))
    known = cached is not None and _COMMIT.fullmatch(place.name) is not None
    return HubFolder(
        source_from(files),
        f"{cached[1]}/{cached[2]}" if cached is not None else None,
        place.name if known else None,
    )
