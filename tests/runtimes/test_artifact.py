"""What is loaded is what was declared: every way in which a tree can differ is refused, in words."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from modelspec.runtimes.artifact import ArtifactError, DeclaredArtifact, DeclaredFile, read_verified
from modelspec.tree.digest import artifact_digest, sha256

FILES = {"model.onnx": b"weights", "vocab/words.txt": b"a\nb\n"}


def declare(files: dict[str, bytes]) -> DeclaredArtifact:
    listed = tuple(DeclaredFile(path, len(data), sha256(data)) for path, data in files.items())
    return DeclaredArtifact(artifact_digest((file.path, file.digest) for file in listed), listed)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    for path, data in FILES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder


def test_the_declared_bytes_are_returned(tree: Path) -> None:
    assert read_verified(tree, declare(FILES)) == FILES


def test_a_volume_may_be_reached_through_a_link(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "mounted").symlink_to(tree)
    assert read_verified(tmp_path / "mounted", declare(FILES)) == FILES


def _change(tree: Path) -> None:
    (tree / "model.onnx").write_bytes(b"WEIGHTS")


def _grow(tree: Path) -> None:
    (tree / "model.onnx").write_bytes(b"weights and more")


def _add(tree: Path) -> None:
    (tree / "vocab/extra.pkl").write_bytes(b"\x80\x04.")


def _remove(tree: Path) -> None:
    (tree / "vocab/words.txt").unlink()


def _link_file(tree: Path) -> None:
    outside = tree.parent / "outside"
    outside.write_bytes(FILES["model.onnx"])
    (tree / "model.onnx").unlink()
    (tree / "model.onnx").symlink_to(outside)


def _link_folder(tree: Path) -> None:
    (tree / "vocab").rename(tree.parent / "vocab")
    (tree / "vocab").symlink_to(tree.parent / "vocab")


def _fifo(tree: Path) -> None:
    (tree / "model.onnx").unlink()
    os.mkfifo(tree / "model.onnx")


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (_change, "'model.onnx' has sha256:"),
        (_grow, "'model.onnx' has 16 bytes, 7 are declared"),
        (_add, "'vocab/extra.pkl' is not declared"),
        (_remove, "'vocab/words.txt' is missing"),
        (_link_file, "'model.onnx' is no regular file"),
        (_link_folder, "'vocab' is a link"),
        (_fifo, "'model.onnx' is no regular file"),
    ],
)
def test_a_tree_that_differs_is_refused(tree: Path, damage: Callable[[Path], None], says: str) -> None:
    damage(tree)
    with pytest.raises(ArtifactError) as caught:
        read_verified(tree, declare(FILES))
    assert says in str(caught.value)


def test_all_differences_are_told_at_once(tree: Path) -> None:
    _change(tree)
    _add(tree)
    _remove(tree)
    with pytest.raises(ArtifactError) as caught:
        read_verified(tree, declare(FILES))
    assert len(caught.value.troubles) == 3


def test_a_flood_of_differences_stays_readable(tree: Path) -> None:
    for number in range(500):
        (tree / f"{number}.bin").touch()
    with pytest.raises(ArtifactError, match="and 490 more"):
        read_verified(tree, declare(FILES))


@pytest.mark.parametrize("path", ["../outside", "/etc/hostname", "a/../../b", "a\\b", "", "a//b", "a\nb"])
def test_a_path_that_escapes_is_refused_before_it_is_opened(path: str, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="declared path"):
        read_verified(tmp_path / "absent", declare({path: b""}))


def test_a_listing_with_another_digest_is_refused(tree: Path) -> None:
    declared = declare(FILES)
    other = DeclaredArtifact("sha256:" + "0" * 64, declared.files)
    with pytest.raises(ArtifactError, match="the listing of its files has sha256:"):
        read_verified(tree, other)


def test_a_file_declared_twice_is_refused(tree: Path) -> None:
    twice = declare(FILES).files[:1] * 2
    digest = artifact_digest((file.path, file.digest) for file in twice)
    with pytest.raises(ArtifactError, match="declared twice"):
        read_verified(tree, DeclaredArtifact(digest, twice))


def test_nothing_declared_and_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="no files"):
        read_verified(tmp_path, declare({}))
    with pytest.raises(ArtifactError, match="no such folder"):
        read_verified(tmp_path / "absent", declare(FILES))


def test_every_tree_of_the_example_store_is_what_its_name_and_listing_say(store: Path) -> None:
    listings = sorted(store.glob("*.sha256sum"))
    assert len(listings) == 7
    for listing in listings:
        rows = [line.split("  ", 1) for line in listing.read_text().splitlines()]
        tree = listing.with_suffix("")
        files = tuple(
            DeclaredFile(path, (tree / path).stat().st_size, f"sha256:{hexa}") for hexa, path in rows
        )
        digest = sha256(listing.read_bytes())
        assert tree.name == digest.replace(":", "-")
        assert read_verified(tree, DeclaredArtifact(digest, files)).keys() == {path for _, path in rows}
