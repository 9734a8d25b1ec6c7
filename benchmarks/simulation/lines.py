"""The simulated models as registry files: views with their schemas, versions with all six components."""

from __future__ import annotations

from random import Random

import onnxruntime
from chance import commit, digest, number
from emit import Map, document
from models import IMAGE, LOCK

from modelspec.tree.digest import artifact_digest, sha256, spec_digest
from simulation.weights import INPUT, OUTPUT, WIDTH, nudged, onnx_bytes, weights
from simulation.world import Line, Version

GROUP = 4
"""How many models read one view, and move together when it changes."""
FIELDS = ("distance", "duration", "amount", "age")
_PURPOSES = (
    "eta", "fraud", "churn", "demand", "ranking", "pricing", "credit", "returns", "matching", "uplift",
)  # fmt: skip


def schemas(seed: int, view: str, count: int) -> list[tuple[str, bytes, str]]:
    """Return path, content and reference of the schemas 1 to `count` of a view, each with other scales."""
    random = Random(f"{seed}/view/{view}")
    found = []
    for position in range(1, count + 1):
        data: Map = {
            "apiVersion": "modelspec/v1",
            "kind": "FeatureSchema",
            "view": view,
            "number": position,
            "entity": "order_id",
            "freshness": "15m",
            "code": {
                "repository": "https://git.example.com/data/features",
                "commit": commit(random),
                "path": f"{view}.py",
            },
            "fields": [_field(name, 100 * position + 20 * index) for index, name in enumerate(FIELDS)],
        }
        path = f"registry/features/{view}/{position}.yaml"
        found.append((path, document(data), f"{position}@{spec_digest(data)}"))
    return found


def _field(name: str, greatest: int) -> Map:
    return {
        "name": name,
        "source": {"dtype": "float64", "unit": "km", "range": [0, greatest]},
        "dtype": "float32",
        "unit": "1",
        "range": [0, 1],
        "nullable": False,
        "transform": {"kind": "minmax", "min": 0, "max": greatest, "clip": True},
    }


def view_head(view: str) -> tuple[str, bytes]:
    """Return path and content of a view's own file."""
    data: Map = {
        "apiVersion": "modelspec/v1",
        "kind": "FeatureView",
        "view": view,
        "owner": "@data",
        "description": "What is known of an order when it is scored",
        "compatibility": "NONE",
    }
    return f"registry/features/{view}/view.yaml", document(data)


def model_head(name: str) -> tuple[str, bytes]:
    """Return path and content of a model's own file."""
    data: Map = {
        "apiVersion": "modelspec/v1",
        "kind": "Model",
        "model": name,
        "owner": "@ml",
        "description": "A simulated model",
        "retired": [],
    }
    return f"registry/models/{name}/model.yaml", document(data)


def line(seed: int, index: int, schema_of: tuple[int, ...], refs: list[str]) -> Line:
    """Return the model `index`; version n reads the schema number `schema_of[n]` of its view.

    One version in eight runs the artifact of the one before it, one in eight differs from it in one bit.
    """
    random = Random(f"{seed}/model/{index}")
    name = f"{_PURPOSES[index % len(_PURPOSES)]}-{index:02}"
    view = f"orders_{index // GROUP}"
    versions: list[Version] = []
    numbers = weights(index, random.getrandbits(32))
    for position, schema in enumerate(schema_of):
        drawn = random.random()
        if position and drawn < 0.125:
            model = versions[-1].model
        else:
            step = random.getrandbits(32)
            numbers = nudged(numbers, step) if position and drawn < 0.25 else weights(index, step)
            model = onnx_bytes(numbers)
        parent = versions[-1].ref if versions else None
        versions.append(_version(random, name, f"1.{position}.0", view, refs[schema - 1], model, parent))
    return Line(name, view, FIELDS, tuple(versions), schema_of)


def _version(
    random: Random, model: str, version: str, view: str, schema: str, data: bytes, parent: str | None
) -> Version:
    listed = sha256(data)
    artifact = artifact_digest([("model.onnx", listed)])
    shape_in, shape_out = [-1, WIDTH], [-1, 1]
    spec: Map = {
        "apiVersion": "modelspec/v1",
        "kind": "ModelVersion",
        "model": model,
        "version": version,
        "description": f"Trained on the data of week {random.randint(1, 52)}",
        "artifact": {
            "store": "main",
            "digest": artifact,
            "format": "onnx",
            "architecture": "small",
            "files": [{"path": "model.onnx", "size": len(data), "digest": listed}],
            "observed": {
                "ir": 9,
                "opset": {"ai.onnx": 18, "ai.onnx.ml": 3},
                "inputs": [{"name": INPUT, "dtype": "float32", "shape": shape_in}],
                "outputs": [{"name": OUTPUT, "dtype": "float32", "shape": shape_out}],
            },
        },
        "code": {
            "repository": "https://git.example.com/ml/models",
            "commit": commit(random),
            "path": "train.py",
        },
        "features": [{"view": view, "schema": schema}],
        "request": [{"name": "rain", "dtype": "float32", "unit": "mm", "range": [0, 80], "nullable": False}],
        "dataset": {
            "name": model,
            "uri": f"s3://example-lake/{model}",
            "snapshot": "2026-05-01T00:00:00Z",
            "digest": digest(random),
        },
        "runtime": {
            "image": IMAGE,
            "python": "3.11",
            "lock": {"path": "requirements.txt", "digest": LOCK},
            "packages": {"onnxruntime": onnxruntime.__version__, "numpy": "2.4.6"},
            "threads": 1,
        },
        "config": {
            "hyperparameters": {"learning_rate": number(random, 0.01, 0.3)},
            "thresholds": [
                {"name": "act", "output": OUTPUT, "op": ">=", "value": number(random, 0.2, 0.9)},
            ],
        },
        "signature": {
            "inputs": [
                {
                    "name": INPUT,
                    "dtype": "float32",
                    "shape": shape_in,
                    "from": [*(f"{view}.{name}" for name in FIELDS), "request.rain"],
                }
            ],
            "outputs": [{"name": OUTPUT, "dtype": "float32", "shape": shape_out, "unit": "1"}],
        },
        "metrics": {"auc": number(random, 0.7, 0.99)},
        "tolerance": 0,
    }
    if parent is not None:
        spec["lineage"] = {"parent": parent}
    ref = f"{version}@{spec_digest(spec)}"
    path = f"registry/models/{model}/versions/{version}.yaml"
    return Version(version, ref, artifact, data, path, document(spec))
