"""Which of several things in one file is meant: the one called like the view, else the only one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeVar

from modelspec.formats.foreign import Unreadable, words

T = TypeVar("T")


def choose(found: Mapping[str, T], wanted: str, what: str) -> T:
    """Return the only one, or the one whose name is the view's, but for case and signs; else raise."""
    if not found:
        raise Unreadable(f"there is no {what} in it")
    if len(found) == 1:
        return next(iter(found.values()))
    alike = [name for name in found if name == wanted] or [
        name for name in found if _key(name) == _key(wanted)
    ]
    if len(alike) == 1:
        return found[alike[0]]
    told = "none of them is called like the view" if not alike else f"{words(alike)} are called like the view"
    raise Unreadable(
        f"it holds {len(found)} {what}s ({words(found)}), and {told}",
        f"name the view like the {what}: --view",
    )


def _key(name: str) -> str:
    return re.sub("[^a-z0-9]", "", name.rpartition(".")[2].casefold())
