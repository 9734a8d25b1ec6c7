"""The files of an artifact on their way into a store: what changes meanwhile is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from modelspec.tree.finding import Refusal
from modelspec.world.source import source_of


def test_folders_and_files_make_one_tree(tmp_path: Path) -> None:
    (tmp_path / "model/sub").mkdir(parents=True)
    (tmp_path / "model/sub/b").write_text("b")
    (tmp_path / "model/Z").write_text("z")
    (tmp_path / "card.md").write_text("card")
    found = source_of([tmp_path / "model", tmp_path / "card.md"])
    assert [file.path for file in found.files] == ["Z", "card.md", "sub/b"]
    assert found.bytes == 6
    found.unchanged()


@pytest.mark.parametrize("change", ["written", "replaced", "removed", "put back with its time"])
def test_a_file_that_changed_since_its_format_was_told_is_refused(change: str, tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(b"harmless")
    found = source_of([file])
    before = file.stat()
    if change == "removed":
        file.unlink()
    elif change == "replaced":
        (tmp_path / "other").write_bytes(b"harmless")
        (tmp_path / "other").replace(file)
    else:
        file.write_bytes(b"evil....")
        if change != "written":
            os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(Refusal):
        found.unchanged()


@pytest.mark.parametrize("names", [("a/x", "b/x"), ("a/x", "b/X")])
def test_files_that_take_one_place_are_refused(names: tuple[str, str], tmp_path: Path) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    with pytest.raises(Refusal, match="can't be one tree of files"):
        source_of([tmp_path / "a", tmp_path / "b"])


@pytest.mark.parametrize("name", ["a\nb", "con", "a\\b", "x:y" if os.name == "nt" else "a\x7f"])
def test_paths_that_no_tree_has_are_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / name).write_text("x")
    with pytest.raises(Refusal):
        source_of([tmp_path / "in"])


@pytest.mark.parametrize("name", ["a\u200bb", "\u2764\ufe0f.bin", "\u202eb"])
@pytest.mark.parametrize("below", [True, False])
def test_a_path_that_no_version_could_name_is_said_before_anything_is_stored(
    below: bool, name: str, tmp_path: Path
) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / name).write_bytes(b"1")
    with pytest.raises(Refusal, match="has an invisible character") as refused:
        source_of([tmp_path / "model" if below else tmp_path / "model" / name])
    assert name not in refused.value.message and "rename it" in str(refused.value.hint)
