"""`fetch`: a folder that exists is complete."""

from __future__ import annotations

import errno
import os
import re
import stat
from contextlib import suppress
from pathlib import Path

import pytest

from conftest import ROOT, Run
from modelspec.tree.digest import artifact_digest, listing, sha256, stamp
from modelspec.tree.finding import Refusal
from modelspec.world.assembly import assembled
from modelspec.world.stores.fetch import fetch_tree
from modelspec.world.stores.folder import FolderStore
from modelspec.world.stores.url import url_store
from modelspec.world.stores.verified import troubles
from world.mounted import mounted
from world.stores.servers import web
from world.stores.trees import SMALL, laid, noise
from world.trees import nested, put


@pytest.fixture
def held(tmp_path: Path) -> tuple[FolderStore, str]:
    store = FolderStore(tmp_path / "store")
    return store, store.put(laid(tmp_path / "source")).digest


def found(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_a_tree_is_written_with_the_folders_above_it(tmp_path: Path, held: tuple[FolderStore, str]) -> None:
    done = fetch_tree(*held, tmp_path / "a/b/target")
    assert found(tmp_path / "a/b/target") == SMALL
    assert not done.already
    assert [path.name for path in (tmp_path / "a/b").iterdir()] == ["target"]


def test_a_second_fetch_verifies_and_leaves(tmp_path: Path, held: tuple[FolderStore, str]) -> None:
    fetch_tree(*held, tmp_path / "target")
    before = (tmp_path / "target").stat().st_ino
    assert fetch_tree(*held, tmp_path / "target").already
    assert (tmp_path / "target").stat().st_ino == before


def test_an_empty_folder_is_filled(tmp_path: Path, held: tuple[FolderStore, str]) -> None:
    (tmp_path / "target").mkdir()
    assert not fetch_tree(*held, tmp_path / "target").already
    assert found(tmp_path / "target") == SMALL


def test_the_folder_that_one_stands_in_is_verified_but_not_replaced(
    tmp_path: Path, held: tuple[FolderStore, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "target").mkdir()
    monkeypatch.chdir(tmp_path / "target")
    for target in (Path(), tmp_path / "target"):
        with pytest.raises(Refusal, match="is the folder that you are in"):
            fetch_tree(*held, target)
    assert list(tmp_path.joinpath("target").iterdir()) == []
    monkeypatch.chdir(tmp_path)
    fetch_tree(*held, tmp_path / "target")
    monkeypatch.chdir(tmp_path / "target")
    assert fetch_tree(*held, Path()).already


@pytest.mark.parametrize("what", ["other", "more", "file", "link", "dangling", "git", "linked"])
def test_a_target_that_is_something_else_is_left_as_it_is(
    tmp_path: Path, held: tuple[FolderStore, str], what: str
) -> None:
    target = tmp_path / "target"
    if what == "other":
        put(target, "model.onnx", b"other")
    elif what == "more":
        fetch_tree(*held, target)
        put(target, "more", b"")
    elif what == "git":
        put(target, ".git/config", b"")
    elif what == "linked":
        fetch_tree(*held, target)
        (target / "more").symlink_to("model.onnx")
    elif what == "file":
        put(tmp_path, "target", b"")
    else:
        target.symlink_to(tmp_path / "source" if what == "link" else tmp_path / "nowhere")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(Refusal) as refused:
        fetch_tree(*held, target)
    assert "that does not exist yet" in str(refused.value.hint)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_tree_of_another_digest_is_refused_though_its_listing_fits(
    tmp_path: Path, held: tuple[FolderStore, str]
) -> None:
    """Whoever can write a store can exchange a file and its line in the listing; not the name of the tree."""
    store, tree = held
    other = store.put(laid(tmp_path / "other", {**SMALL, "model.onnx": b"evil"})).digest
    for suffix in ("", ".sha256sum"):
        place, with_ = (store.root / (one.replace(":", "-") + suffix) for one in (tree, other))
        place.rename(tmp_path / f"gone{suffix}")
        with_.rename(place)
    with pytest.raises(Refusal, match="listing"):
        fetch_tree(store, tree, tmp_path / "target")
    assert not (tmp_path / "target").exists()
    assert any("listing" in one for one in troubles(store, tree))


def test_a_link_to_an_empty_folder_is_not_filled(tmp_path: Path, held: tuple[FolderStore, str]) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "target").symlink_to(tmp_path / "empty")
    with pytest.raises(Refusal, match="no folder"):
        fetch_tree(*held, tmp_path / "target")
    assert list((tmp_path / "empty").iterdir()) == []


@pytest.mark.parametrize("theirs", ["equal", "other"])
def test_who_is_faster_is_verified_or_refused(
    tmp_path: Path, held: tuple[FolderStore, str], monkeypatch: pytest.MonkeyPatch, theirs: str
) -> None:
    rename, target = os.rename, tmp_path / "target"

    def late(*given: object, **more: object) -> None:
        laid(target, SMALL if theirs == "equal" else {"model.onnx": b"other"})
        rename(*given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "rename", late)
    if theirs == "equal":
        assert fetch_tree(*held, target).already
        return
    with pytest.raises(Refusal, match="holds something else"):
        fetch_tree(*held, target)
    assert found(target) == {"model.onnx": b"other"}


def test_where_a_volume_is_mounted_a_folder_in_it_is_proposed(
    tmp_path: Path, held: tuple[FolderStore, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_: object, **__: object) -> None:
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))

    (tmp_path / "target").mkdir()
    monkeypatch.setattr(os, "rename", busy)
    with pytest.raises(Refusal) as refused:
        fetch_tree(*held, tmp_path / "target")
    assert str(refused.value.hint).endswith("target/model")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source", "store", "target"]


