"""Where the files of a request log lie: a local file or folder, a glob, or an fsspec URL.

Names in a log folder come from anybody: links are not followed, only regular files are opened, and nothing
above the root is reached. As Hive and Spark have it, a name that begins with `.` or `_` is no data.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol

from modelspec.tree.finding import Refusal
from modelspec.tree.record import Unreadable
from modelspec.tree.text import visible
from modelspec.world.folders import said

_OPEN: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_MAGIC: Final = frozenset("*?[")
_MAX_DEPTH: Final = 32
_EXTRAS: Final = {"s3": "s3", "http": "http", "https": "http"}


@dataclass(frozen=True, slots=True)
class Child:
    """One name in a folder. `kind` says what no record can be read from: a link, a socket."""

    name: str
    is_folder: bool
    kind: str = ""


class Place(Protocol):
    """A root below which log files lie; paths are relative to it, with `/`."""

    @property
    def shown(self) -> str:
        """What messages call it; without credentials."""
        ...

    def children(self, folder: str) -> Sequence[Child]:
        """Return the names in a folder, sorted; none when it is not there. Raises Refusal."""
        ...

    def open(self, path: str) -> BinaryIO:
        """Open a file to read. Raises OSError."""
        ...

    def address(self, path: str) -> str | None:
        """Return where other readers find the file: a local path; None when they can't."""
        ...


@dataclass(frozen=True, slots=True)
class LocalPlace:
    """A folder on this disk."""

    root: Path
    shown: str
    """What the caller named: the folder, or the file or pattern in it."""

    def children(self, folder: str) -> Sequence[Child]:
        """Return the names in a folder, sorted."""
        try:
            with os.scandir(self.root / folder) as entries:
                found = [_child(entry) for entry in entries]
        except (FileNotFoundError, NotADirectoryError):
            return ()
        except OSError as error:
            where = visible(str(self.root / folder), 200)
            raise Refusal(f"{where} can't be listed: {said(error)}") from None
        return sorted(found, key=lambda child: os.fsencode(child.name))

    def open(self, path: str) -> BinaryIO:
        """Open a regular file."""
        if self._behind_a_link(path):
            raise OSError("it lies behind a symbolic link")
        try:
            descriptor = os.open(self.root / path, _OPEN)
        except OSError as error:
            linked = error.errno == errno.ELOOP
            raise OSError("it is a symbolic link" if linked else said(error)) from None
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError("it is no regular file")
        return os.fdopen(descriptor, "rb")

    def address(self, path: str) -> str | None:
        """Return the local path, unless DuckDB would take it for a pattern, or it is not to be opened."""
        found = str(self.root / path)
        if _MAGIC & set(found) or not found.isprintable() or not _is_regular(found):
            return None
        return None if self._behind_a_link(path) else found

    def _behind_a_link(self, path: str) -> bool:
        """Whether a folder between the root and a file is a link, as a pattern can find one."""
        folder = os.path.dirname(path)  # noqa: PTH120
        return folder != "" and os.path.realpath(self.root / folder) != os.path.join(  # noqa: PTH118
            os.path.realpath(self.root), folder
        )


@dataclass(frozen=True, slots=True)
class UrlPlace:
    """A folder at a URL that fsspec knows; credentials come from the libraries' own chains."""

    root: str
    shown: str
    system: Any = field(repr=False)

    def children(self, folder: str) -> Sequence[Child]:
        """Return the names in a folder, sorted."""
        try:
            found = self.system.ls(f"{self.root}/{folder}".rstrip("/"), detail=True)
        except FileNotFoundError:
            return ()
        except Exception as error:
            # Each library raises classes of its own.
            raise Refusal(f"{self.shown} can't be listed: {type(error).__name__}") from None
        made = [
            Child(str(one["name"]).rstrip("/").rpartition("/")[2], one["type"] == "directory")
            for one in found
        ]
        return sorted((one for one in made if one.name), key=lambda child: child.name)

    def open(self, path: str) -> BinaryIO:
        """Open an object; reads are ranges of it."""
        try:
            found: BinaryIO = self.system.open(f"{self.root}/{path}", "rb")
        except OSError:
            raise
        except Exception as error:
            raise OSError(f"it can't be opened: {type(error).__name__}") from None
        return found

    def address(self, path: str) -> str | None:
        """Return None: it is read through fsspec alone."""
        return None


@dataclass(frozen=True, slots=True)
class Located:
    """A root, and the files in it that were asked for; None: all that lie there."""

    place: Place
    only: tuple[str, ...] | None

    def walk(self, under: str = "") -> Iterator[str | Unreadable]:
        """Yield the paths of all files, folder by folder, sorted; and what is no file."""
        if self.only is not None:
            yield from self.only
        else:
            yield from walk(self.place, under)


def walk(place: Place, under: str = "", depth: int = 0) -> Iterator[str | Unreadable]:
    """Yield the paths of all files below a folder, sorted; and what lies there but can hold no record."""
    for child in place.children(under):
        if child.name.startswith((".", "_")):
            continue
        path = f"{under}/{child.name}" if under else child.name
        if child.kind:
            yield Unreadable(visible(path, 200), f"it is {child.kind}")
        elif not child.is_folder:
            yield path
        elif depth >= _MAX_DEPTH:
            yield Unreadable(visible(path, 200), f"it lies more than {_MAX_DEPTH} folders deep")
        else:
            yield from walk(place, path, depth + 1)


