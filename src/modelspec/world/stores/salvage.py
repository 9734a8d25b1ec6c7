"""What a fetch that ended early has left is taken over by the next one, and not sent again.

Files that are whole by their digest are moved. Of one that is not, the bytes that are there are hashed, and
the rest is asked for; if all together does not have the digest, it is fetched anew.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Final

from modelspec.tree.finding import Refusal
from modelspec.tree.protocols import Progress, StoredFile
from modelspec.tree.text import visible
from modelspec.world.files import READ, whole
from modelspec.world.folders import entered
from modelspec.world.parallel import each
from modelspec.world.stores.pour import Begun
from modelspec.world.stores.stage import TREE, Stage
from modelspec.world.waiting import say

_OTHERS: Final = 0o077


def salvaged(
    stage: Stage, left: int, wanted: Mapping[str, str], sizes: Mapping[str, int], progress: Progress
) -> Mapping[str, StoredFile]:
    """Move files out of a stage that was left behind, as far as they have their digest; return those by path.

    What may be the beginning of a file is moved as well, and noted as `begun`. `left`: that stage, open and
    held; `wanted`: path to digest, `sizes` as far as they are known. A stage that others can write gives
    nothing, nor does a file that has another name, by which it could be written.
    """
    found = os.fstat(left)
    if found.st_uid != os.geteuid() or found.st_mode & _OTHERS:
        return {}
    taken = each(lambda path: _taken(stage, left, path, wanted[path], sizes.get(path), progress), wanted)
    return {one.path: one for one in taken if one is not None}


def _taken(
    stage: Stage, left: int, path: str, digest: str, listed: int | None, progress: Progress
) -> StoredFile | None:
    *folders, name = path.split("/")
    found, size, known = hashlib.sha256(), 0, stage.begun.get(path)
    try:
        with entered(left, [TREE, *folders]) as folder:
            with FileIO(os.open(name, READ, dir_fd=folder)) as stream:
                there = os.fstat(stream.fileno())
                if not stat.S_ISREG(there.st_mode) or there.st_nlink != 1:
                    return None
                if listed is not None and there.st_size > listed:
                    return None
                for chunk in whole(stream, there.st_size):
                    found.update(chunk)
                    size += len(chunk)
                proven = f"sha256:{found.hexdigest()}" == digest
                if not proven and (size == listed or size <= (known.size if known is not None else 0)):
                    return None
                if not proven:
                    os.fchmod(stream.fileno(), 0o600)
            os.rename(name, f"{TREE}/{path}", src_dir_fd=folder, dst_dir_fd=stage.descriptor)
    except (OSError, Refusal):
        return None
    if not proven:
        stage.begun[path] = Begun(size, found)
        return None
    stage.begun.pop(path, None)
    progress(size)
    return StoredFile(path, size, digest)


@contextmanager
def staying(stage: Stage, target: Path) -> Iterator[None]:
    """Leave a stage for the next fetch where the block ends early, and say so.

    Not where the disk fails: one that is full needs the space.
    """
    try:
        yield
    except OSError:
        raise
    except BaseException:
        size = sum(
            os.stat(name, dir_fd=folder, follow_symlinks=False).st_size
            for _, _, names, folder in os.fwalk(TREE, dir_fd=stage.descriptor)
            for name in names
        )
        if size:
            stage.stays = True
            place = visible(str(target.absolute().parent / stage.name), 200)
            say(f"{size:,} bytes that have come stay in {place}: run this again to go on there, or remove it")
        raise
