"""Reads the `sha256sum` listing of a tree. It is hostile: its paths become files somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from modelspec.tree.paths import fold, path_trouble
from modelspec.tree.text import visible

LIMIT: Final = 64 * 1024 * 1024
"""The most bytes of a listing: half a million files."""
_LINE: Final = re.compile(r"([0-9a-f]{64})  ([^\n]+)")


def read_listing(data: bytes) -> tuple[tuple[str, str], ...] | str:
    """Return (path, digest) of each file that a listing names, or, as text, why it is refused.

    Refused: anything but lines `<64 hex digits>  <path>` in byte order of the paths, no files at all, a
    path that `path_trouble` refuses, and paths that take one another's place on some file system.
    """
    if len(data) > LIMIT:
        return f"the listing has {len(data):,} bytes"
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return "the listing is not UTF-8"
    if not text:
        return "the listing names no files"
    if not text.endswith("\n"):
        return "the listing ends in the middle of a line"
    found: list[tuple[str, str]] = []
    for number, line in enumerate(text[:-1].split("\n"), start=1):
        match = _LINE.fullmatch(line)
        if match is None:
            return f"line {number} of the listing is not `<sha256>  <path>`"
        found.append((match[2], f"sha256:{match[1]}"))
    trouble = paths_trouble(path for path, _ in found)
    if trouble is not None:
        return trouble
    if [path for path, _ in found] != sorted((path for path, _ in found), key=str.encode):
        return "the listing is not sorted by path"
    return tuple(found)


def paths_trouble(paths: Iterable[str]) -> str | None:
    """Say why these can't all be files of one tree, or None."""
    taken: dict[str, str] = {}
    folders: dict[str, str] = {}
    for path in paths:
        trouble = path_trouble(path)
        if trouble is not None:
            return f"the path {visible(path)} {trouble}"
        folded = fold(path)
        other = taken.get(folded)
        if other is not None:
            same = "stands twice" if other == path else f"takes the same place as {visible(other)}"
            return f"the path {visible(path)} {same}"
        taken[folded] = path
        parts = path.split("/")
        for depth in range(1, len(parts)):
            above = "/".join(parts[:depth])
            known = folders.setdefault(fold(above), above)
            if known != above:
                return f"the folders {visible(known)} and {visible(above)} take the same place"
    for folded, path in taken.items():
        if folded in folders:
            return f"the path {visible(path)} is a file and a folder"
    return None
