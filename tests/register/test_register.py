"""`register`: a version captured from a real repository and real files, whole or not at all."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from conftest import Git, Run, edit, reference
from modelspec.tree.digest import artifact_digest, sha256
from modelspec.tree.yaml import read
from register.conftest import IMAGE, MODEL, Register

LOCKS = Path(__file__).parents[1] / "formats" / "fixtures" / "locks"
NEW = "registry/models/eta/versions/3.0.1.yaml"


def test_a_parameter_without_a_name_is_refused(register: Register, tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text('"": 3\ndepth: 4\n')
    done = register("--next", params=str(tmp_path / "params.yaml"))
    assert done.returncode == 3 and "params.yaml has a parameter without a name" in done.stderr


def test_a_version_is_captured_whole(register: Register, shop: Git, invoke: Run) -> None:
    done = register("--next", description="Retrained, with November", metric="mae_minutes=1.6")
    assert done.returncode == 0, done.stdout + done.stderr
    source = (shop.root / NEW).read_bytes()
    data, faults = read(source)
    assert not faults and isinstance(data, dict)
    lock = (shop.root / "training/requirements.txt").read_bytes()
    assert data["code"] == {
        "repository": "https://git.example.com/ml/eta",
        "commit": shop("rev-parse", "HEAD"),
        "path": "training/train.py",
    }
    assert data["dataset"] == {
        "name": "trips",
        "uri": "s3://example-lake/trips",
        "snapshot": "2026-12-01T00:00:00Z",
    }
    runtime = data["runtime"]
    assert isinstance(runtime, dict)
    assert runtime["lock"] == {
        "path": "requirements.txt",
        "digest": artifact_digest([("requirements.txt", sha256(lock))]),
    }
    assert runtime["packages"]["onnxruntime"] == "1.32.0" and "packaging" not in runtime["packages"]
    assert (runtime["image"], runtime["python"], runtime["threads"]) == (IMAGE, "3.11", 1)
    artifact = data["artifact"]
    assert isinstance(artifact, dict)
    assert artifact["digest"] == artifact_digest([("model.onnx", sha256(MODEL.read_bytes()))])
    assert artifact["observed"]["inputs"] == [{"name": "features", "dtype": "float32", "shape": ["batch", 4]}]
    # What the tensors mean is not in the bytes: it is the parent's.
    parent, _ = read((shop.root / "registry/models/eta/versions/3.0.0.yaml").read_bytes())
    assert isinstance(parent, dict)
    assert (data["signature"], data["request"]) == (parent["signature"], parent["request"])
    assert b"secret" not in source and "secret" not in done.stdout + done.stderr
    assert invoke("check", cwd=shop.root).returncode == 0
    verified = invoke("verify", "eta@3.0.1", "--format", "json", cwd=shop.root)
    assert verified.returncode == 0, verified.stdout
    levels = json.loads(verified.stdout)["versions"][0]["levels"]
    assert {levels[name] for name in ("artifact", "code", "features", "config")} == {"verified"}


def test_notes_are_told_where_something_stands_in_the_way(
    register: Register, shop: Git, tmp_path: Path
) -> None:
    signature = tmp_path / "signature.yaml"
    signature.write_text(
        "inputs:\n  - {name: features, dtype: float32, shape: [-1, 4]}\n"
        "outputs:\n  - {name: minutes, dtype: float32, shape: [-1, 1]}\n"
    )
    refused = register("5.0.0", feature="trip_features", signature=str(signature))
    assert refused.returncode == 1 and "MS217" in refused.stdout
    assert "  note: trip_features was named without a number: taken at its newest, 2\n" in refused.stdout
    # Nothing has this reference: nothing was written.
    assert "its reference is" not in refused.stdout
    lacking = register("5.0.0", param="rate=1.50", lock=None)
    assert lacking.returncode == 1 and "--lock FILE" in lacking.stderr
    assert "  note: rate is recorded as the text 1.50" in lacking.stderr


def test_a_version_that_reads_no_feature_has_no_input_filled_from_one(register: Register, shop: Git) -> None:
    done = register("5.0.0", feature=None, none="features", threshold=None)
    assert done.returncode == 0, done.stdout + done.stderr
    data, _ = read((shop.root / "registry/models/eta/versions/5.0.0.yaml").read_bytes())
    assert isinstance(data, dict) and data["features"] == []
    assert data["signature"]["inputs"] == [{"name": "features", "dtype": "float32", "shape": [-1, 4]}]  # type: ignore[call-overload, index]


def test_a_lock_of_every_platform_is_read_for_the_python_that_serves(register: Register, shop: Git) -> None:
    shutil.copy(LOCKS / "uv.lock", shop.root / "uv.lock")
    shop.commit("A lock")
    assert "say which Python serves (--python)" in register("--next", lock="uv.lock", python=None).stderr
    done = register("--next", lock="uv.lock", python="3.10")
    assert done.returncode == 0, done.stdout + done.stderr
    data, _ = read((shop.root / NEW).read_bytes())
    assert data["runtime"]["packages"] == {  # type: ignore[call-overload, index]
        "cloudpickle": "3.1.3", "joblib": "1.6.0", "numpy": "2.2.6", "onnxruntime": "1.23.2",
        "scikit-learn": "1.7.2", "scipy": "1.15.3",
    }  # fmt: skip


def test_the_file_is_laid_out_as_people_do_it(register: Register, shop: Git) -> None:
    register("--next", description="Retrained, with November", metric="mae_minutes=1.6")
    text = (shop.root / NEW).read_text()
    assert "version: 3.0.1\ndescription: Retrained, with November\nartifact:\n  store: main\n" in text
    assert "    inputs:\n      - {name: features, dtype: float32, shape: [batch, 4]}\n" in text
    assert "config:\n  hyperparameters: {n_estimators: 100}\n" in text
    assert "        - trip_features.distance_norm\n" in text
    assert "metrics: {mae_minutes: 1.6}\n" in text


def test_again_it_is_already_registered(register: Register, shop: Git) -> None:
    assert register("--next").returncode == 0
    before = (shop.root / NEW).read_bytes()
    shop.commit("Registered")
    for again in (register("--next"), register("3.0.1")):
        assert again.returncode == 0
        assert "eta 3.0.1 is already registered: 3.0.1@sha256:" in again.stdout
    assert (shop.root / NEW).read_bytes() == before
    assert shop("status", "--porcelain") == ""


def test_a_published_version_is_not_written_again(register: Register, shop: Git) -> None:
    register("--next")
    other = register("3.0.1", param="n_estimators=200")
    assert other.returncode == 1
    assert "3.0.1 is published" in other.stdout and "with another config" in other.stdout
    assert register("--next", param="n_estimators=200").returncode == 0
    assert (shop.root / "registry/models/eta/versions/3.0.2.yaml").exists()


def test_all_that_is_missing_is_listed_at_once(register: Register, shop: Git) -> None:
    done = register(
        "--next",
        code=None,
        lock=None,
        image=None,
        python=None,
        dataset=None,
        snapshot=None,
        feature=None,
        param=None,
    )
    assert done.returncode == 1
    for part in (
        "code: the commit",
        "features: ",
        "dataset: which state",
        "runtime: the image",
        "runtime: its packages",
        "config: ",
    ):
        assert part in done.stderr
    assert not list((shop.root / "store").iterdir()), "nothing is stored for what can't be written"


def test_what_is_lost_is_said_with_its_reason(register: Register, shop: Git) -> None:
    done = register("--next", dataset=None, snapshot=None, unknown="dataset=Deleted in 2024")
    assert done.returncode == 0, done.stdout + done.stderr
    # From a known dataset to a lost one, the contract is the same.
    assert "dataset: {unknown: {reason: Deleted in 2024}}" in (shop.root / NEW).read_text()


def test_a_dirty_tree_is_refused_and_recorded_when_told(
    register: Register, shop: Git, tmp_path: Path
) -> None:
    (shop.root / "training/train.py").write_text("print('changed')\n")
    (shop.root / "training/new.py").write_text("new = 1\n")
    refused = register("--next")
    assert refused.returncode == 3
    assert "training/train.py" in refused.stderr and "--allow-dirty" in refused.stderr
    assert register("--next", "--allow-dirty").returncode == 0
    data, _ = read((shop.root / NEW).read_bytes())
    digest = data["code"]["patch"]  # type: ignore[call-overload, index]
    patch = shop.root / "store" / digest.replace(":", "-") / "code.patch"
    clone = tmp_path / "clone"
    shop("clone", "--quiet", str(shop.root), str(clone))
    shop("-C", str(clone), "apply", str(patch))
    assert (clone / "training/train.py").read_text() == "print('changed')\n"
    assert (clone / "training/new.py").read_text() == "new = 1\n"


def test_a_script_that_is_not_committed_yet(register: Register, shop: Git, invoke: Run) -> None:
    (shop.root / "training/fresh.py").write_text("fresh = 1\n")
    refused = register("--next", code="training/fresh.py")
    assert refused.returncode == 3
    assert "not committed: training/fresh.py" in refused.stderr and "--allow-dirty" in refused.stderr
    assert register("--next", "--allow-dirty", code="training/fresh.py").returncode == 0
    data, _ = read((shop.root / NEW).read_bytes())
    code = data["code"]  # type: ignore[call-overload, index]
    patch = (shop.root / "store" / code["patch"].replace(":", "-") / "code.patch").read_bytes()
    assert code["path"] == "training/fresh.py" and b"+fresh = 1\n" in patch
    verified = invoke("verify", "eta@3.0.1", "--format", "json", cwd=shop.root)
    assert json.loads(verified.stdout)["versions"][0]["levels"]["code"] == "verified"


def test_the_store_and_the_registry_are_not_dirt(register: Register, shop: Git) -> None:
    (shop.root / ".gitignore").write_text("/model.onnx\n")
    shop.commit("The store is in git")
    assert register("--next").returncode == 0
    assert register("--next", param="n_estimators=7").returncode == 0


def test_findings_stop_it_and_nothing_is_written(register: Register, shop: Git) -> None:
    done = register("3.0.1", image="registry.example.com/serve/onnx:latest")
    assert done.returncode == 1
    assert "MS209" in done.stdout
    assert not (shop.root / NEW).exists()


def test_a_store_that_is_a_folder_is_made(register: Register, shop: Git) -> None:
    """As after `init`: the settings name a folder, and nothing was ever put there."""
    edit(
        shop.root,
        "registry/modelspec.yaml",
        '{path: store, uri: "s3://example-models/store"}',
        "{path: store}",
    )
    (shop.root / "store").rmdir()
    done = register("3.0.1")
    assert done.returncode == 0, done.stdout + done.stderr


def test_settings_that_cannot_be_read_are_not_taken_for_none(
    register: Register, shop: Git, invoke: Run
) -> None:
    settings = shop.root / "registry/modelspec.yaml"
    settings.write_bytes(settings.read_bytes().replace(b"\n", b"\r\n"))
    shop.commit("As Windows writes it")
    for done in (register("--next"), invoke("gc", cwd=shop.root)):
        assert done.returncode == 3, done.stdout + done.stderr
        assert "modelspec.yaml can't be read\n  fix: `modelspec check` says why" in done.stderr


def test_it_lands_like_a_promotion(register: Register, shop: Git) -> None:
    done = register("--next", "--commit")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Modelspec-Change: register eta 3.0.1" in shop("log", "-1", "--format=%B")
    assert shop("show", "--stat", "--format=", "HEAD").count("|") == 1


@pytest.mark.parametrize(
    "arguments",
    [["3.0"], [], ["3.0.1", "--next"], ["3.0.1", "--param", "x"], ["3.0.1", "--unknown", "weather=lost"],
     ["3.0.1", "--threshold", "late"], ["3.0.1", "--metric", "mae=low"], ["3.0.1", "--store", "attic"],
     # The fixture names another address already.
     ["3.0.1", "--dataset", "s3://example-lake/more"], ["3.0.1", "--dataset", "a", "--dataset", "b"]],
)  # fmt: skip
def test_wrong_usage_is_said(arguments: list[str], register: Register) -> None:
    assert register(*arguments).returncode == 2


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (["--unknown", "artifact=lost"], "artifact"), (["--unknown", "code=lost"], "code"),
        (["--unknown", "dataset=lost"], "dataset"), (["--unknown", "runtime=lost"], "image"),
        (["--none", "features"], "feature"), (["--none", "config"], "param"),
    ],
)  # fmt: skip
def test_what_is_lost_and_told_of_is_not_dropped(said: list[str], told: str, register: Register) -> None:
    done = register("--next", *said)
    assert done.returncode == 2 and f"and --{told} tells of it: one of the two" in done.stderr
    signed = register("--next", "--unknown", "artifact=lost", "--sign", "sigstore", artifact=None)
    assert signed.returncode == 2 and "and --sign tells of it" in signed.stderr


def test_a_parent_with_another_digest_is_none(register: Register, shop: Git) -> None:
    wrong = register("--next", parent="3.0.0@sha256:" + "0" * 64)
    assert wrong.returncode == 1 and "is no version of eta" in wrong.stderr
    right = reference(shop.root, "eta", "3.0.0")
    assert register("--next", parent=right).returncode == 0
    assert f"parent: {right}" in (shop.root / NEW).read_text()


def test_verify_holds_what_was_recorded_against_the_bytes(register: Register, shop: Git, invoke: Run) -> None:
    assert register("--next").returncode == 0
    assert invoke("verify", "eta@3.0.1", cwd=shop.root).returncode == 0
    text = (shop.root / NEW).read_text()
    (shop.root / NEW).write_text(text.replace("ir: 8", "ir: 9"))
    lied = invoke("verify", "eta@3.0.1", cwd=shop.root)
    assert lied.returncode == 1 and "observed.ir" in lied.stdout


def test_an_input_that_the_artifact_lacks_is_not_passed_over(register: Register, shop: Git) -> None:
    """It would have had the parent's meaning, whatever was meant."""
    done = register("3.0.1", input="fetures=trip_features.distance_norm")
    assert done.returncode == 1
    assert "fetures is no input of the artifact\n  fix: it has features: --input" in done.stderr
    assert not (shop.root / "registry/models/eta/versions/3.0.1.yaml").exists()
