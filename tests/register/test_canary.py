"""A registered pickle that writes a file when it is loaded: the file is absent after every verb."""

from __future__ import annotations

import gzip
import json
import os
import pickle
import shutil
import struct
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from conftest import GIT_ENV, Git, Run, reference
from modelspec.cli.main import VERBS
from register.conftest import Register

ARRAYS = Path(__file__).parents[1] / "formats/fixtures/artifacts/arrays.joblib"
VERSION = "registry/models/eta/versions/4.0.0.yaml"
SIGNATURE = """\
inputs:
  - {name: features, dtype: float32, shape: [-1, 4]}
outputs:
  - {name: minutes, dtype: float32, shape: [-1, 1]}
"""
ID = "01a19c92-21a8-7000-8000-000000000001"
RECORDS = ("observe", "receipts", "drift", "timeline", "wait", "trace", "replay", "skew")
"""The verbs that need receipts or a log; they are run below, with both."""
ALONE = {
    "feature": None,
    "none": "features",
    "threshold": None,
    "artifact_format": "sklearn",
    "architecture": "trees",
}


class Canary:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> object:
        return (os.mkdir, (str(self.path),))


class Called:
    """Calls something that a scanner knows to be bad, and does nothing."""

    def __reduce__(self) -> object:
        return (os.system, ("true",))


@pytest.fixture
def signature(tmp_path: Path) -> str:
    (tmp_path / "signature.yaml").write_text(SIGNATURE)
    return str(tmp_path / "signature.yaml")


@pytest.fixture
def canary(tmp_path: Path, shop: Git) -> Path:
    """Where the folder would be; the model makes it when it is loaded."""
    path = tmp_path / "canary"
    data = pickle.dumps(Canary(path))
    (shop.root / "model.onnx").write_bytes(data)
    return path


def test_the_canary_sings_when_it_is_loaded(canary: Path, shop: Git) -> None:
    pickle.loads((shop.root / "model.onnx").read_bytes())
    assert canary.is_dir()


def test_no_verb_loads_a_registered_pickle(
    canary: Path, register: Register, shop: Git, invoke: Run, tmp_path: Path, signature: str
) -> None:
    pytest.importorskip("picklescan", reason="the extra `scan` is not installed")
    given = {**ALONE, "signature": signature}
    for more in ((), ("--scan",), ("--unsafe", "pickle", "--scan")):
        assert register("4.0.0", *more, **given).returncode == 1
        assert not canary.exists()
    assert register("4.0.0", **given, unsafe="pickle").returncode == 0
    shop.commit("Register it")
    tag, out = ["eta@4.0.0"], tmp_path / "out"
    link = ["--reason", "x", "--link", "https://tracker.example.com/1"]
    runs: dict[str, Sequence[list[str]]] = {
        "check": [[], ["--base", "HEAD~1"]],
        "compile": [[]],
        "plan": [["--base", "HEAD~1"]],
        "register": [["eta", "4.0.1", "--artifact", "model.onnx", "--unsafe", "pickle", "--golden", "model.onnx"]],
        "derive": [["eta", "--next", "--from", "4.0.0", "--set", "config.hyperparameters.n_estimators=9"]],
        "promote": [["eta", "4.0.0", "--to", "staging", *link]],
        "rollback": [["eta", "--env", "staging", *link]],
        "hold": [["eta", "--env", "staging", *link]],
        "retire": [["eta", "4.0.0", "--state", "archived", *link]],
        "prune": [[]],
        "verdict": [["eta", "staging", "4.0.0"]],
        "list": [[]],
        "show": [tag],
        "log": [[]],
        "at": [["2026-12-01T00:00:00Z"]],
        "diff": [["eta@2.3.0", *tag]],
        "blame": [["compiled/staging/models/eta/kserve/inference-service.yaml"]],
        "bisect": [["eta", "staging", "--run", "--", "true"]],
        "fetch": [[*tag, str(out)]],
        "reproduce": [[*tag, str(tmp_path / "whole")], [*tag, str(tmp_path / "ran"), "--run"]],
        "verify": [["--all"], ["--all", "--scan"], [*tag, "--base", "HEAD"]],
        "gc": [[]],
        **dict.fromkeys(RECORDS, ()),
        "explain": [["MS701"]],
        "schema": [["ModelVersion"]],
        "import-schema": [[str(out / "model.onnx"), "--view", "x"]],
        "digest": [[str(out)], [str(shop.root / VERSION)]],
        "init": [[str(tmp_path / "new")]],
        "target": [["list"]],
        "codeowners": [[]],
        "completion": [["bash"]],
    }  # fmt: skip
    assert set(runs) == set(VERBS), "every verb is here"
    for verb, ways in runs.items():
        for arguments in ways:
            done = invoke(verb, *arguments, cwd=shop.root)
            assert done.returncode in (0, 1, 3), f"{verb}: {done.stderr}"
            assert not canary.exists(), verb
    assert (out / "model.onnx").read_bytes() == pickle.dumps(Canary(canary))


