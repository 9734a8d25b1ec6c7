"""Foreign files: opened once, and named in every error."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import pytest

from modelspec.tree.finding import Refusal
from modelspec.world.foreign import foreign


@pytest.mark.skipif(sys.platform != "linux", reason="no file of other systems fails so")
def test_a_read_error_names_the_file() -> None:
    """Nothing lies at the address 0: Linux calls that an error of input and output."""
    with (
        pytest.raises(Refusal, match=r"^/proc/self/mem can't be read: input/output error"),
        foreign(Path("/proc/self/mem")) as stream,
    ):
        stream.read(10)


def test_what_is_about_another_file_stays_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    with pytest.raises(FileNotFoundError, match="nothing"), foreign(tmp_path / "file"):
        (tmp_path / "nothing").read_text()


def test_an_error_right_after_the_opening_names_the_file_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a handle that a server of files does not know any more."""

    def stale(_: int) -> os.stat_result:
        raise OSError(errno.ESTALE, "Stale file handle")

    (tmp_path / "file").write_text("text")
    with (
        pytest.raises(Refusal, match="file can't be read: stale file handle"),
        monkeypatch.context() as patched,
    ):
        patched.setattr(os, "fstat", stale)
        with foreign(tmp_path / "file"):
            pass
