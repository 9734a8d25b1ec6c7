"""The example's real models, from the store to answers."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

np = pytest.importorskip("numpy", reason="the runtimes' extra is not installed")
pytest.importorskip("onnxruntime", reason="the runtimes' extra is not installed")

from modelspec.runtimes.artifact import ArtifactError  # noqa: E402
from modelspec.runtimes.onnx import load, options  # noqa: E402
from modelspec.runtimes.served import read_served  # noqa: E402
from modelspec.tree.digest import artifact_digest, sha256  # noqa: E402

Describe = Callable[..., dict[str, Any]]

VERSIONS = [("eta", v) for v in ("2.3.0", "2.3.1", "3.0.0")] + [
    ("fraud", v) for v in ("1.0.0", "1.1.0", "1.2.0")
]
# features[b,4] + w[1,4], with w in the file w.bin beside the model.
EXTERNAL = base64.b64decode(
    "CAg6lAEKGwoIZmVhdHVyZXMKAXcSB21pbnV0ZXMiA0FkZBIBZyo5CAEIBBABQgF3ahEKCGxvY2F0aW9uEgV3LmJpbmoLCgZv"
    "ZmZzZXQSATBqDAoGbGVuZ3RoEgIxNnABWhsKCGZlYXR1cmVzEg8KDQgBEgkKAxIBYgoCCARiGgoHbWludXRlcxIPCg0IARIJ"
    "CgMSAWIKAggEQgQKABAR"
)


def where(store: Path, data: dict[str, Any]) -> Path:
    return store / data["artifact"]["digest"].replace(":", "-")


def holding(data: dict[str, Any], files: dict[str, bytes]) -> dict[str, Any]:
    """The description with an artifact of other files."""
    listed = [{"path": path, "size": len(b), "digest": sha256(b)} for path, b in files.items()]
    digest = artifact_digest((entry["path"], entry["digest"]) for entry in listed)
    return {**data, "artifact": {"digest": digest, "files": listed}}


@pytest.mark.parametrize(("model", "version"), VERSIONS)
def test_each_version_loads_and_answers_the_same_bits(
    model: str, version: str, describe: Describe, store: Path
) -> None:
    data = describe(model, version)
    [given], [answer] = data["inputs"], data["outputs"]
    rows = np.random.default_rng(7).random((50, given["shape"][1]), dtype=np.float32)
    runs = [
        load(where(store, data), read_served(data)).run({given["name"]: rows}, [answer["name"]])[0]
        for _ in range(2)
    ]
    assert runs[0].dtype == np.dtype(answer["dtype"])
    assert runs[0].shape == (50, 1)
    assert runs[0].tobytes() == runs[1].tobytes()


def test_threads_are_those_of_the_version() -> None:
    chosen = options(3)
    assert (chosen.intra_op_num_threads, chosen.inter_op_num_threads) == (3, 1)


def test_a_changed_model_is_refused(describe: Describe, store: Path, tmp_path: Path) -> None:
    data = describe("eta", "2.3.0")
    shutil.copytree(where(store, data), tmp_path / "tree")
    model = tmp_path / "tree/model.onnx"
    model.write_bytes(model.read_bytes()[:-1] + b"\0")
    with pytest.raises(ArtifactError, match=r"'model\.onnx' has sha256:"):
        load(tmp_path / "tree", read_served(data))


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"model.pkl": b"\x80\x04."}, "an ONNX artifact is one"),
        ({"model.onnx": b"a", "other.onnx": b"b"}, "an ONNX artifact is one"),
        ({"model.onnx": b"\x80\x04."}, "does not load"),
        ({"model.onnx": EXTERNAL}, "does not load"),
    ],
)
def test_what_is_no_whole_onnx_model_is_refused(
    files: dict[str, bytes], says: str, describe: Describe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    for path, content in files.items():
        (tree / path).write_bytes(content)
    (tmp_path / "w.bin").write_bytes(bytes(16))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ArtifactError, match=says):
        load(tree, read_served(holding(describe("eta", "2.3.0"), files)))


@pytest.mark.parametrize(
    ("kind", "change", "says"),
    [
        ("inputs", {"name": "x"}, "input 'x' is none"),
        ("inputs", {"shape": [-1, 3]}, r"input 'features' is float32\[-1, 4\], float32\[-1, 3\] is declared"),
        ("outputs", {"dtype": "float64"}, r"output 'minutes' is float32\[-1, 1\], float64"),
    ],
)
def test_a_model_with_other_tensors_than_declared_is_refused(
    kind: str, change: dict[str, Any], says: str, describe: Describe, store: Path
) -> None:
    data = describe("eta", "2.3.0")
    with pytest.raises(ArtifactError, match=says):
        load(where(store, data), read_served({**data, kind: [{**data[kind][0], **change}]}))
