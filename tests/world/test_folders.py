"""Folders: removed whatever is in them, and no link is followed."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from modelspec.world.folders import cure_in, cure_of, discard
from world.trees import nested, put


@pytest.mark.parametrize("depth", [1, 130, 1500])
def test_a_folder_of_any_depth_is_removed(tmp_path: Path, depth: int) -> None:
    put(tmp_path, "whole/a/file")
    put(tmp_path, "whole/b/file")
    put(tmp_path, "kept/file")
    (tmp_path / "whole/link").symlink_to(tmp_path / "kept")
    top = os.open(tmp_path, os.O_RDONLY)
    with nested(tmp_path / "whole/a", depth), nested(tmp_path / "whole/b", depth):
        discard(top, "whole")
        assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "kept"]
    os.close(top)


@pytest.mark.parametrize(
    ("number", "cure"),
    [
        (errno.ENOSPC, "free space there, then run this again"),
        (errno.EDQUOT, "free space there, then run this again"),
        (errno.EACCES, "give yourself the right to write there, then run this again"),
        (errno.EIO, "mend that, then run this again"),
    ],
)
def test_the_cure_is_one_and_that_of_the_error(number: int, cure: str) -> None:
    assert cure_of(OSError(number, os.strerror(number))) == cure
    told = f"error: unable to write file x: {os.strerror(number)}\nfatal: adding files failed"
    assert cure_in(told) == cure or (number == errno.EIO and "git fsck" in cure_in(told))
