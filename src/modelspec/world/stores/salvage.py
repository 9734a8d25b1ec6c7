"""What a fetch that was killed had written whole is taken over by the next one, and not sent again."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from io import FileIO
from typing import Final

from modelspec.tree.finding import Refusal
from modelspec.tree.protocols import Progress, StoredFile
from modelspec.world.files import READ
from modelspec.world.folders import entered
from modelspec.world.parallel import each
from modelspec.world.stores.pour import hashed
from modelspec.world.stores.stage import TREE, Stage

_OTHERS: Final = 0o077


def salvaged(
    stage: Stage, left: int, wanted: Mapping[str, str], sizes: Mapping[str, int], progress: Progress
) -> tuple[StoredFile, ...]:
    """Move files out of a stage that was left behind, as far as they have their digest; return those.

    `left`: that stage, open and held; `wanted`: path to digest, `sizes` as far as they are known. A stage
    that others can write gives nothing, nor does a file that has another name, by which it could be written.
    """
    found = os.fstat(left)
    if found.st_uid != os.geteuid() or found.st_mode & _OTHERS:
        return ()
    taken = each(lambda path: _taken(stage, left, path, wanted[path], sizes.get(path), progress), wanted)
    return tuple(one for one in taken if one is not None)


def _taken(
    stage: Stage, left: int, path: str, digest: str, listed: int | None, progress: Progress
) -> StoredFile | None:
    *folders, name = path.split("/")
    try:
        with entered(left, [TREE, *folders]) as folder:
            with FileIO(os.open(name, READ, dir_fd=folder)) as stream:
                found = os.fstat(stream.fileno())
                whole = listed in (None, found.st_size)
                if not whole or not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
                    return None
                size, there = hashed(stream, found.st_size, lambda _: None)
            if there != digest:
                return None
            os.rename(name, f"{TREE}/{path}", src_dir_fd=folder, dst_dir_fd=stage.descriptor)
    except (OSError, Refusal):
        return None
    progress(size)
    return StoredFile(path, size, digest)
