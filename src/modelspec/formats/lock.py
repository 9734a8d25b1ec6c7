"""Which packages a lock file pins, at which version: requirements, uv, poetry, conda-lock, pylock."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from modelspec.formats.foreign import Unreadable
from modelspec.formats.looseyaml import read_yaml
from modelspec.formats.strictjson import text_of
from modelspec.tree.text import visible

_PINNED: Final = re.compile(
    r"([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)(?:\[[A-Za-z0-9._, -]*\])?\s*={2,3}\s*([^\s;#,*]+)\s*"
    r"(?:;[^#]*?)?((?:\s+--hash=\S+)*)\s*(?:#.*)?"
)
_COMMENT: Final = re.compile(r"(?:^|\s)#.*$")
_OPTION: Final = re.compile(r"--?[a-z]")
_ELSEWHERE: Final = re.compile(r"-[cer]|--(?:constraint|editable|requirement)\b")
"""An option that brings packages, or versions, which do not stand here."""
_HASH: Final = re.compile(r"--hash=(?:sha256|sha384|sha512):[0-9a-f]{64,128}(?!\S)")
_CREDENTIAL: Final = re.compile(r"://(?!git@|(?:\$\{\w+\}:?)+@)[^/\s\"'@]+@|/t/[A-Za-z0-9_-]{8,}/")
_LOCAL: Final = frozenset(["virtual", "editable", "directory"])
SHAPES: Final = "requirements.txt, uv.lock, poetry.lock, conda-lock.yml, pylock.toml"


@dataclass(frozen=True, slots=True)
class Locked:
    """Package -> version, by its normalised name; the Python, where exact; whether each has hashes."""

    shape: str
    packages: dict[str, str]
    python: str | None = None
    hashed: bool = True
    differing: tuple[str, ...] = ()
    """Packages that it pins at another version for another platform, which are not in `packages`."""


def read_lock(source: bytes) -> Locked:
    """Return what a lock file pins, told by its content; raises Unreadable, also for what pins nothing."""
    text = text_of(source)
    if re.match(r"(?:#[^\n]*\n|\s)*(?:\[|[A-Za-z][A-Za-z-]*\s*=\s*[^=])", text):
        found = _toml(text)
    elif re.search(r"(?m)^package:\s*$", text):
        found = _conda(source)
    else:
        found = _requirements(text)
    if not found.packages:
        raise Unreadable("it pins no packages", f"name a lock file: {SHAPES}")
    return found


def credential(source: bytes) -> int | None:
    """Return the line of a lock in which an address has a password or a token; None where none has."""
    found = _CREDENTIAL.search(text := text_of(source))
    return text.count("\n", 0, found.start()) + 1 if found is not None else None


def _toml(text: str) -> Locked:
    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise Unreadable(f"it is no TOML: {visible(str(error))}") from None
    if isinstance(data.get("packages"), list):
        return Locked("pylock.toml", _named(data["packages"]), hashed=_hashed(data["packages"]))
    if isinstance(data.get("package"), list):
        packages = _named(data["package"])
        requires = data.get("requires-python")
        shape = "uv.lock" if requires is not None or "revision" in data else "poetry.lock"
        return Locked(shape, packages, hashed=_hashed(data["package"]))
    raise Unreadable("it is TOML, but no lock file", f"name one of {SHAPES}")


def _named(rows: list[Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for row in rows:
        name = row.get("name") if isinstance(row, dict) else None
        version = row.get("version") if isinstance(row, dict) else None
        if isinstance(name, str) and isinstance(version, str) and not is_local(row):
            _put(found, name, version)
    return found


def is_local(row: Any) -> bool:
    """Whether a package of a TOML lock is the project itself, or lies in a folder: no index has either."""
    source = row.get("source") if isinstance(row, dict) else None
    told = source if isinstance(source, dict) else {}
    return bool(_LOCAL & {*told, str(told.get("type")), *(row if isinstance(row, dict) else ())})


def _hashed(rows: list[Any]) -> bool:
    return all("sha256" in str(row) or "hash" in str(row) or is_local(row) for row in rows)


def _conda(source: bytes) -> Locked:
    data = read_yaml(source)
    rows = data.get("package") if isinstance(data, dict) else None
    if not isinstance(rows, list):
        raise Unreadable("it is no conda-lock.yml", f"name one of {SHAPES}")
    # One list holds the packages of every platform: which of two versions serves, nobody said.
    several: dict[str, set[str]] = {}
    for row in rows:
        if isinstance(row, dict) and isinstance(name := row.get("name"), str):
            several.setdefault(_normal(name), set()).add(str(row.get("version", "")))
    found = {name: next(iter(versions)) for name, versions in several.items() if len(versions) == 1}
    python = found.pop("python", None)
    hashed = all("hash" in row for row in rows if isinstance(row, dict))
    return Locked("conda-lock.yml", found, python, hashed, tuple(sorted(several.keys() - found - {"python"})))


def _requirements(text: str) -> Locked:
    found: dict[str, str] = {}
    hashed = True
    for number, line in _lines(text):
        if _ELSEWHERE.match(line):
            raise Unreadable(
                f"line {number} brings what does not stand here: {visible(line)}",
                "lock all in one file (pip-compile --generate-hashes, uv pip compile)",
            )
        if not line or _OPTION.match(line):
            continue
        match = _PINNED.fullmatch(line)
        if match is None:
            raise Unreadable(
                f"line {number} pins nothing: {visible(line)}",
                "lock it first (pip-compile --generate-hashes, uv pip compile, pip freeze)",
            )
        _put(found, match[1], match[2])
        hashes = match[3].split()
        hashed = hashed and bool(hashes) and all(map(_HASH.fullmatch, hashes))
    return Locked("requirements.txt", found, None, hashed)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the logical lines, continued ones joined, without comments, with the number of their first."""
    held, first = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        line = _COMMENT.sub("", line)
        first = first or number
        if line.endswith("\\"):
            held += line[:-1] + " "
            continue
        yield first, (held + line).strip()
        held, first = "", 0
    if held:
        yield first, held.strip()


def _put(found: dict[str, str], name: str, version: str) -> None:
    key = _normal(name)
    if found.setdefault(key, version) != version:
        # uv may lock one package twice, for two platforms: neither is what runs everywhere.
        raise Unreadable(
            f"it pins {visible(name)} at {visible(found[key])} and at {visible(version)}",
            "lock for the platform that serves, alone",
        )


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
