"""Real repositories that hold nothing yet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import Git


@pytest.fixture
def repository(tmp_path: Path) -> Git:
    """An empty repository."""
    root = tmp_path / "repository"
    root.mkdir()
    return Git(root)


@pytest.fixture
def trap(tmp_path: Path) -> Callable[[], tuple[str, Path]]:
    """Make a program that leaves a file when it runs; gives its path and that file's."""

    def make() -> tuple[str, Path]:
        sprung = tmp_path / "sprung"
        program = tmp_path / "trap"
        program.write_text(f"#!/bin/sh\ntouch '{sprung}'\necho Good signature\ncat\n")
        program.chmod(0o755)
        return str(program), sprung

    return make
