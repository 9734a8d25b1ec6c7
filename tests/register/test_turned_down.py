"""Artifacts and locks that `register` turns down, and those that it takes by name only."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import sys
from pathlib import Path

import pytest

from conftest import Git, Run
from register.conftest import MODEL, Register

LOCKS = Path(__file__).parents[1] / "formats" / "fixtures" / "locks"
NEW = "registry/models/eta/versions/3.0.1.yaml"


def test_an_empty_file_is_no_model(register: Register, shop: Git, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model/model.onnx").touch()
    for given in (str(tmp_path / "model"), str(tmp_path / "model/model.onnx")):
        for form in ("onnx", "a-new-one"):
            done = register("5.0.0", artifact=given, artifact_format=form)
            assert done.returncode == 1 and "model.onnx is empty: was it written" in done.stderr, done.stderr
    (tmp_path / "model/config.json").write_text("{}")
    done = register("5.0.0", artifact=str(tmp_path / "model"), artifact_format="onnx")
    assert done.returncode == 1 and "model.onnx is empty, and no file of it is onnx: was it" in done.stderr
    # Beside a model an empty file is none of its business.
    shutil.copy(MODEL, tmp_path / "model/model.onnx")
    (tmp_path / "model/__init__.py").touch()
    done = register("5.0.0", artifact=str(tmp_path / "model"), artifact_format="onnx")
    assert done.returncode == 0, done.stdout + done.stderr


class Canary:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> object:
        return (open, (str(self.path), "w"))


def test_a_pickle_is_taken_by_name_only(register: Register, shop: Git, invoke: Run, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    (shop.root / "model.onnx").write_bytes(pickle.dumps(Canary(canary)))
    signature = shop.root / "store.yaml"
    signature = tmp_path / "signature.yaml"
    signature.write_text(
        "inputs:\n  - {name: features, dtype: float32, shape: [-1, 4]}\n"
        "outputs:\n  - {name: minutes, dtype: float32, shape: [-1, 1]}\n"
    )
    refused = register("4.0.0", signature=str(signature), artifact_format="sklearn", architecture="trees")
    assert refused.returncode == 1
    assert "model.onnx is a pickle" in refused.stderr and "--unsafe pickle" in refused.stderr
    taken = register(
        "4.0.0",
        signature=str(signature),
        artifact_format="sklearn",
        unsafe="pickle",
        feature=None,
        none="features",
        threshold=None,
    )
    assert taken.returncode == 0, taken.stdout + taken.stderr
    assert "  unsafe: pickle\n" in (shop.root / "registry/models/eta/versions/4.0.0.yaml").read_text()
    assert not canary.exists()


@pytest.mark.parametrize(
    "trick", ["link", "folder with a link", "fifo", "missing", "linked folder", "git", "bytes"]
)
def test_hostile_artifacts_are_refused(trick: str, register: Register, shop: Git, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    place = shop.root / "store-in"
    place.mkdir()
    if trick == "link":
        place = place / "model.onnx"
        place.symlink_to(outside / "secret")
    elif trick == "folder with a link":
        (place / "model.onnx").symlink_to(outside / "secret")
    elif trick == "fifo":
        os.mkfifo(place / "model.onnx")
    elif trick == "git":
        (place / ".git").mkdir()
        (place / ".git" / "config").write_text("[core]")
    elif trick == "bytes":
        (place / "b\udcff").write_text("x")
    elif trick == "missing":
        place = place / "nothing"
    else:
        place = place / "linked"
        place.symlink_to(outside)
    done = register("--next", "--allow-dirty", artifact=str(place))
    assert done.returncode == 3, done.stdout + done.stderr
    assert not (shop.root / NEW).exists()


def test_two_files_of_one_name_are_no_artifact(register: Register, shop: Git, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"other")
    done = register("--next", "--artifact", str(tmp_path / "model.onnx"))
    assert done.returncode == 3 and "stands twice" in done.stderr


def test_a_model_without_the_file_of_its_numbers_is_not_whole(
    register: Register, shop: Git, tmp_path: Path, invoke: Run
) -> None:
    onnx = pytest.importorskip("onnx", reason="the model is made with onnx")
    (tmp_path / "whole").mkdir()
    model = onnx.load(MODEL)
    numbers = model.graph.initializer.add(name="numbers", data_type=1, dims=[1], data_location=1)
    numbers.external_data.add(key="location", value="numbers.bin")
    (tmp_path / "whole/model.onnx").write_bytes(model.SerializeToString())
    (tmp_path / "whole/numbers.bin").write_bytes(bytes(4))
    done = register("3.0.1", artifact=str(tmp_path / "whole/model.onnx"))
    assert done.returncode == 1
    assert "model.onnx keeps numbers in numbers.bin, which is not among its files" in done.stderr
    assert register("3.0.1", artifact=str(tmp_path / "whole")).returncode == 0
    assert invoke("verify", "eta@3.0.1", cwd=shop.root).returncode == 0


def test_a_model_that_is_cut_off_is_refused(register: Register, shop: Git) -> None:
    (shop.root / "model.onnx").write_bytes(MODEL.read_bytes()[:20_000])
    done = register("--next")
    assert done.returncode == 3 and "model.onnx is refused" in done.stderr


def test_verify_finds_a_pickle_that_the_version_does_not_own_up_to(
    register: Register, shop: Git, invoke: Run, tmp_path: Path
) -> None:
    canary = tmp_path / "canary"
    (shop.root / "model.onnx").write_bytes(pickle.dumps(Canary(canary)))
    signature = tmp_path / "signature.yaml"
    signature.write_text(
        "inputs: [{name: x, dtype: float32, shape: [-1]}]\noutputs: [{name: minutes, dtype: float32, shape: [-1]}]\n"
    )
    done = register(
        "4.0.0",
        signature=str(signature),
        artifact_format="other",
        unsafe="pickle",
        feature=None,
        none="features",
        threshold=None,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    path = shop.root / "registry/models/eta/versions/4.0.0.yaml"
    path.write_text(path.read_text().replace("  unsafe: pickle\n", ""))
    # Nothing that git holds tells; the bytes do.
    assert "MS701" not in invoke("check", cwd=shop.root).stdout
    found = invoke("verify", "eta@4.0.0", cwd=shop.root)
    assert found.returncode == 1 and "model.onnx is a pickle" in found.stdout
    assert not canary.exists()


@pytest.mark.parametrize(
    ("name", "says"),
    [(os.fsdecode(b"lock\xff"), "is not UTF-8"), ("a:b.txt", "has a colon"), ("CON", "device name")],
)
def test_a_lock_is_stored_under_its_name_which_has_to_be_clean(
    name: str, says: str, register: Register, shop: Git, tmp_path: Path
) -> None:
    (tmp_path / name).write_text("numpy==2.4.6\n")
    done = register("3.0.1", lock=str(tmp_path / name))
    assert done.returncode == 3
    assert "the lock's name" in done.stderr and says in done.stderr and "fix: rename it" in done.stderr


def test_a_lock_with_a_password_is_refused_and_not_stored(register: Register, shop: Git) -> None:
    lock = shop.root / "training/requirements.txt"
    lock.write_text("--index-url https://me:secret@host/simple\nnumpy==2.4.6\n")
    shop.commit("a lock")
    done = register("--next")
    assert (
        done.returncode == 3
        and "requirements.txt has a password or a token in an address, on line 1" in done.stderr
    )
    assert "secret" not in done.stdout + done.stderr
    assert not list((shop.root / "store").iterdir())


def test_an_artifact_of_too_many_files_is_refused_before_a_byte_is_stored(
    register: Register, shop: Git
) -> None:
    folder = shop.root / "run" / ("a" * 250) / ("b" * 250) / ("c" * 250)
    folder.mkdir(parents=True)
    (shop.root / ".git/info/exclude").write_text("/run/\n")
    for number in range(1_250):
        (folder / f"{number}.txt").write_text("part")
    done = register("--next", artifact="run", artifact_format="parts")
    assert done.returncode == 1 and "each of the artifact's 1,250 files" in done.stderr, done.stderr
    assert "pack what is small and many" in done.stderr
    assert list((shop.root / "store").iterdir()) == []
    for number in range(100):
        (folder / f"{number}.txt").unlink()
    done = register("--next", artifact="run", artifact_format="parts")
    assert done.returncode == 0, done.stderr


def test_what_is_long_beside_the_files_is_refused_as_well(register: Register, shop: Git) -> None:
    (shop.root / ".git/info/exclude").write_text("/params.json\n")
    (shop.root / "params.json").write_text(json.dumps({f"key_{key}": "x" * 1000 for key in range(1_000)}))
    done = register("--next", params="params.json", description="long " * 13_000)
    assert done.returncode == 1 and "leave bulk out of it" in done.stderr, done.stderr
    assert list((shop.root / "store").iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="no file of other systems fails so")
def test_a_read_error_names_the_file(register: Register) -> None:
    done = register("--next", artifact="/proc/self/mem")
    assert (done.returncode, done.stderr) == (
        3,
        "modelspec: /proc/self/mem can't be read: input/output error\n",
    )
