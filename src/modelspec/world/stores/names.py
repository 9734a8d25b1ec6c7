"""What a tree, and the listing beside it, are called in every store."""

from __future__ import annotations

from typing import Final

from modelspec.tree.digest import is_digest, stamp
from modelspec.tree.finding import Refusal
from modelspec.tree.text import visible

SUFFIX: Final = ".sha256sum"
"""What the name of a listing ends in, after that of its tree."""
REPAIR: Final = "put the artifact there again from where it was made"
"""The cure for a tree whose bytes are damaged or gone."""


def tree_name(digest: str) -> str:
    """Return what the tree of a digest is called: `sha256-<hex>`. Raises Refusal for what is no digest."""
    if not is_digest(digest):
        raise Refusal(f"{visible(digest)} is no digest", "write sha256: and 64 lower-case hex digits")
    return stamp(digest)
