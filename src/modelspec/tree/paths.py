"""Paths and names inside a repository: posix, relative, clean."""

from __future__ import annotations

import re
import unicodedata

NAME = r"[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?"
VIEW_NAME = r"[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?"
SEMVER = (
    r"(?:0|[1-9][0-9]{0,8})\.(?:0|[1-9][0-9]{0,8})\.(?:0|[1-9][0-9]{0,8})"
    r"(?:-(?:0|[1-9][0-9]{0,8}|[0-9]*[a-z-][0-9a-z-]*)(?:\.(?:0|[1-9][0-9]{0,8}|[0-9]*[a-z-][0-9a-z-]*))*)?"
)
_DEVICES = frozenset(
    [
        "con",
        "prn",
        "aux",
        "nul",
        "conin$",
        "conout$",
        *(f"{kind}{n}" for kind in ("com", "lpt") for n in "0123456789¹²³"),
    ]
)
MAX_PARTS = 64
"""Folders in folders, and the file: what is nested deeper can't even be removed again everywhere."""
_MAX_PATH = 1024
_MAX_PART = 255
"""In bytes of UTF-8: what object stores and file systems take."""
_UNCLEAN = re.compile("[\x00-\x1f\x7f-\x9f\\\\]")
_NO_TEXT = re.compile("[\ud800-\udfff]")
_IGNORED = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")
"""What macOS drops from a name."""


def name_trouble(name: str) -> str | None:
    """Say why a name that matches its pattern is still refused in a path, or None."""
    if ".." in name:
        return "has `..` in it"
    if name.endswith(".lock"):
        return "ends in .lock, which git reserves"
    if name.split(".", 1)[0] in _DEVICES:
        return "is a reserved device name"
    return None


def path_trouble(path: str) -> str | None:
    """Say why `path` is not a clean relative posix path, or None.

    Refused: empty, absolute, `.`/`..`/empty parts, a backslash, controls, device names, drive letters,
    what is longer or deeper than file systems take, what is no UTF-8, and `.git`: git commits nothing below
    it, and who enters the folder obeys what is in it.
    """
    if not path:
        return "is empty"
    if path.startswith("/"):
        return "is absolute"
    if _UNCLEAN.search(path):
        return "has a backslash or a control character"
    if _NO_TEXT.search(path):
        return "is not UTF-8"
    if _size(path) > _MAX_PATH:
        return f"has more than {_MAX_PATH:,} bytes"
    parts = path.split("/")
    if len(parts) > MAX_PARTS:
        return f"has more than {MAX_PARTS} parts"
    for part in parts:
        if part in ("", ".", ".."):
            return "has an empty, `.` or `..` part"
        if _size(part) > _MAX_PART:
            return f"has a part of more than {_MAX_PART} bytes"
        if ":" in part:
            return "has a colon"
        if part.endswith((".", " ")):
            return "has a part that ends in a dot or a space"
        # Spaces before the dot count as little as those at the end.
        if part.split(".", 1)[0].rstrip(" ").lower() in _DEVICES:
            return f"has the reserved device name {part!r}"
        if (part if part.isascii() else _IGNORED.sub("", part)).lower() in (".git", "git~1"):
            return "leads into .git"
    return None


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def fold(path: str) -> str:
    """Return what a case-insensitive, normalising file system would take the path for."""
    if path.isascii():
        return path.lower()
    path = _IGNORED.sub("", path)
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def clash(first: str, second: str) -> bool:
    """Whether two folded paths can't both be files: they are one, or one lies below the other."""
    return first == second or first.startswith(f"{second}/") or second.startswith(f"{first}/")
