"""Where the registry is found, and where it is not looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelspec.tree.finding import Refusal
from modelspec.world.root import find_root
from world.trees import put


@pytest.fixture(autouse=True)
def _no_root_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MODELSPEC_ROOT", raising=False)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    put(tmp_path, "ml/registry/modelspec.yaml")
    (tmp_path / "ml" / "registry" / "models" / "eta").mkdir(parents=True)
    return tmp_path / "ml"


def test_the_root_is_found_upwards(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for here in (root, root / "registry", root / "registry" / "models" / "eta"):
        assert find_root(here=here) == root
        monkeypatch.chdir(here)
        assert find_root() == root


def test_the_nearest_one_wins(root: Path) -> None:
    put(root, "inner/registry/modelspec.yaml")
    (root / "inner" / "deep").mkdir()
    assert find_root(here=root / "inner" / "deep") == root / "inner"


def test_the_search_ends_where_the_checkout_does(root: Path) -> None:
    put(root, "checkout/.git", "gitdir: elsewhere")
    (root / "checkout" / "src").mkdir()
    with pytest.raises(Refusal, match="no registry here") as caught:
        find_root(here=root / "checkout" / "src")
    assert "modelspec init" in str(caught.value.hint)
    put(root, "checkout/registry/modelspec.yaml")
    assert find_root(here=root / "checkout" / "src") == root / "checkout"


def test_a_named_root_is_taken_as_it_is(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "other"
    put(other, "registry/modelspec.yaml")
    assert find_root(str(other), here=root) == other
    monkeypatch.setenv("MODELSPEC_ROOT", str(other))
    assert find_root(here=root) == other
    assert find_root(str(root), here=other) == root
    monkeypatch.setenv("MODELSPEC_ROOT", "")
    assert find_root(here=root) == root


def test_a_folder_that_was_removed_under_us_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(Refusal, match="is gone"):
        find_root()


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("nothing", "is not a folder"),
        ("empty", "holds no registry"),
        ("a\0b", "is not a folder"),
        ("x" * 5000, "is not a folder"),
        ("\x1b[31m", "is not a folder"),
    ],
)
def test_a_named_root_that_is_none_is_refused(tmp_path: Path, given: str, why: str) -> None:
    (tmp_path / "empty" / "registry").mkdir(parents=True)
    with pytest.raises(Refusal, match=why) as caught:
        find_root(given if "\0" in given else str(tmp_path / given))
    assert "\x1b" not in f"{caught.value.message}{caught.value.hint}"
    assert len(caught.value.message) < 300


def test_in_a_bare_repository_a_revision_is_to_be_named(tmp_path: Path) -> None:
    put(tmp_path, "store.git/HEAD")
    for name in ("objects", "refs"):
        (tmp_path / "store.git" / name).mkdir()
    with pytest.raises(Refusal, match="is a bare repository") as caught:
        find_root(here=tmp_path / "store.git")
    assert caught.value.hint == "read a revision of it: --root . and --ref REV"
