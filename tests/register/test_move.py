"""`register --move`: the artifact's files become the store's, and go from where they were when all is done."""

from __future__ import annotations

import json
import shutil
import stat
import sys
from pathlib import Path

import pytest

from conftest import Git, Run
from modelspec.world.stores.originals import aside_of
from register.conftest import MODEL, Register
from world.trees import nested

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has leases")
NEW = "registry/models/eta/versions/3.0.1.yaml"


@pytest.fixture
def folder(shop: Git) -> Path:
    """A folder of a model, ignored by git."""
    (shop.root / "run").mkdir()
    shutil.copy(MODEL, shop.root / "run/model.onnx")
    (shop.root / "run/words.txt").write_text("words\n" * 2000)
    for file in (shop.root / "run").iterdir():
        file.chmod(0o644)
    (shop.root / ".git/info/exclude").write_text("/run/\n")
    return shop.root / "run"


def stored(root: Path) -> Path:
    """Where the artifact of the new version lies."""
    digest = next(
        line.split()[1]
        for line in (root / NEW).read_text().splitlines()
        if line.startswith("  digest: sha256:")
    )
    return root / "store" / digest.replace(":", "-")


def test_a_folder_is_moved_and_verifies(
    register: Register, shop: Git, invoke: Run, folder: Path, tmp_path: Path
) -> None:
    nodes = {file.name: file.stat().st_ino for file in folder.iterdir()}
    done = register("--next", "--move", artifact="run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not folder.exists() and not aside_of(folder).exists()
    assert {file.name: file.stat().st_ino for file in stored(shop.root).iterdir()} == nodes
    assert invoke("verify", "eta@3.0.1", cwd=shop.root).returncode == 0
    assert invoke("fetch", "eta@3.0.1", str(tmp_path / "back"), cwd=shop.root).returncode == 0
    assert (tmp_path / "back/model.onnx").read_bytes() == MODEL.read_bytes()


def test_a_file_is_moved_and_a_second_run_finds_the_version(register: Register, shop: Git) -> None:
    assert register("3.0.1", "--move").returncode == 0
    assert not (shop.root / "model.onnx").exists()
    before = (shop.root / NEW).read_bytes()
    again = register("3.0.1", "--move")
    assert again.returncode == 0, again.stderr
    assert "eta 3.0.1 is already registered: 3.0.1@sha256:" in again.stdout
    assert "nothing was compared" in again.stdout
    assert (shop.root / NEW).read_bytes() == before
    told = register("3.0.1", "--move", "--format", "json")
    assert json.loads(told.stdout)["already"]
    other = register("--next", "--move")
    assert other.returncode == 3 and "an earlier run has moved it" in other.stderr


def test_what_was_copied_before_is_moved_by_a_second_run(register: Register, shop: Git) -> None:
    assert register("3.0.1").returncode == 0
    assert (shop.root / "model.onnx").exists()
    again = register("3.0.1", "--move")
    assert again.returncode == 0 and "already registered" in again.stdout
    assert not (shop.root / "model.onnx").exists()
    assert (stored(shop.root) / "model.onnx").read_bytes() == MODEL.read_bytes()


def test_a_second_run_finishes_what_a_killed_one_began(register: Register, shop: Git, folder: Path) -> None:
    assert register("3.0.1", artifact="run").returncode == 0
    # Killed right after the folder had gone out of its place.
    folder.rename(aside_of(folder))
    again = register("3.0.1", "--move", artifact="run")
    assert again.returncode == 0 and "an earlier run had moved" in again.stdout, again.stderr
    assert not folder.exists() and not aside_of(folder).exists()


@pytest.mark.parametrize("how", ["finding", "refusal"])
def test_what_is_not_registered_is_not_moved(register: Register, shop: Git, how: str) -> None:
    if how == "finding":
        done = register("--next", "--move", threshold="late=nothing>=60")
    else:
        shop("checkout", "-q", "-b", "elsewhere")
        done = register("--next", "--move", "--commit")
    assert done.returncode == (1 if how == "finding" else 3), done.stdout + done.stderr
    assert "was not moved" in done.stderr and "read-only" in done.stderr
    assert (shop.root / "model.onnx").read_bytes() == MODEL.read_bytes()
    assert not (shop.root / NEW).exists()
    shop("checkout", "-q", "main")
    assert register("--next", "--move").returncode == 0
    assert not (shop.root / "model.onnx").exists()


def test_a_commit_holds_the_bytes_that_were_moved(register: Register, shop: Git, tmp_path: Path) -> None:
    (shop.root / ".gitignore").write_text("/model.onnx\n")
    shop.commit("Follow the store")
    done = register("--next", "--move", "--commit")
    assert done.returncode == 0, done.stderr
    assert not (shop.root / "model.onnx").exists()
    assert shop("status", "--porcelain") == ""
    name = stored(shop.root).name
    assert shop("cat-file", "-s", f"HEAD:store/{name}/model.onnx") == str(MODEL.stat().st_size)


def test_what_can_not_be_moved_is_copied_and_that_is_said(
    register: Register, shop: Git, folder: Path
) -> None:
    (shop.root / ".git/mine").hardlink_to(folder / "words.txt")
    done = register("--next", "--move", artifact="run")
    assert done.returncode == 0
    assert "copied, and not moved: run/words.txt has another hard link" in done.stdout
    assert {file.name for file in folder.iterdir()} == {"model.onnx", "words.txt"}
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o644}


