"""Snapshots: what each kind of tree promises, held against plain dicts; and patches over them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from conftest import Git
from modelspec.tree.finding import Fault
from modelspec.tree.snapshot import (
    EXECUTABLE,
    LINK,
    REGULAR,
    SUBMODULE,
    DictSnapshot,
    Patched,
    Snapshot,
    blob_id,
    irregular,
)
from modelspec.world.git import open_repository
from modelspec.world.gittree import GitSnapshot
from modelspec.world.worktree import WorkTree

FILES = {
    "registry/a.yaml": b"a",
    "registry/a/b": b"ab",
    "registry/a-b/c": b"a-bc",
    "registry/z": b"",
    "templates/t": b"\xff",
    "top": b"top",
}
names = st.sampled_from(["a", "b", "a.b", "a-b", "ab", "c"])
paths = st.lists(names, min_size=1, max_size=3).map("/".join)


def trees() -> st.SearchStrategy[dict[str, bytes]]:
    """Make files none of which lies below another one."""

    def fits(files: dict[str, bytes]) -> bool:
        return not any(one != two and two.startswith(one + "/") for one in files for two in files)

    return st.dictionaries(paths, st.binary(max_size=2), max_size=6).filter(fits)


def holds(tree: Snapshot, under: str = "") -> dict[str, bytes | Fault]:
    return {path: blob.read() for path, blob in tree.walk(under)}


def test_the_id_of_a_blob_is_gits(tmp_path: Path) -> None:
    for data in (b"", b"a\n", bytes(range(256))):
        done = subprocess.run(["git", "hash-object", "--stdin"], input=data, capture_output=True, check=True)
        assert blob_id(data) == done.stdout.decode().strip()


@pytest.mark.parametrize("mode", [LINK, SUBMODULE, 0o040000, 0o010000, 0])
def test_only_regular_files_are_read(mode: int) -> None:
    tree = DictSnapshot({"a": b"secret"}, {"a": mode})
    blob = tree.get("a")
    assert blob is not None and blob.mode == mode
    fault = blob.read()
    assert isinstance(fault, Fault) and fault.rule == "file-regular" and "secret" not in fault.message
    assert fault == irregular(mode)
    assert blob.id == "!"
    assert irregular(REGULAR) is None and irregular(EXECUTABLE) is None


@pytest.fixture(params=["dict", "patched", "work tree", "commit"])
def tree(request: pytest.FixtureRequest, tmp_path: Path) -> Snapshot:
    """The same files as each kind of snapshot."""
    if request.param == "dict":
        return DictSnapshot(FILES)
    if request.param == "patched":
        below = {**FILES, "registry/gone": b"x", "registry/z": b"old", "away/only": b"x"}
        del below["templates/t"]
        return Patched(
            DictSnapshot(below),
            {"registry/gone": None, "registry/z": b"", "templates/t": b"\xff", "away/only": None},
        )
    for path, data in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
    if request.param == "work tree":
        return WorkTree(tmp_path)
    Git(tmp_path).commit("files")
    repository, prefix, _ = open_repository(str(tmp_path))
    return GitSnapshot(repository, repository.resolve("HEAD"), prefix)


def test_every_snapshot_answers_alike(tree: Snapshot) -> None:
    assert [path for path, _ in tree.walk("")] == sorted(FILES, key=str.encode)
    assert holds(tree) == FILES
    assert holds(tree, "registry") == {path: FILES[path] for path in FILES if path.startswith("registry/")}
    assert holds(tree, "registry/a") == {"registry/a/b": b"ab"}
    assert holds(tree, "registry/a/b") == {"registry/a/b": b"ab"}
    assert tree.ls("registry") == [("a", True), ("a-b", True), ("a.yaml", False), ("z", False)]
    assert tree.ls("") == [("registry", True), ("templates", True), ("top", False)]
    for path, data in FILES.items():
        blob = tree.get(path)
        assert blob is not None
        assert (blob.mode, blob.read(), blob.id) == (REGULAR, data, blob_id(data))
    for nothing in (
        "registry",
        "registry/",
        "/top",
        "top/",
        "none",
        "registry//z",
        "registry/../top",
        "",
        "top/x",
    ):
        assert tree.get(nothing) is None
    for nothing in ("none", "top", "registry/none", "..", "registry/.."):
        assert list(tree.ls(nothing)) == []
        assert nothing == "top" or list(tree.walk(nothing)) == []
    assert list(tree.changes(tree)) == []


def test_snapshots_of_different_kinds_compare(tree: Snapshot) -> None:
    other = DictSnapshot(
        {**FILES, "registry/z": b"new", "registry/new": b"", "templates/t": b"\xff"},
        {"registry/a/b": EXECUTABLE},
    )
    wanted = ["registry/a/b", "registry/new", "registry/z"]
    assert list(tree.changes(other)) == list(other.changes(tree)) == wanted


@given(trees(), st.dictionaries(paths, st.none() | st.binary(max_size=2), max_size=4))
@example({"a/b": b""}, {"a/b": None})
@example({"a/b": b"", "a/c/d": b""}, {"a/b": None, "a/c/d": None})
@example({"a/b": b""}, {"a/b": None, "a/c": b"x"})
@example({}, {"a": None})
def test_a_patch_is_what_it_makes_of_a_dict(files: dict[str, bytes], patch: dict[str, bytes | None]) -> None:
    after = {**files, **patch}
    wanted = {path: data for path, data in after.items() if data is not None}
    if any(one != two and two.startswith(one + "/") for one in wanted for two in wanted):
        return
    below = DictSnapshot(files)
    tree, plain = Patched(below, patch), DictSnapshot(wanted)
    assert holds(tree) == dict(sorted(wanted.items()))
    folders = {path.rpartition("/")[0] for path in (*files, *patch)} | {"", "a", "b"}
    for folder in folders:
        assert list(tree.ls(folder)) == list(plain.ls(folder))
    for path in (*files, *patch):
        mine, other = tree.get(path), plain.get(path)
        assert (mine and mine.read()) == (other and other.read())
    assert list(tree.changes(plain)) == []
    changed = sorted(path for path in {*files, *wanted} if files.get(path) != wanted.get(path))
    assert list(tree.changes(below)) == changed
    assert holds(below) == dict(sorted(files.items())), "what lies below is as it was"


@given(trees(), trees())
def test_changes_are_the_paths_that_differ(one: dict[str, bytes], two: dict[str, bytes]) -> None:
    wanted = sorted(path for path in {*one, *two} if one.get(path) != two.get(path))
    assert list(DictSnapshot(one).changes(DictSnapshot(two))) == wanted