def events(root: Path, stamp: str) -> None:
    """Write one request and its answer to a log, as KServe's logger writes them, stamped with a version."""
    tensor = {"name": "features", "datatype": "FP32", "shape": [1, 4], "data": [0.5, 1.0, 8.0, 0.0]}
    answer = {"name": "minutes", "datatype": "FP32", "shape": [1, 1], "data": [12.5]}
    bodies = {"request": {"id": ID, "inputs": [tensor]}, "response": {"id": ID, "outputs": [answer]}}
    lines = [
        {
            "headers": {
                "Ce-Id": ID,
                "Ce-Type": f"org.kubeflow.serving.inference.{side}",
                "Ce-Time": "2026-12-02T00:00:00Z",
                "Ce-Source": "pod",
                "Ce-Inferenceservicename": "eta",
                "Ce-Annotations": json.dumps({"modelspec/stamp": stamp}),
                "Content-Type": "application/json",
            },
            "body": body,
        }
        for side, body in bodies.items()
    ]
    (root / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.mark.parametrize("declared", ["sklearn", "onnx"])
def test_no_verb_of_receipts_and_records_loads_what_answered(
    declared: str,
    canary: Path,
    register: Register,
    shop: Git,
    invoke: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is pinned, seen in a receipt, and stamped on a logged request; each verb gets as far as to name it."""
    for name, value in GIT_ENV.items():
        monkeypatch.setenv(name, value)
    shop("config", "user.name", "Ada")
    shop("config", "user.email", "ada@example.com")
    # With the tensors, the contract and the parent of a version that could be asked.
    given = {"artifact_format": declared, "architecture": "trees", "unsafe": "pickle"}
    assert register("4.0.0", **given).returncode == 0
    ref = reference(shop.root, "eta", "4.0.0")
    stamp = ref.partition("@")[2]
    pin = shop.root / "registry/environments/staging/models/eta.yaml"
    pin.write_text(pin.read_text().rpartition("version: ")[0] + f"version: {ref}\n")
    shop.commit("Serve it")
    events(shop.root, stamp.replace(":", "-"))
    seen = {"model": "eta", "version": "4.0.0", "digest": stamp, "slot": "stable", "environment": "staging"}
    (shop.root / "seen.json").write_text(
        json.dumps({"name": "eta", "versions": ["4.0.0"], "inputs": [], "outputs": [], "parameters": seen})
    )
    later = (datetime.now(UTC) + timedelta(seconds=1)).isoformat(timespec="seconds")
    asked = [ID, "--log", "log.jsonl", "--env", "staging"]
    runs: dict[str, list[list[str]]] = {
        "observe": [["--env", "staging", "seen.json"]],
        "receipts": [["list", "staging", "eta"]],
        "drift": [["staging"]],
        "timeline": [["eta", "staging"]],
        "wait": [["eta", "staging", "4.0.0", "--timeout", "1s"]],
        "at": [[later, "eta", "staging", "--served"]],
        "trace": [asked, [*asked, "--replay"], [*asked, "--bundle", str(tmp_path / "bundle")]],
        "replay": [asked[:3], asked[1:3], [*asked[1:3], "--version", "eta@4.0.0"]],
        "skew": [["eta", "staging", *asked[1:3]]],
    }
    assert set(RECORDS) <= set(runs)
    for verb, ways in runs.items():
        for arguments in ways:
            done = invoke(verb, *arguments, cwd=shop.root)
            said = done.stdout + done.stderr
            assert done.returncode in (0, 1, 3), f"{verb}: {said}"
            reached = {"drift": "1 in step", "replay": "does not load" if declared == "onnx" else "4.0.0"}
            assert reached.get(verb, "4.0.0") in said, f"{verb} {arguments}: {said}"
            assert not canary.exists(), verb


def packed(kind: str, folder: Path) -> Path:
    """Return a pickle that calls os.system, packed in one way."""
    data, path = pickle.dumps(Called(), protocol=2), folder / "model.pkl"
    if kind == "bare":
        path.write_bytes(data)
    elif kind == "in a zip":
        path = folder / "model.pt"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", data)
    elif kind == "cut off":
        path.write_bytes(data[:-2])
    elif kind == "out of order":
        path.write_bytes(b"\x80\x02t" + data[2:])
    elif kind == "a broken member":
        path = folder / "model.pt"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/a.pkl", pickle.dumps([1, 2, 3] * 100))
        whole = bytearray(path.read_bytes())
        whole[60:80] = b"\xff" * 20
        path.write_bytes(bytes(whole))
    elif kind == "7-Zip":
        path.write_bytes(b"7z\xbc\xaf\x27\x1c" + data)
    elif kind.startswith("joblib"):
        data = ARRAYS.read_bytes()
        if "called" in kind:
            data = data[:-1] + b"0cos\nsystem\n(S'true'\ntR."
        path.write_bytes(gzip.compress(data) if "compressed" in kind else data)
    elif kind.startswith("old torch"):
        path = folder / kind.removeprefix("old torch, ")
        model = Called() if "called" in kind else {"weights": [1.0]}
        five = (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}, model, ["0"])
        numbers = struct.pack("<q4f", 4, 0.5, -1.0, 3e8, 1e-9)
        path.write_bytes(b"".join(pickle.dumps(one, protocol=2) for one in five) + numbers)
    elif kind == "harmless":
        path.write_bytes(pickle.dumps({"weights": [1.0]}))
    return path


@pytest.mark.parametrize(
    ("kind", "dangerous", "failed"),
    [
        ("bare", True, False),
        ("in a zip", True, False),
        ("cut off", True, True),
        ("out of order", True, True),
        ("a broken member", False, True),
        ("7-Zip", False, True),
        ("harmless", False, False),
        ("joblib", False, False),
        ("joblib, compressed", False, False),
        ("joblib, called", True, False),
        ("joblib, compressed and called", True, False),
        ("old torch, model", False, False),
        ("old torch, model.pt", False, False),
        ("old torch, called", True, False),
        ("old torch, called.pt", True, False),
    ],
)
def test_what_a_scanner_says_and_what_it_could_not_read(
    kind: str, dangerous: bool, failed: bool, tmp_path: Path
) -> None:
    pytest.importorskip("picklescan", reason="the extra `scan` is not installed")
    from modelspec.cli.scanning import suspected

    notes: list[str] = []
    said = suspected("model", packed(kind, tmp_path), notes) or ""
    assert ("finds" in said, "failed" in said) == (dangerous, failed and not dangerous), said
    assert any("bytes of numbers" in note for note in notes) == (
        kind.startswith(("joblib", "old torch")) and not dangerous
    )


def test_what_a_scanner_was_not_shown_is_said_by_register_and_verify(
    register: Register, invoke: Run, shop: Git, tmp_path: Path, signature: str
) -> None:
    pytest.importorskip("picklescan", reason="the extra `scan` is not installed")
    given = {**ALONE, "signature": signature, "artifact": str(packed("old torch, model", tmp_path))}
    done = register("4.0.0", "--scan", **given, unsafe="pickle")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "and not the 24 bytes of numbers that lie between or behind them" in done.stdout
    done = invoke("verify", "eta@4.0.0", "--scan", cwd=shop.root)
    assert done.returncode == 0
    assert "modelspec: eta@4.0.0: model: picklescan read all its opcodes, and not the 24 bytes" in done.stderr
    shop.commit("Register it")
    for one in (shop.root / "store").iterdir():
        shutil.rmtree(one) if one.is_dir() else one.unlink()
    done = invoke("verify", "eta@4.0.0", "--scan", cwd=shop.root)
    assert done.returncode == 1
    assert "eta@4.0.0: its pickles were not scanned: its bytes were not verified" in done.stderr


@pytest.mark.parametrize("kind", ["bare", "7-Zip", "harmless"])
def test_a_scanner_adds_to_the_finding_and_never_clears_it(
    kind: str, register: Register, shop: Git, invoke: Run, tmp_path: Path, signature: str
) -> None:
    pytest.importorskip("picklescan", reason="the extra `scan` is not installed")
    given = {**ALONE, "signature": signature, "artifact": str(packed(kind, tmp_path))}
    if kind == "7-Zip":
        (tmp_path / "model.pkl").write_bytes(pickle.dumps(Called())[:-1] + b"\xff rest")
    told = register("4.0.0", "--scan", **given)
    assert told.returncode == 1 and "--unsafe pickle" in told.stderr
    assert "picklescan" in told.stderr
    assert ("which proves nothing" in told.stderr) == (kind == "harmless")
    accepted = register("4.0.0", "--scan", **given, unsafe="pickle")
    assert accepted.returncode == (0 if kind == "harmless" else 1), accepted.stdout + accepted.stderr
    if kind == "harmless":
        assert "proves nothing" in accepted.stdout + accepted.stderr
        assert "  unsafe: pickle\n" in (shop.root / VERSION).read_text()
        return
    assert not (shop.root / VERSION).exists()
    assert register("4.0.0", **given, unsafe="pickle").returncode == 0
    assert invoke("verify", "eta@4.0.0", cwd=shop.root).returncode == 0
    done = invoke("verify", "eta@4.0.0", "--scan", "--format", "json", cwd=shop.root)
    notes = [part["note"] for part in json.loads(done.stdout)["versions"][0]["parts"] if part["wrong"]]
    assert done.returncode == 1 and any("picklescan" in note for note in notes)


def test_without_the_scanner_asking_for_it_is_a_refusal(
    canary: Path, register: Register, signature: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "picklescan" else find(name, *more)
    )
    done = register("4.0.0", "--scan", **{**ALONE, "signature": signature})
    assert done.returncode == 3 and "modelspec-gitops[scan]" in done.stderr
