"""Folders below a root as open descriptors: entered part by part, never through a link."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from modelspec.tree.finding import Refusal
from modelspec.tree.text import visible
from modelspec.world.durable import UNSUPPORTED
from modelspec.world.limits import MAX_DEPTH

_UNABLE: Final = (
    "its file system can't do what keeps a write whole (fsync of a folder, say), or takes no such name: use "
    "another file system, a local one"
)
_IN_THE_WAY: Final = "a file is where a folder is to be: name another place, or move it away"
_SPACE: Final = "free space there, then run this again"
_RIGHT: Final = "give yourself the right to write there, then run this again"
_MEND: Final = "mend that, then run this again"
_CURES: Final = {
    errno.ENOSPC: _SPACE,
    errno.EDQUOT: _SPACE,
    errno.EACCES: _RIGHT,
    errno.EPERM: _RIGHT,
    errno.EEXIST: _IN_THE_WAY,
    errno.ENOTDIR: _IN_THE_WAY,
    errno.EROFS: "mount it for writing, or name a folder on another file system",
    errno.ENAMETOOLONG: "name a shorter one",
    errno.EBUSY: "where a volume is mounted, name a folder in it",
}
_ENTER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_UNSAFE: Final = frozenset(["", ".", "..", ".git"])


def parts_of(path: str) -> tuple[str, ...]:
    """Return the parts of a path below the root; raises Refusal for one that could lead out, or into .git."""
    parts = tuple(path.split("/"))
    if "\0" in path or any(part.lower() in _UNSAFE for part in parts):
        raise Refusal(f"{visible(path)} is no path below the root", "use plain names, with `/` between them")
    return parts


@contextmanager
def opened(root: Path) -> Iterator[int]:
    """Open the root itself; links above it and the root being one are the user's business."""
    descriptor = _opened(root)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def entered(root: int, parts: Sequence[str], shown: str | None = None) -> Iterator[int]:
    """Enter a folder below another one; raises FileNotFoundError, or Refusal when a part is no folder.

    `shown` is what the refusal calls it, when the path from the registry's root is longer than `parts`.
    """
    descriptor = _entered(os.dup(root), parts, lambda depth: shown or "/".join(parts[:depth]))
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def opened_file(root: Path, path: str, flags: int) -> int:
    """Open a file below the root, itself no link and behind none; return its descriptor.

    Raises OSError, or Refusal when the root can't be opened or a part of the path is no folder.
    """
    *folders, name = path.split("/")
    folder = _entered(_opened(root), folders, lambda depth: "/".join((str(root), *folders[:depth])))
    try:
        return os.open(name, flags | os.O_NOFOLLOW, dir_fd=folder)
    finally:
        os.close(folder)


def _opened(root: Path) -> int:
    try:
        return os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise Refusal(f"{visible(str(root), 200)} can't be opened: {said(error)}") from None


def _entered(folder: int, parts: Sequence[str], shown: Callable[[int], str]) -> int:
    """Go from a folder to one below it; the first is closed, whatever comes of it.

    `shown` says what so many of the parts are called.
    """
    try:
        for depth, part in enumerate(parts, 1):
            try:
                inner = os.open(part, _ENTER, dir_fd=folder)
            except OSError as error:
                if error.errno in (errno.ENOTDIR, errno.ELOOP):
                    raise _not_a_folder(shown(depth), folder, part) from None
                raise
            os.close(folder)
            folder = inner
    except BaseException:
        os.close(folder)
        raise
    return folder


def _not_a_folder(path: str, folder: int, name: str) -> Refusal:
    """Return the refusal for something that stands where a folder belongs."""
    what = "a file"
    with suppress(OSError):
        if stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            what = "a symbolic link"
    return Refusal(
        f"{visible(path, 200)} is {what}, where a folder belongs",
        "nothing is read or written through it: remove it first",
    )


def is_folder(path: Path) -> bool:
    """Whether a path that the user named is a folder; False for what can't be a path at all."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def real(path: Path) -> Path:
    """Return where a path leads; of links that lead to one another, the path as far as it does.

    `Path.resolve` raises RuntimeError for those, up to Python 3.12.
    """
    return Path(os.path.realpath(path))


def discard(folder: int, name: str) -> None:
    """Remove a file, a link or a whole folder; nothing when it is not there. No link is followed."""
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        return
    except OSError as error:
        # POSIX says EPERM for a folder, Linux says EISDIR.
        if error.errno not in (errno.EISDIR, errno.EPERM):
            raise
        _discard_folder(folder, name)


def forget(folder: int, name: str) -> None:
    """Remove what is there, and do not mind when that fails: it has no name that anybody reads."""
    # A second try: what failed once, with a full disk or a flaky one, may work now.
    for _ in range(2):
        with suppress(OSError):
            discard(folder, name)
            return


def _discard_folder(above: int, name: str) -> None:
    descriptor = os.open(name, _ENTER, dir_fd=above)
    try:
        while _emptied(descriptor, descriptor, 0):
            pass
    finally:
        os.close(descriptor)
    os.rmdir(name, dir_fd=above)


def _emptied(folder: int, top: int, depth: int) -> bool:
    """Remove what is in a folder; whether some of it went up into `top` first.

    Each folder on the way is open, and so are only so many: what others nested deeper is moved up.
    """
    with os.scandir(folder) as entries:
        found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    moved = False
    for inner, is_folder in found:
        if not is_folder:
            os.unlink(inner, dir_fd=folder)
        elif depth > 2 * MAX_DEPTH:
            os.rename(inner, f"deep-{secrets.token_hex(8)}", src_dir_fd=folder, dst_dir_fd=top)
            moved = True
        else:
            descriptor = os.open(inner, _ENTER, dir_fd=folder)
            try:
                moved = _emptied(descriptor, top, depth + 1) or moved
            finally:
                os.close(descriptor)
            os.rmdir(inner, dir_fd=folder)
    return moved


def cure_of(error: OSError) -> str:
    """Return what to do when a write failed."""
    return _UNABLE if error.errno in UNSUPPORTED else _CURES.get(error.errno or 0, _MEND)


def cure_in(told: str) -> str:
    """Return what to do when git could not write, by the system's words in what it told."""
    if "Out of diskspace" in told:
        return _SPACE
    words = {os.strerror(number): _CURES[number] for number in (errno.ENOSPC, errno.EDQUOT, errno.EACCES)}
    found = (cure for word, cure in words.items() if word in told)
    return next(found, f"{_MEND}; `git fsck` says whether the repository is damaged")


def said(error: OSError) -> str:
    """Return the system's words for an error, as they stand inside a sentence."""
    return (error.strerror or "unknown error").lower()