@pytest.mark.parametrize(
    ("artifact", "says"),
    [
        ("training", "git follows training: moving it would delete it"),
        ("training/train.py", "git follows"),
        ("registry", "part of the registry, or of a store, or holds it"),
        (".", "part of the registry, or of a store, or holds it"),
        ("store/other", "part of the registry, or of a store, or holds it"),
        ("linked", "is a symbolic link"),
        ("clone", "holds a git repository"),
        ("pointer", "holds pointers"),
    ],
)
def test_what_must_stay_is_refused(
    artifact: str, says: str, register: Register, shop: Git, folder: Path
) -> None:
    (shop.root / "linked").symlink_to("run")
    (shop.root / "store/other").mkdir()
    (shop.root / "store/other/model.onnx").write_bytes(MODEL.read_bytes())
    (shop.root / "clone").mkdir()
    (shop.root / "clone/.git").mkdir()
    (shop.root / "clone/.git/HEAD").write_text("ref: refs/heads/main\n")
    oid = "0" * 64
    kept = shop.root / f".git/lfs/objects/00/00/{oid}"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(MODEL.read_bytes())
    (shop.root / "pointer").mkdir()
    (shop.root / "pointer/model.onnx").write_text(
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {kept.stat().st_size}\n"
    )
    (shop.root / ".git/info/exclude").write_text("/run/\n/linked\n/clone/\n/pointer/\n")
    before = {path: path.stat().st_ino for path in shop.root.rglob("*") if path.is_file()}
    done = register("--next", "--move", artifact=artifact)
    assert done.returncode == 3 and says in done.stderr, done.stdout + done.stderr
    after = {path: path.stat().st_ino for path in shop.root.rglob("*") if path.is_file()}
    assert before.items() <= after.items()
    assert not (shop.root / NEW).exists()


@pytest.mark.parametrize("how", [("--move",), ()])
def test_folders_without_end_are_refused(how: tuple[str, ...], register: Register, shop: Git) -> None:
    (shop.root / "run").mkdir()
    with nested(shop.root / "run", 1500):
        done = register("--next", *how, artifact="run")
    assert done.returncode == 3 and "more than 64 parts" in done.stderr, done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("--artifact", "training/train.py"),
        ("--from-hf", "run"),
    ],
)
def test_it_takes_one_artifact_of_this_machine(arguments: tuple[str, ...], register: Register) -> None:
    done = register("--next", "--move", *arguments)
    assert done.returncode == 2 and "--move takes" in done.stderr
    assert register("--next", "--move", artifact="s3://bucket/folder").returncode == 2
    assert register("--next", "--move", artifact=None).returncode == 2


def test_only_a_folder_can_take_it(register: Register, shop: Git) -> None:
    settings = shop.root / "registry/modelspec.yaml"
    text = settings.read_text()
    settings.write_text(text.replace("stores:\n", 'stores:\n  away: {uri: "s3://bucket/store"}\n'))
    assert settings.read_text() != text
    done = register("--next", "--move", "--store", "away")
    assert done.returncode == 3 and "is no folder" in done.stderr, done.stderr
    assert (shop.root / "model.onnx").exists()
