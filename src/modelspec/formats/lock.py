"""Which packages a lock file pins, at which version: requirements, uv, poetry, conda-lock, pylock."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from modelspec.formats import uvlock
from modelspec.formats.foreign import Unreadable
from modelspec.formats.looseyaml import read_yaml
from modelspec.formats.markers import Platforms
from modelspec.formats.strictjson import LIMIT, text_of
from modelspec.tree.text import visible

_PINNED: Final = re.compile(
    r"([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)(?:\[[A-Za-z0-9._, -]*\])? ?={2,3} ?([^\s;#,*]+) ?"
    r"(?:;([^#]*))?(?:#.*)?"
)
"""A package and its marker. Single spaces only: several in a row would be parted in every way there is."""
_COMMENT: Final = re.compile(r"(?:^|\s)#.*$")
_OPTION: Final = re.compile(r"--?[a-z]")
_ELSEWHERE: Final = ("--constraint", "--editable", "--requirement")
"""Options that bring packages, or versions, which do not stand here."""
_LONGEST: Final = 16_000
"""The most characters of an option: what parts it into words as a shell does takes the square of its time."""
_HASH: Final = re.compile(r"--hash=(?:sha256|sha384|sha512):[0-9a-f]{64,128}(?!\S)")
_CREDENTIAL: Final = re.compile(
    r"://(?!git@|(?:\$\{\w+\}:?)+@)[^/\s\"'@]+@|/t/[A-Za-z0-9_-]{8,}/"
    r"|(?i:[?&](?:[a-z0-9_-]*(?:token|password|secret|signature)|sig|[a-z_-]*key))=(?!\$\{)[^\s&#\"']+"
)
SHAPES: Final = "requirements.txt, uv.lock, poetry.lock, conda-lock.yml, pylock.toml"


class SeveralError(Unreadable):
    """It pins a package at several versions, and nobody said for which Python it is meant."""


@dataclass(frozen=True, slots=True)
class Locked:
    """Package -> version, by its normalised name; the Python, where exact; whether each has hashes."""

    shape: str
    packages: dict[str, str]
    python: str | None = None
    hashed: bool = True
    differing: tuple[str, ...] = ()
    """Packages that it pins at another version for another platform, which are not in `packages`."""
    rows: tuple[dict[str, Any], ...] = ()
    """The packages of a lock in TOML that are installed, as they stand there."""


def read_lock(source: bytes, python: str | None = None) -> Locked:
    """Return what a lock file pins, told by its content; raises Unreadable, also for what pins nothing.

    A lock may be for many platforms at once. `python`: the version, as far as it is known, of the Python
    on Linux that is meant; None takes everything that stands there, whatever its markers say, and raises
    SeveralError where that is too much.
    """
    if len(source) > LIMIT:
        raise Unreadable(
            f"it has more than {LIMIT // 1024 // 1024} MiB, which is the most that is read of one",
            "lock for what serves, alone",
        )
    text = text_of(source)
    places = None if python is None else Platforms(python, text)
    if re.match(r"(?:#[^\n]*\n|\s)*(?:\[|[A-Za-z][A-Za-z-]*\s*=\s*[^=])", text):
        found = _toml(text, python, places)
    elif re.search(r"(?m)^package:\s*$", text):
        found = _conda(source, python)
    else:
        found = _requirements(text, python, places)
    if not found.packages:
        raise Unreadable("it pins no packages", f"name a lock file: {SHAPES}")
    return found


def credential(source: bytes) -> int | None:
    """Return the line of a lock in which an address has a password or a token; None where none has."""
    found = _CREDENTIAL.search(text := text_of(source))
    return text.count("\n", 0, found.start()) + 1 if found is not None else None


def _toml(text: str, python: str | None, places: Platforms | None) -> Locked:
    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise Unreadable(f"it is no TOML: {visible(str(error))}") from None
    requires = data.get("requires-python")
    if isinstance(data.get("packages"), list):
        shape, rows = "pylock.toml", data["packages"]
    elif isinstance(data.get("package"), list):
        shape = "uv.lock" if requires is not None or "revision" in data else "poetry.lock"
        rows = data["package"]
        if shape == "poetry.lock" and isinstance(data.get("metadata"), dict):
            requires = data["metadata"].get("python-versions")
    else:
        raise Unreadable("it is TOML, but no lock file", f"name one of {SHAPES}")
    hashed = _hashed(rows)
    if places is not None:
        if isinstance(requires, str) and not places.fits(requires):
            raise _another(visible(requires), python)
        rows = uvlock.installed(data, places) if shape == "uv.lock" else _held(rows, places)
    kept = tuple(row for row in rows if isinstance(row, dict))
    return Locked(shape, _named(kept, python, _older(data, shape)), hashed=hashed, rows=kept)


def _older(data: dict[str, Any], shape: str) -> str | None:
    """Return what to do where a lock of Poetry has no markers: those before 2.0 wrote none."""
    metadata = data.get("metadata")
    written = str(metadata.get("lock-version")) if isinstance(metadata, dict) else ""
    if shape != "poetry.lock" or re.fullmatch(r"1\.[0-9]+|2\.0", written) is None:
        return None
    return (
        "this lock does not say where each is meant: run `poetry lock` of Poetry 2.0 or newer, which keeps "
        "the versions and writes the markers"
    )


def _another(wanted: str, python: str | None) -> Unreadable:
    return Unreadable(
        f"it is for Python {wanted}, and not for {visible(str(python))}",
        "name the lock of the Python that serves, or its --python",
    )


def _held(rows: list[Any], places: Platforms) -> list[Any]:
    """Return the rows whose own markers hold somewhere, and that this Python can install."""

    def held(row: Any) -> bool:
        requires = row.get("python-versions") if isinstance(row, dict) else None
        if isinstance(requires, str) and not places.fits(requires):
            return False
        told = (row.get("marker") or row.get("markers")) if isinstance(row, dict) else None
        # Poetry writes a marker for each of several groups.
        several = list(told.values()) if isinstance(told, dict) else [told]
        return any(not isinstance(one, str) or places.where(one) for one in several)

    return [row for row in rows if held(row)]


def _named(rows: Iterable[dict[str, Any]], python: str | None, older: str | None) -> dict[str, str]:
    found: dict[str, str] = {}
    for row in rows:
        name, version = row.get("name"), row.get("version")
        if isinstance(name, str) and isinstance(version, str) and not is_local(row):
            _put(found, name, version, python, older)
    return found


def is_local(row: Any) -> bool:
    """Whether a package of a TOML lock is the project itself, or lies in a folder: no index has either."""
    source = row.get("source") if isinstance(row, dict) else None
    told = source if isinstance(source, dict) else {}
    return bool(uvlock.LOCAL & {*told, str(told.get("type")), *(row if isinstance(row, dict) else ())})


def _hashed(rows: list[Any]) -> bool:
    return all("sha256" in str(row) or "hash" in str(row) or is_local(row) for row in rows)


def _conda(source: bytes, python: str | None) -> Locked:
    data = read_yaml(source)
    rows = data.get("package") if isinstance(data, dict) else None
    if not isinstance(rows, list):
        raise Unreadable("it is no conda-lock.yml", f"name one of {SHAPES}")
    # One list holds the packages of every platform: of two processors, which one serves nobody said.
    several: dict[str, set[str]] = {}
    maps = [row for row in rows if isinstance(row, dict)]
    for row in [row for row in maps if str(row.get("platform")).startswith("linux-")] or maps:
        if isinstance(name := row.get("name"), str):
            several.setdefault(_normal(name), set()).add(str(row.get("version", "")))
    found = {name: next(iter(versions)) for name, versions in several.items() if len(versions) == 1}
    own = found.pop("python", None)
    if python is not None and own is not None and not f"{own}.".startswith(f"{python}."):
        raise _another(visible(own), python)
    hashed = all("hash" in row for row in maps)
    return Locked("conda-lock.yml", found, own, hashed, tuple(sorted(several.keys() - found - {"python"})))


def _requirements(text: str, python: str | None, places: Platforms | None) -> Locked:
    found: dict[str, str] = {}
    hashed = True
    for number, line in _lines(text):
        if line.startswith("-") and len(line) > _LONGEST:
            raise Unreadable(
                f"line {number} is an option of {len(line):,} characters, where {_LONGEST:,} are the most",
                "write the lock again (pip-compile --generate-hashes, uv pip compile)",
            )
        if _brings(line):
            raise Unreadable(
                f"line {number} brings what does not stand here: {visible(line)}",
                "lock all in one file (pip-compile --generate-hashes, uv pip compile)",
            )
        if not line or _OPTION.match(line):
            continue
        pinned, hashes = _parted(line)
        match = _PINNED.fullmatch(pinned)
        if match is None:
            raise Unreadable(
                f"line {number} pins nothing: {visible(line)}",
                "lock it first (pip-compile --generate-hashes, uv pip compile, pip freeze)",
            )
        marker = (match[3] or "").strip()
        if not marker or places is None or places.where(marker):
            _put(found, match[1], match[2], python)
        hashed = hashed and bool(hashes) and all(map(_HASH.fullmatch, hashes))
    return Locked("requirements.txt", found, None, hashed)


def _brings(line: str) -> bool:
    """Whether an option brings packages: pip also takes it after others, in quotes, or cut short."""
    if not line.startswith("-"):
        return False
    try:
        words = shlex.split(line)
    except ValueError:
        words = line.split()
    names = [word.partition("=")[0] for word in words]
    return any(
        re.match(r"-[cer]", name) or (len(name) > 3 and any(one.startswith(name) for one in _ELSEWHERE))
        for name in names
    )


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


def _parted(line: str) -> tuple[str, list[str]]:
    """Return what a line pins, with single spaces in it, and the hashes that it ends in."""
    words = line.split()
    end = len(words)
    while end and words[end - 1].startswith("--hash="):
        end -= 1
    return " ".join(words[:end]), words[end:]


def _put(
    found: dict[str, str], name: str, version: str, python: str | None, older: str | None = None
) -> None:
    key = _normal(name)
    if found.setdefault(key, version) == version:
        return
    several = f"it pins {visible(name)} at {visible(found[key])} and at {visible(version)}"
    if python is None:
        raise SeveralError(several, "say which Python serves (--python), or lock for what serves, alone")
    if older is not None:
        raise Unreadable(f"{several}, also for Python {visible(python)} on Linux alone", older)
    # Told apart by the processor, by extras, or by a release of Python that was not named.
    fix = "lock for what serves, alone, as with uv pip compile --python-platform or uv export --extra"
    whole = "; or name the --python whole, as in 3.11.7" if python.count(".") == 1 else ""
    raise Unreadable(f"{several}, also for Python {visible(python)} on Linux alone", fix + whole)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
