"""`derive`: one component changed, the artifact shared, the number by evidence."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import pytest

from conftest import Git, Run, edit, reference
from modelspec.tree.yaml import read
from register.conftest import Register

BASE = "registry/models/eta/versions/3.0.0.yaml"


def data_of(root: Path, path: str) -> dict[str, object]:
    data, faults = read((root / path).read_bytes())
    assert not faults and isinstance(data, dict)
    return data


def test_a_threshold_is_changed_and_nothing_else(invoke: Run, shop: Git) -> None:
    edit(shop.root, BASE, "config:\n", "# Agreed with dispatch.\nconfig:\n")
    shop.commit("A comment")
    done = invoke(
        "derive",
        "eta",
        "--next",
        "--from",
        "3.0.0",
        "--set",
        "config.thresholds.late.value=20",
        cwd=shop.root,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    [new] = shop("ls-files", "--others", "--exclude-standard").splitlines()
    was, now = data_of(shop.root, BASE), data_of(shop.root, new)
    assert now["lineage"] == {"parent": reference(shop.root, "eta", "3.0.0")}
    assert now["config"]["thresholds"][0]["value"] == 20  # type: ignore[index]
    changed = {key for key in was.keys() | now.keys() if was.get(key) != now.get(key)}
    assert changed == {"version", "description", "config", "lineage"}
    assert "# Agreed with dispatch.\n" in (shop.root / new).read_text()
    assert invoke("check", cwd=shop.root).returncode == 0


def test_a_package_that_the_lock_pins_as_well_is_noted(invoke: Run, shop: Git, register: Register) -> None:
    assert register("3.0.1").returncode == 0
    shop.commit("eta 3.0.1, with a lock")
    args = ["derive", "eta", "--next", "--from", "3.0.1"]
    done = invoke(*args, "--set", "runtime.packages.onnxruntime=1.99.0", cwd=shop.root)
    assert "has its parent's lock, which may say otherwise of runtime.packages.onnxruntime" in done.stdout
    done = invoke(*args, "--set", "config.thresholds.late.value=20", cwd=shop.root)
    assert done.returncode == 0 and "lock" not in done.stdout


def test_bytes_that_another_runtime_may_not_load_are_noted(
    invoke: Run, shop: Git, register: Register, tmp_path: Path
) -> None:
    (shop.root / "model.onnx").write_bytes(pickle.dumps(Path("a")))
    (tmp_path / "signature.yaml").write_text(
        "inputs: [{name: x, dtype: float32, shape: [-1, 4]}]\noutputs: [{name: z, dtype: float32, shape: [-1]}]\n"
    )
    given = {"signature": str(tmp_path / "signature.yaml"), "unsafe": "pickle", "threshold": None}
    done = register("4.0.0", **given, none="features", feature=None, architecture="trees")
    assert done.returncode == 0, done.stdout + done.stderr
    shop.commit("eta 4.0.0, a pickle")
    args = ["derive", "eta", "--next", "--from", "4.0.0", "--set"]
    done = invoke(*args, "runtime.python=3.12", cwd=shop.root)
    assert done.returncode == 0, done.stdout + done.stderr
    said = "has its parent's bytes, which may not load: Python is 3.12, pickled with 3.11"
    assert f"note: eta 4.0.1 {said}" in done.stdout
    done = invoke(*args, "config.hyperparameters.n_estimators=99", cwd=shop.root)
    assert done.returncode == 0 and "its parent's bytes" not in done.stdout


def test_the_number_is_held_to_what_changed(invoke: Run, shop: Git) -> None:
    args = ["derive", "eta", "--from", "3.0.0", "--set", "config.thresholds.late.value=20"]
    done = invoke(*args, "3.0.1", cwd=shop.root)
    assert done.returncode == 1 and "MS309" in done.stdout
    named = done.stdout.split("publish it as ")[1].split()[0]
    assert invoke(*args, named, cwd=shop.root).returncode == 0
    again = invoke(*args, named, cwd=shop.root)
    assert again.returncode == 0 and "already derived" in again.stdout


@pytest.mark.parametrize("text", ["a\x1b[31mb", "\u202eab", "\udcff", "x" * 70_000])
def test_a_description_that_no_file_can_hold_is_declined(text: str, invoke: Run, shop: Git) -> None:
    args = ["derive", "eta", "--next", "--from", "3.0.0", "--set", "config.thresholds.late.value=20"]
    done = invoke(*args, "--description", text, cwd=shop.root)
    assert done.returncode == 1
    assert "no file can hold it" in done.stdout and "fix: correct the description" in done.stdout
    assert shop("status", "--porcelain") == ""


def test_a_new_key_of_a_map_is_put_in(invoke: Run, shop: Git) -> None:
    done = invoke(
        "derive", "eta", "--next", "--from", "3.0.0", "--set", "config.hyperparameters.seed=7", cwd=shop.root
    )
    assert done.returncode == 0, done.stdout + done.stderr
    [new] = shop("ls-files", "--others", "--exclude-standard").splitlines()
    assert data_of(shop.root, new)["config"]["hyperparameters"]["seed"] == 7  # type: ignore[index]


def test_the_same_again_is_no_other_version(invoke: Run, shop: Git) -> None:
    args = ["derive", "eta", "--from", "3.0.0", "--set", "config.thresholds.late.value=20"]
    first = invoke(*args, "--next", cwd=shop.root)
    [new] = shop("ls-files", "-o", "registry").splitlines()
    number = Path(new).stem
    assert first.returncode == 0
    for more in (["--next"], ["--next", "--description", "In other words"]):
        again = invoke(*args, *more, cwd=shop.root)
        assert again.returncode == 0 and f"eta {number} is derived already" in again.stdout
    other = invoke(*args, "9.0.0", cwd=shop.root)
    assert other.returncode == 1 and f"eta {number} says the same" in other.stdout
    pinned = invoke("derive", "--all", "--where", "model=eta", "--set", args[-1], cwd=shop.root)
    assert f"eta {number} is derived already" in pinned.stdout


def test_what_changes_nothing_makes_no_version_of_another_number(invoke: Run, shop: Git) -> None:
    args = ["derive", "eta", "--from", "3.0.0", "--set", "config.thresholds.late.value=60"]
    for number in ("--next", "3.0.0"):
        done = invoke(*args, number, cwd=shop.root)
        assert done.returncode == 0 and "eta 3.0.0 says so already" in done.stdout
    done = invoke(*args, "4.0.0", cwd=shop.root)
    assert done.returncode == 1
    assert "eta 3.0.0 says so already: 4.0.0 would be the same version twice" in done.stdout
    assert shop("ls-files", "-o", "registry") == ""


def test_a_release_may_repeat_its_prerelease(invoke: Run, shop: Git) -> None:
    args = ["derive", "eta", "--from", "3.0.0", "--set", "config.thresholds.late.value=20"]
    for number in ("4.0.0-rc.1", "4.0.0"):
        done = invoke(*args, number, cwd=shop.root)
        assert done.returncode == 0, done.stdout
    assert invoke(*args, "4.0.0-rc.2", cwd=shop.root).returncode == 1


def test_a_number_stays_one_and_a_new_text_is_as_it_was_given(invoke: Run, shop: Git) -> None:
    args = ["derive", "eta", "--next", "--from", "3.0.0"]
    for setting in ("config.thresholds.late.value=20.50", "config.hyperparameters.data=1.10"):
        done = invoke(*args, "--set", setting, cwd=shop.root)
        assert done.returncode == 0, done.stdout + done.stderr
    new = [data_of(shop.root, path)["config"] for path in shop("ls-files", "-o", "registry").splitlines()]
    assert {config["thresholds"][0]["value"] for config in new} == {20.5, 60}  # type: ignore[index]
    assert {config["hyperparameters"].get("data") for config in new} == {None, "1.10"}  # type: ignore[index]


def test_an_image_with_its_fix_for_all_that_is_pinned(invoke: Run, shop: Git) -> None:
    old = str(data_of(shop.root, BASE)["runtime"]["image"])  # type: ignore[index]
    new = old[:-4] + "beef"
    done = invoke(
        "derive",
        "--all",
        "--where",
        f"runtime.image={old}",
        "--set",
        f"runtime.image={new}",
        "--commit",
        cwd=shop.root,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    files = shop("show", "--name-only", "--format=", "HEAD").splitlines()
    assert len(files) >= 2 and {path.split("/")[2] for path in files} == {"eta", "fraud"}
    assert {data_of(shop.root, path)["runtime"]["image"] for path in files} == {new}  # type: ignore[index]
    assert "Modelspec-Change: derive eta " in shop("log", "-1", "--format=%B")
    nothing = invoke(
        "derive", "--all", "--where", "runtime.image=x", "--set", "runtime.image=y", cwd=shop.root
    )
    assert nothing.returncode == 0 and "is left as it is" in nothing.stdout
    for environment in ("production", "staging"):
        shutil.rmtree(shop.root / "registry/environments" / environment / "models")
    unpinned = invoke("derive", "--all", "--set", "runtime.image=y", cwd=shop.root)
    assert (unpinned.returncode, unpinned.stdout) == (0, "nothing is pinned: nothing to derive from\n")


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("artifact.digest=x", "can't be set"),
        ("artifact.digest=x", "set a key of code, features, request, dataset"),
        ("weather.rain=1", "can't be set"),
        ("config.thresholds.early.value=1", "there is no"),
        ("config.hyperparameters.=1", "there is no"),
        ("config.thresholds=1", "more than one value"),
        ("runtime.image=registry.example.com/x:latest", "MS209"),
    ],
)
def test_what_can_not_be_derived_is_said(setting: str, says: str, invoke: Run, shop: Git) -> None:
    done = invoke("derive", "eta", "--next", "--from", "3.0.0", "--set", setting, cwd=shop.root)
    assert done.returncode == 1 and says in done.stdout, done.stdout + done.stderr
    assert shop("status", "--porcelain") == ""


def test_two_components_at_once_are_declined(invoke: Run, shop: Git) -> None:
    done = invoke(
        "derive",
        "eta",
        "--next",
        "--from",
        "3.0.0",
        "--set",
        "runtime.threads=2",
        "--set",
        "tolerance=0.1",
        cwd=shop.root,
    )
    assert done.returncode == 1 and "one component" in done.stdout