def test_the_verb_writes_a_version_of_the_example(tmp_path: Path, modelspec: Run) -> None:
    done = modelspec("fetch", "eta@2.3.1", str(tmp_path / "eta"), cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "1 file, 55,178 bytes, verified" in done.stdout
    assert (tmp_path / "eta/model.onnx").stat().st_size == 55178
    again = modelspec("fetch", "eta@2.3.1", str(tmp_path / "eta"), "--format", "json", cwd=ROOT)
    assert '"already": true' in again.stdout
    assert '"modelspec/fetch/1"' in again.stdout


@pytest.mark.parametrize("path", ["/".join(["d"] * 1500), "x" * 300])
def test_a_path_that_could_not_be_removed_again_is_not_written(tmp_path: Path, path: str) -> None:
    rows = [(path, sha256(b"evil"))]
    with web(tmp_path / "site") as server:
        server.answers[f"/{stamp(artifact_digest(rows))}.sha256sum"] = ("text/plain", listing(rows))
        server.answers[f"/{stamp(artifact_digest(rows))}/{path}"] = ("text/plain", b"evil")
        store = url_store(f"http://127.0.0.1:{server.port}")
        with pytest.raises(Refusal, match="is refused: the path"):
            fetch_tree(store, artifact_digest(rows), tmp_path / "target")
    assert list(tmp_path.iterdir()) == []


def test_folders_without_end_are_something_else(tmp_path: Path, held: tuple[FolderStore, str]) -> None:
    store, tree = held
    (tmp_path / "target").mkdir()
    with nested(tmp_path / "target", 1500), pytest.raises(Refusal, match="holds something else"):
        fetch_tree(store, tree, tmp_path / "target")


@pytest.mark.parametrize("how", ["another name", "another size"])
def test_what_is_something_else_by_its_listing_is_not_read(
    tmp_path: Path, held: tuple[FolderStore, str], how: str
) -> None:
    store, tree = held
    fetch_tree(store, tree, tmp_path / "target")
    model = tmp_path / "target/model.onnx"
    model.chmod(0o644)
    os.truncate(model, 1 << 42)  # which would take hours to read
    if how == "another name":
        put(tmp_path, "target/other")
    with pytest.raises(Refusal, match="holds something else"):
        fetch_tree(store, tree, tmp_path / "target", sizes=store.files(tree))
    if how == "another name":
        with pytest.raises(Refusal, match="holds something else"):
            fetch_tree(store, tree, tmp_path / "target")


def test_a_whole_disk_is_something_else_at_its_first_file(held: tuple[FolderStore, str]) -> None:
    """Parts of it can't be read, and `remove it` would be no cure."""
    with pytest.raises(Refusal, match="/ exists, and holds something else") as refused:
        fetch_tree(*held, Path("/"))
    assert refused.value.hint == "name a folder that does not exist yet, or move this one away"


def test_what_is_there_is_verified_without_the_store(tmp_path: Path, held: tuple[FolderStore, str]) -> None:
    store, tree = held
    fetch_tree(store, tree, tmp_path / "target")
    assert fetch_tree(FolderStore(tmp_path / "nothing"), tree, tmp_path / "target").already


@pytest.mark.parametrize(
    ("place", "cure"),
    [
        ("file/in/it", "a file is where a folder is to be"),
        ("x" * 256, "name a shorter one"),
    ],
)
def test_the_cure_is_that_of_what_is_in_the_way(
    tmp_path: Path, held: tuple[FolderStore, str], place: str, cure: str
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Refusal, match="can't be written") as refused:
        fetch_tree(*held, tmp_path / place)
    assert cure in (refused.value.hint or "")


def test_a_full_disk_is_no_fault_of_the_tree(tmp_path: Path) -> None:
    """Whoever notes what can't be had, and goes on, would note the tree."""
    store = FolderStore(tmp_path / "store")
    tree = store.put(laid(tmp_path / "source", {"large": noise(200_000)})).digest
    with mounted("tmpfs", tmp_path / "small", 100_000) as place:
        shown = re.escape(f"{place}/out can't be written: no space left on device")
        with pytest.raises(Refusal, match=shown), assembled(place / "out") as assembly, suppress(Refusal):
            assembly.tree(store, tree, "artifact", lambda _: None)
        assert list(place.iterdir()) == []


def test_a_target_without_a_name_makes_nothing(tmp_path: Path, held: tuple[FolderStore, str]) -> None:
    store, tree = held
    with pytest.raises(Refusal, match=r"ends in `\.\.`"):
        fetch_tree(store, tree, tmp_path / "nodir/..")
    with pytest.raises(Refusal, match=r"ends in `\.\.`"), assembled(tmp_path / "nodir/.."):
        pass
    assert not (tmp_path / "nodir").exists()


def test_a_file_system_that_flushes_no_folder_is_called_so(
    tmp_path: Path, held: tuple[FolderStore, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fsync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(Refusal, match="can't be written: invalid argument") as error:
        fetch_tree(*held, tmp_path / "target")
    assert "use another file system" in (error.value.hint or "")
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("eta", 2, "Name the version"),
        ("eat@1.0.0", 2, "Did you mean eta"),
        ("eta@9.9.9", 2, "No such version"),
        ("s3://user:secret@host/store", 2, "ends in /sha256-"),
        ("s3://user:secret@host/store/sha256-" + "0" * 64, 3, "user info"),
        ("file:///etc/sha256-" + "0" * 64, 3, "is a file: URI"),
        ("pvc://claim/sha256-" + "0" * 64, 3, "mounted"),
    ],
)
def test_a_name_that_names_nothing_is_said(
    tmp_path: Path, modelspec: Run, name: str, code: int, said: str
) -> None:
    done = modelspec("fetch", name, str(tmp_path / "out"), cwd=ROOT)
    assert done.returncode == code
    assert said in done.stderr
    assert "secret" not in done.stdout + done.stderr
    assert not (tmp_path / "out").exists()
