"""What pip installs of a lock file: the lock itself, or its packages with their hashes as requirements."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from modelspec.formats.foreign import Unreadable
from modelspec.formats.lock import is_local, read_lock
from modelspec.formats.markers import CHOSEN
from modelspec.formats.strictjson import text_of
from modelspec.formats.uvlock import maps
from modelspec.tree.text import visible

_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_VERSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]*")
_HASH: Final = re.compile(r"sha256:[0-9a-f]{64}")
_MARKER: Final = re.compile(r"[A-Za-z0-9_ .'\"<>=!()~,*-]+")
_OPTION: Final = re.compile(r"(?m)^\s*-(?!-hash=)")


@dataclass(frozen=True, slots=True)
class Installable:
    """Requirements for pip, and whether each has hashes; `note` says what they were made of."""

    requirements: bytes
    hashed: bool
    note: str


def installable(source: bytes, python: str | None = None) -> Installable:
    """Return what pip installs of a lock; raises Unreadable for what is none, or none of pip's.

    `python`: the version of the Python that it is for, as far as it is known.
    """
    locked = read_lock(source, python)
    without = "" if locked.hashed else "; without hashes: it names versions, and not their bytes"
    if locked.shape == "requirements.txt":
        options = "; with options of its own, which pip obeys" if _OPTION.search(text_of(source)) else ""
        return Installable(source, locked.hashed, f"the lock itself{without}{options}")
    if locked.shape == "conda-lock.yml":
        raise Unreadable("pip can't install a conda-lock.yml", "conda-lock install --name reproduce lock/…")
    lines = [line for row in locked.rows for line in _lines(row)]
    hashed = all("--hash=" in line for line in lines)
    if not hashed:
        without = "; without hashes: it names versions, and not their bytes"
        lines = [line.split(" --hash=")[0] for line in lines]
    text = "\n".join(sorted(lines)) + "\n"
    return Installable(text.encode(), hashed, f"made of {locked.shape}, package by package{without}")


def _lines(row: dict[str, Any]) -> Iterator[str]:
    name, version = row.get("name"), row.get("version")
    if not isinstance(name, str) or not isinstance(version, str) or is_local(row):
        return
    if _NAME.fullmatch(name) is None or _VERSION.fullmatch(version) is None:
        raise Unreadable(f"{visible(name)} {visible(version)} is no package and version", None)
    if (kind := _elsewhere(row)) is not None:
        raise Unreadable(f"{visible(name)} is from no index, but by {kind}", None)
    marker = row.get("marker", row.get("markers"))
    # Requirements have no extras: pip would leave out what asks for one, or fail at it.
    whole = isinstance(marker, str) and _MARKER.fullmatch(marker) and not CHOSEN.search(marker)
    condition = f" ; {marker}" if whole else ""
    yield f"{name}=={version}{condition}" + "".join(f" --hash={one}" for one in sorted(set(_hashes(row))))


def _elsewhere(row: dict[str, Any]) -> str | None:
    """Say how a package comes that no index has: its name there may be another one's."""
    source = row.get("source")
    told = source if isinstance(source, dict) else {}
    kinds = {*told, str(told.get("type")), *row} & {"git", "url", "path", "file", "vcs", "archive"}
    kinds -= {"url"} if told.get("type") == "legacy" else set()
    return min(map(str, kinds)) if kinds else None


def _hashes(row: dict[str, Any]) -> Iterator[str]:
    """Yield the hashes of a package's files: `hash` (uv, poetry) or `hashes.sha256` (pylock)."""
    files = [one for key in ("wheels", "files") for one in maps(row.get(key))]
    files += [one for key in ("sdist", "archive") if isinstance(one := row.get(key), dict)]
    for file in files:
        given = file.get("hash")
        several = file.get("hashes")
        if given is None and isinstance(several, dict):
            given = f"sha256:{several.get('sha256')}"
        if isinstance(given, str) and _HASH.fullmatch(given):
            yield given
