"""Artifacts of many small files, which forks tell, hash and look at: what they find is found as by one process."""

from __future__ import annotations

import os
import pickle
import shutil
import sys
from pathlib import Path

import pytest

from conftest import Git, Run
from modelspec.world.shares import MANY
from register.conftest import MODEL

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux forks safely")


class Planted:
    """What a pickle would run."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.getcwd, ()  # type: ignore[return-value]


@pytest.fixture
def folder(shop: Git) -> Path:
    """A folder of a model with so many files that they are shared out."""
    run = shop.root / "run"
    run.mkdir()
    shutil.copy(MODEL, run / "model.onnx")
    (run / "model.onnx").chmod(0o644)
    for number in range(MANY + 100):
        (run / f"{number:04}.txt").write_text(f"{number}\n" * (number + 1))
    (shop.root / ".git/info/exclude").write_text("/run/\n")
    return run


def register(shop: Git, modelspec: Run, *more: str) -> tuple[int, str]:
    done = modelspec(
        "register", "eta", "4.0.0", "--artifact", "run", *more,
        "--unknown", "code=lost", "--unknown", "dataset=lost", "--unknown", "runtime=lost",
        "--feature", "trip_features@2", "--none", "config", cwd=shop.root,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("move", [True, False])
def test_they_are_registered_and_verified_and_each_damage_is_found(
    shop: Git, modelspec: Run, folder: Path, move: bool
) -> None:
    code, said = register(shop, modelspec, *(["--move"] if move else []))
    assert code == 0, said
    assert folder.exists() is not move
    assert modelspec("verify", "eta@4.0.0", cwd=shop.root).returncode == 0
    [tree] = [found.parent for found in (shop.root / "store").glob("sha256-*/0000.txt")]
    for number in (3, 400, MANY + 99):
        file = tree / f"{number:04}.txt"
        file.chmod(0o644)
        file.write_text(file.read_text().replace(str(number), "x", 1))
    done = modelspec("verify", "eta@4.0.0", cwd=shop.root)
    assert done.returncode == 1
    assert all(f"{number:04}.txt" in done.stdout for number in (3, 400, MANY + 99))


def test_a_pickle_among_them_is_seen_before_they_are_stored_and_when_they_are_verified(
    shop: Git, modelspec: Run, folder: Path
) -> None:
    (folder / "0500.txt").write_bytes(pickle.dumps(Planted()))
    code, said = register(shop, modelspec)
    assert code != 0 and "0500.txt is a pickle" in said
    assert not list((shop.root / "store").glob("sha256-*"))
    code, said = register(shop, modelspec, "--unsafe", "pickle")
    assert code == 0, said
    file = shop.root / "registry/models/eta/versions/4.0.0.yaml"
    file.write_text(file.read_text().replace("  unsafe: pickle\n", ""))
    done = modelspec("verify", "eta@4.0.0", cwd=shop.root)
    assert done.returncode == 1
    assert "0500.txt is a pickle" in done.stdout


def test_a_file_whose_bytes_contradict_themselves_is_named(shop: Git, modelspec: Run, folder: Path) -> None:
    (folder / "0300.txt").write_bytes(b"\x08\x08\x12" + b"\xff" * 40 + b"ir_version")
    code, said = register(shop, modelspec)
    assert code == 3, said
    assert "0300.txt is refused" in said
    assert "Traceback" not in said
