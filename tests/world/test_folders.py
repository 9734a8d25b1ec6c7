"""Folders: removed whatever is in them, and no link is followed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from modelspec.world.folders import discard
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
