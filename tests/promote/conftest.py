"""A laboratory registry in a real repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import Git
from promote import lab


@pytest.fixture
def git(tmp_path: Path) -> Git:
    """Two models of four versions in staging and production, without gates."""
    return lab.repository(tmp_path / "root", lab.files(2, 4))
