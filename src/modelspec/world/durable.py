"""What outlives a power cut: flushing of files and folders, and the swap of two names in one step."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import sys
from collections.abc import Callable
from functools import cache
from typing import Any, Final

CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_RENAME_EXCHANGE: Final = 2
"""Linux: RENAME_EXCHANGE of renameat2; macOS: RENAME_SWAP of renameatx_np. Both are 2."""
_BEGIN: Final = 2
"""Linux: SYNC_FILE_RANGE_WRITE."""
_CLONE: Final = 0x40049409
"""Linux: FICLONE, as nearly every architecture numbers it; the others refuse this number."""
UNSUPPORTED: Final = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP)
"""What a file system says that can't do a thing at all."""


def flush(descriptor: int) -> None:
    """Return when what was written to a file, or the names in a folder, are on the disk."""
    full = getattr(fcntl, "F_FULLFSYNC", None)
    if full is None:
        os.fsync(descriptor)
        return
    # macOS: fsync leaves the data in the drive's own cache.
    fcntl.fcntl(descriptor, full)


def can_flush_all() -> bool:
    """Whether this system can flush a whole file system and say when that failed."""
    return _function("syncfs") is not None


def flush_all(descriptor: int) -> None:
    """Flush the whole file system that a descriptor is on, where `can_flush_all`."""
    function = _function("syncfs")
    if function is not None:
        _call(function, descriptor)


def begin_writing(descriptor: int, start: int, size: int) -> None:
    """Have the system begin to write a part of a file to the disk, without waiting: advice, and no more.

    Nothing of it is believed: what fails is said by the `flush` that follows. Linux: sync_file_range with
    SYNC_FILE_RANGE_WRITE alone, which takes no error away from a later fsync.
    """
    function = _function("sync_file_range")
    if function is not None:
        function(descriptor, start, size, _BEGIN)


def clone(source: int, target: int) -> bool:
    """Have a new, empty file share the blocks of another one; False, and still empty, where that can't be.

    Both must be of one file system that can (btrfs, XFS, bcachefs); a later write to one leaves the other.
    """
    if sys.platform != "linux":
        return False
    try:
        fcntl.ioctl(target, _CLONE, source)
    except OSError:
        # Most often: not supported. Whatever else it was, copying meets it again, and says so.
        os.ftruncate(target, 0)
        return False
    return True


def write(descriptor: int, data: memoryview) -> None:
    """Write all of the data where the file is now."""
    while data:
        data = data[taken(os.write(descriptor, data)) :]


def taken(count: int) -> int:
    """Return how many bytes a write has taken; raises OSError for none, which no disk does.

    A file system of a program (FUSE) may answer so, and again and again: waiting for it has no end.
    """
    if count < 1:
        raise OSError(errno.EIO, os.strerror(errno.EIO))
    return count


def create(folder: int, name: str, data: bytes, *, mode: int | None = None, flushed: bool = True) -> None:
    """Write a new file in a folder; raises OSError, and leaves what it wrote, when that fails.

    `mode` is the file's permissions; without it, what the umask leaves of 0o666.
    """
    descriptor = os.open(name, CREATE, 0o666, dir_fd=folder)
    try:
        if mode is not None:
            os.fchmod(descriptor, mode)
        write(descriptor, memoryview(data))
        if flushed:
            flush(descriptor)
    finally:
        os.close(descriptor)


def exchange(one_folder: int, one: str, two_folder: int, two: str) -> bool:
    """Swap what two names stand for, in one step; False where the file system can't."""
    function = _function("renameatx_np" if sys.platform == "darwin" else "renameat2")
    if function is None:
        return False
    try:
        _call(function, one_folder, os.fsencode(one), two_folder, os.fsencode(two), _RENAME_EXCHANGE)
    except OSError as error:
        if error.errno in UNSUPPORTED:
            return False
        raise
    return True


@cache
def _function(name: str) -> Callable[..., int] | None:
    found: Any = getattr(ctypes.CDLL(None, use_errno=True), name, None)
    return None if found is None else _declared(found, name)


def _declared(function: Any, name: str) -> Callable[..., int]:
    function.restype = ctypes.c_int
    function.argtypes = {
        "syncfs": [ctypes.c_int],
        "sync_file_range": [ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint],
    }.get(name, [ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint])
    found: Callable[..., int] = function
    return found


def _call(function: Callable[..., int], *arguments: int | bytes) -> None:
    while function(*arguments) != 0:
        number = ctypes.get_errno()
        if number != errno.EINTR:
            raise OSError(number, os.strerror(number))
