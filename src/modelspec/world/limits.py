"""How large a file and a tree may be: ten small git objects can describe ten billion files."""

from __future__ import annotations

from typing import Final

from modelspec.tree.clean import BULK
from modelspec.tree.finding import Fault
from modelspec.tree.snapshot import LIMIT

MAX_DEPTH: Final = 64
"""Folders in folders; a registry has seven."""
MAX_NODES: Final = 2_000_000
"""Files and folders of one walk; 300 versions a day for three years are 330,000."""


def too_large(size: int) -> Fault:
    """Return the fault of a file that has more bytes than any file of a registry may have."""
    return Fault("text-clean", f"the file has {size:,} bytes; the limit is {LIMIT:,}", BULK)
