"""Who may need others, looked for before anything is read: imports nothing that takes time to load."""

from __future__ import annotations

from typing import Final

from modelspec.tree.snapshot import Snapshot, ahead, read, search_ahead

MODELS: Final = "registry/models"
NEEDS: Final = ("\\", "needs")
"""What a version that needs others has in its file: the word, or an escape that may spell it."""
FEW: Final = 64
"""The versions of so many models are read sooner than all files are searched."""
_TRIED: Final = 8
_DENSE: Final = 12
"""So many versions of a model are searched in the time that it takes to read those that one pin names."""


def begin_needs(tree: Snapshot, environment: str) -> bool:
    """Begin the search for who may need others, where that is quicker than to look at what is pinned.

    That is so where all versions will be asked for, as a window does, and where they are few for each pin.
    Else git begins to read the pins. Returns whether it is the search.
    """
    folder = f"registry/environments/{environment}/models"
    pins = [name for name, is_folder in tree.ls(folder) if not is_folder]
    if len(pins) > FEW and (_windowed(tree, environment) or _dense(tree, pins)):
        search_ahead(tree, MODELS, NEEDS)
        return True
    ahead(tree, [f"{folder}/{name}" for name in pins])
    return False


def _windowed(tree: Snapshot, environment: str) -> bool:
    """Whether an environment may have a window, by the bytes of its file."""
    data = read(tree.get(f"registry/environments/{environment}/environment.yaml"))
    return data is not None and any(word in data for word in (b"window", b"\\"))


def _dense(tree: Snapshot, pins: list[str]) -> bool:
    """Whether the models that are pinned have few versions, by looking at some of them."""
    tried = pins[:: max(1, len(pins) // _TRIED)]
    counts = [len(tree.ls(f"{MODELS}/{name.removesuffix('.yaml')}/versions")) for name in tried]
    return sum(counts) <= _DENSE * len(counts)
