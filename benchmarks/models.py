"""The generated models: lines of versions, each with all six components and the parent it came from."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final

from chance import commit, digest, number
from emit import Map, document
from features import View

from modelspec.tree.digest import artifact_digest, spec_digest

PINNED: Final = 4
"""The last versions of a model that pins may name; they read the newest schema of each view."""

_PURPOSES: Final = (
    "eta", "fraud", "churn", "demand", "ranking", "pricing", "credit", "returns", "matching", "uplift",
)  # fmt: skip
_REGIONS: Final = ("eu", "us", "apac", "latam", "uk", "nordics")
IMAGE: Final = "registry.example.com/serve/onnx@sha256:" + "bb47b708e6356fda" * 4
LOCK: Final = "sha256:" + "59b08affa3b551c1" * 4


@dataclass(frozen=True, slots=True)
class Line:
    """A model and its versions as `version@digest`, the oldest first."""

    name: str
    views: tuple[View, ...]
    versions: tuple[str, ...]
    files: tuple[tuple[str, bytes], ...]


def line(seed: int, index: int, pool: list[View], count: int) -> Line:
    """Return the model `index` with `count` versions; it reads one or two views of the pool."""
    random = Random(f"{seed}/model/{index}")
    purpose = _PURPOSES[index % len(_PURPOSES)]
    region = _REGIONS[index // len(_PURPOSES) % len(_REGIONS)]
    name = f"{purpose}-{region}-{index:05}"
    views = tuple(sorted(random.sample(pool, random.randint(1, 2)), key=lambda view: view.name))
    # What a model reads is in every schema of its views: fields are added, never dropped.
    reads = [
        f"{view.name}.{field}"
        for view in views
        for field in sorted(random.sample(view.schemas[0].fields, random.randint(3, 9 // len(views))))
    ]
    base = _base(random, purpose, reads)
    files: list[tuple[str, bytes]] = []
    refs: list[str] = []
    version, schemas = (1, 0, 0), [_schema(view, 0, count) for view in views]
    for step in range(count):
        now = [_schema(view, step, count) for view in views]
        if step:
            # Another schema is another contract; a new training run alone is a patch.
            version = (version[0] + 1, 0, 0) if now != schemas else (*version[:2], version[2] + 1)
        schemas = now
        spelled = ".".join(map(str, version))
        references: list[Map] = [
            {"view": view.name, "schema": ref} for view, ref in zip(views, now, strict=True)
        ]
        data = _version(random, name, spelled, references, base, refs[-1] if refs else None)
        files.append((f"registry/models/{name}/versions/{spelled}.yaml", document(data)))
        refs.append(f"{spelled}@{spec_digest(data)}")
    retired: list[Map] = []
    if count > PINNED + 2 and index % 10 == 0:
        retired.append({"version": refs[0], "state": "archived", "reason": "Its training data has expired"})
    head: Map = {
        "apiVersion": "modelspec/v1",
        "kind": "Model",
        "model": name,
        "owner": f"@ml-{purpose}",
        "description": f"The {purpose} model for {region}",
        "retired": retired,
    }
    files.append((f"registry/models/{name}/model.yaml", document(head)))
    return Line(name, views, tuple(refs), tuple(files))


def _schema(view: View, step: int, count: int) -> str:
    """Return the schema that version number `step` of `count` was trained on."""
    older = max(count - PINNED, 0)
    last = len(view.schemas) - 1
    return view.schemas[last if step >= older else last * step // older].ref


def _base(random: Random, purpose: str, reads: list[str]) -> Map:
    """Return what all versions of a model share."""
    answer = f"{purpose}_score"
    width = len(reads) + 1
    tensors: Map = {
        "inputs": [{"name": "features", "dtype": "float32", "shape": [-1, width]}],
        "outputs": [{"name": answer, "dtype": "float32", "shape": [-1, 1]}],
    }
    return {
        "answer": answer,
        "observed": {"ir": 8, "opset": {"ai.onnx.ml": 3}, **tensors},
        "signature": {
            "inputs": [
                {
                    "name": "features",
                    "dtype": "float32",
                    "shape": [-1, width],
                    "from": [*reads, "request.rain"],
                }
            ],
            "outputs": [{"name": answer, "dtype": "float32", "shape": [-1, 1], "unit": "1"}],
        },
        "repository": f"https://git.example.com/ml/{purpose}",
        "threads": random.choice((1, 2, 4)),
    }


def _version(
    random: Random, model: str, version: str, features: list[Map], base: Map, parent: str | None
) -> Map:
    weights = digest(random)
    answer = base["answer"]
    data: Map = {
        "apiVersion": "modelspec/v1",
        "kind": "ModelVersion",
        "model": model,
        "version": version,
        "description": f"Trained on the data of week {random.randint(1, 52)}",
        "artifact": {
            "store": "main",
            "digest": artifact_digest([("model.onnx", weights)]),
            "format": "onnx",
            "architecture": "gradient-boosted-trees",
            "files": [{"path": "model.onnx", "size": random.randint(20_000, 400_000), "digest": weights}],
            "observed": base["observed"],
        },
        "code": {"repository": base["repository"], "commit": commit(random), "path": "train.py"},
        "features": list(features),
        "request": [{"name": "rain", "dtype": "float32", "unit": "mm", "range": [0, 80], "nullable": False}],
        "dataset": {
            "name": model,
            "uri": f"s3://example-lake/{model}",
            "snapshot": f"2026-{random.randint(1, 9):02}-{random.randint(1, 28):02}T00:00:00Z",
            "digest": digest(random),
        },
        "runtime": {
            "image": IMAGE,
            "python": "3.11",
            "lock": {"path": "requirements.txt", "digest": LOCK},
            "packages": {"onnxruntime": "1.32.0", "numpy": "2.4.6"},
            "threads": base["threads"],
        },
        "config": {
            "hyperparameters": {
                "n_estimators": random.randrange(50, 400, 10),
                "max_depth": random.randint(3, 9),
                "learning_rate": number(random, 0.01, 0.3),
            },
            "thresholds": [{"name": "act", "output": answer, "op": ">=", "value": number(random, 0.2, 0.9)}],
        },
        "signature": base["signature"],
        "metrics": {"auc": number(random, 0.7, 0.99), "log_loss": number(random, 0.05, 0.6)},
        "tolerance": 0,
    }
    if parent is not None:
        data["lineage"] = {"parent": parent}
    return data