def locate(path: str) -> Located:
    """Return where a log lies: PATH is a file, a folder, a glob, or a URL of one of these.

    Raises Refusal when nothing is there, or nothing is installed that reads such URLs.
    """
    if not path:
        # A variable that is not set must not stand for all that lies here.
        raise Refusal("the request log has no name: “”", "name a file, a folder, a glob or a URL")
    return _located_url(path) if "://" in path else _located(path)


def _located(path: str) -> Located:
    shown = visible(path, 200)
    here = Path(path)
    try:
        if here.is_dir():
            return Located(LocalPlace(here, shown), None)
        there = here.exists()
    except ValueError:
        there = False  # a NUL, which no path has
    if there:
        # What the caller names is followed, as `latest.jsonl` may well be a link; what lies beside it is not.
        here = here.resolve() if here.is_symlink() else here
        return Located(LocalPlace(here.parent, shown), (here.name,))
    if _MAGIC & set(path):
        # A pattern may cross folders: the root is what is before it.
        root = Path(_root_of(path))
        place = LocalPlace(root, shown)
        parts = [part for part in path.split("/") if part]
        fixed = next(at for at, part in enumerate(parts) if _MAGIC & set(part))
        names = sorted(set(_matching(place, parts[fixed:], "", set())))
        if names:
            return Located(place, tuple(names))
    raise Refusal(f"no request log at {shown}", "name a file, a folder, a glob or a URL")


def _matching(place: Place, pattern: Sequence[str], folder: str, seen: set[tuple[str, int]]) -> Iterator[str]:
    """Yield what matches a pattern below a folder, also what can't be opened.

    As a shell has it: `*` matches no leading dot, `**` any number of folders. Links are not followed: two of
    them to their own folder are more paths than anybody could read.
    """
    if (folder, len(pattern)) in seen or folder.count("/") > _MAX_DEPTH:
        return
    seen.add((folder, len(pattern)))
    head, rest = pattern[0], pattern[1:]
    deep = head == "**"
    if deep and rest:
        yield from _matching(place, rest, folder, seen)
    for child in place.children(folder):
        path = f"{folder}/{child.name}" if folder else child.name
        if child.name.startswith(".") and not head.startswith("."):
            continue
        if deep and child.is_folder:
            yield from _matching(place, pattern, path, seen)
        elif deep and not rest:
            yield path
        elif not deep and fnmatchcase(child.name, head):
            if not rest and not child.is_folder:
                yield path
            elif rest and child.is_folder:
                yield from _matching(place, rest, path, seen)
            elif rest and child.kind:
                yield path


def _root_of(path: str) -> str:
    parts = path.split("/")
    fixed = next(at for at, part in enumerate(parts) if _MAGIC & set(part))
    return "/".join(parts[:fixed]) or ("/" if path.startswith("/") else ".")


def _located_url(url: str) -> Located:
    scheme = url.partition("://")[0]
    try:
        import fsspec

        system, root = fsspec.core.url_to_fs(url)
    except (OSError, RuntimeError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        raise Refusal(f"{_shown(url)} can't be read: {visible(why, 100)}") from None
    except (ImportError, ValueError):
        extra = _EXTRAS.get(scheme)
        raise Refusal(
            f"nothing is installed that reads {visible(scheme)}:// logs",
            f'pip install "modelspec-gitops[{extra}]"'
            if extra
            else f"install the fsspec package for {visible(scheme)}:// (gcsfs, adlfs, ...)",
        ) from None
    shown = _shown(url)
    root = root.rstrip("/")
    try:
        if _MAGIC & set(root):
            names = sorted(system.glob(root))
            above = _root_of(root)
            only = tuple(str(name).removeprefix(above).lstrip("/") for name in names)
            if only:
                return Located(UrlPlace(above, shown, system), only)
        elif system.isdir(root):
            return Located(UrlPlace(root, shown, system), None)
        elif system.exists(root):
            above, _, name = root.rpartition("/")
            return Located(UrlPlace(above, shown, system), (name,))
    except Exception as error:
        # Each library raises classes of its own, whose words may hold an endpoint or a key.
        raise Refusal(f"{shown} can't be read: {type(error).__name__}") from None
    raise Refusal(f"no request log at {shown}", "name a file, a folder, a glob or a URL")


def _shown(url: str) -> str:
    """Return a URL without user info and query, where credentials are."""
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("?")[0].partition("/")
    return visible(f"{scheme}://{host.rpartition('@')[2]}{slash}{path}", 200)


def _is_regular(path: str) -> bool:
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return False


def _child(entry: os.DirEntry[str]) -> Child:
    if entry.is_symlink():
        return Child(entry.name, False, "a symbolic link")
    if entry.is_dir(follow_symlinks=False):
        return Child(entry.name, True)
    if entry.is_file(follow_symlinks=False):
        return Child(entry.name, False)
    return Child(entry.name, False, "no regular file")
