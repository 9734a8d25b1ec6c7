"""`verify --resume`: what a run that was stopped had found whole, and what nobody noted."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cli.verifying import ETA, damage, stored
from conftest import ROOT, Run, edit
from modelspec.world.stores.journal import Journal

__all__ = ["stored"]


def test_a_run_that_was_stopped_goes_on_and_forgets_when_all_is_well(stored: Path, modelspec: Run) -> None:
    damage(stored)
    notes = stored / "notes.jsonl"
    assert modelspec("verify", "--resume", "notes.jsonl", cwd=stored).returncode == 1
    noted = notes.read_text()
    assert ETA.replace("-", ":", 1) not in noted
    assert noted.count("sha256:") >= 3
    shutil.rmtree(stored / "store" / ETA)
    shutil.copytree(ROOT / "store" / ETA, stored / "store" / ETA)
    done = modelspec("verify", "--resume", "notes.jsonl", "--format", "json", cwd=stored)
    assert done.returncode == 0
    assert "noted by the run before" in done.stdout
    assert not notes.exists()


def test_what_a_run_notes_is_of_a_place_and_not_of_its_name(stored: Path, modelspec: Run) -> None:
    damage(stored)
    assert modelspec("verify", "--all", "--resume", "notes.jsonl", cwd=stored).returncode == 1
    (stored / "elsewhere").mkdir()
    edit(stored, "registry/modelspec.yaml", "path: store", "path: elsewhere")
    done = modelspec("verify", "--all", "--resume", "notes.jsonl", "--format", "json", cwd=stored)
    assert (done.returncode, "noted by" in done.stdout) == (1, False)


def test_what_a_run_notes_is_not_taken_for_another_clone(
    stored: Path, modelspec: Run, tmp_path: Path
) -> None:
    notes = str(tmp_path / "notes.jsonl")
    shutil.copytree(stored, tmp_path / "other", symlinks=True)
    damage(stored)
    assert modelspec("verify", "--all", "--resume", notes, cwd=stored).returncode == 1
    done = modelspec("verify", "--all", "--resume", notes, "--format", "json", cwd=tmp_path / "other")
    assert (done.returncode, "noted by" in done.stdout) == (0, False)


def test_what_was_noted_and_can_not_be_opened_any_more_is_wrong_and_ends_nothing(
    stored: Path, modelspec: Run
) -> None:
    damage(stored)
    assert modelspec("verify", "--all", "--resume", "notes.jsonl", cwd=stored).returncode == 1
    other = next(one for one in (stored / "store").glob("*/model.onnx") if ETA not in str(one))
    other.unlink()
    other.symlink_to("/etc/passwd")
    done = modelspec("verify", "--all", "--resume", "notes.jsonl", cwd=stored)
    assert (done.returncode, done.stderr) == (1, "")
    assert "is a symbolic link" in done.stdout and "does not have its digest" in done.stdout


@pytest.mark.parametrize("torn", [b"", b"[", b'["main', b'["main store", "sha256:00', b"\0\0\0"])
def test_notes_that_a_kill_cut_off_are_read(tmp_path: Path, torn: bytes) -> None:
    file, row = tmp_path / "notes", b'["main store", "sha256:' + b"0" * 64 + b'"]\n'
    file.write_bytes(row + torn)
    with Journal(file) as journal:
        assert journal.has("main store", "sha256:" + "0" * 64)
        journal.note("main store", "sha256:" + "1" * 64)
    with Journal(file) as journal:
        assert journal.has("main store", "sha256:" + "1" * 64)


@pytest.mark.parametrize(
    "bytes_", [b"apiVersion: modelspec/v1\n", b"\x80\xff", b"[]\n", b"[" * 100_000, b'{"a": 1}']
)
def test_a_file_that_no_run_wrote_is_not_taken_for_notes(stored: Path, modelspec: Run, bytes_: bytes) -> None:
    file = stored / "mine"
    file.write_bytes(bytes_)
    done = modelspec("verify", "--all", "--resume", "mine", cwd=stored)
    assert (done.returncode, file.read_bytes()) == (3, bytes_)
    assert "is no file that `verify --resume` wrote" in done.stderr
    (stored / "link").symlink_to(stored / "nowhere")
    assert modelspec("verify", "--all", "--resume", "link", cwd=stored).returncode == 3
    assert not (stored / "nowhere").exists()
