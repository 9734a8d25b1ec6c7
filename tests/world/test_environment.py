"""Which Python a version's packages are installed for."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from modelspec.world.environment import interpreter
from world.trees import put


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Programs that would be Pythons: on PATH, and in the folder that one stands in."""
    for path in ("bin/python9.8", "here/python/evil", "here/python/9.8", "here/python9.8", "here/evil"):
        put(tmp_path, path, "#!/bin/sh\n").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path


@pytest.mark.parametrize("version", ["9.8", "9.8.7", "9.8.0rc1"])
def test_it_is_the_one_on_path(version: str, programs: Path) -> None:
    assert interpreter(version) == str(programs / "bin/python9.8")


@pytest.mark.parametrize(
    "version",
    [
        None,
        "9.9",
        "9",
        "",
        "{}.{}".format(*sys.version_info),
        "/evil",
        "/9.8",
        "/../evil",
        "9.8/",
        "9.8\n",
        "٩.٨",
    ],
)
def test_else_it_is_the_one_that_runs_this_and_no_program_of_a_repository(
    version: str | None, programs: Path
) -> None:
    assert interpreter(version) == sys.executable
