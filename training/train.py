"""Train the example's models and put them into the store.

    python training/train.py [--store store]

Seeded from end to end: with the versions of training/requirements.txt, the same bytes each time.
Prints as JSON what a version file records of each model.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from features import matrix
from numpy.typing import NDArray
from onnx import TensorProto, helper
from samples import HELD_OUT, Sample, data_digest, payments, trips
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor
from sklearn.metrics import log_loss, mean_absolute_error, mean_squared_error, roc_auc_score

HERE = Path(__file__).resolve().parent
LOCK = HERE / "requirements.txt"
OPSET = {"": 17, "ai.onnx.ml": 3}
IR = 8


@dataclass(frozen=True)
class Line:
    """What the versions of one model share."""

    name: str
    output: str
    sources: tuple[str, ...]
    sample: Callable[[int, int, float], Sample]
    estimator: type[GradientBoostingRegressor] | type[GradientBoostingClassifier]


@dataclass(frozen=True)
class Run:
    """One version to train."""

    line: Line
    version: str
    schema: int
    seed: int
    rows: int
    drift: float
    hyperparameters: Mapping[str, float] = field(default_factory=dict)


ETA = Line(
    "eta",
    "minutes",
    (
        "trip_features.distance_norm",
        "trip_features.city",
        "trip_features.departure_hour",
        "request.rain",
    ),
    trips,
    GradientBoostingRegressor,
)
FRAUD = Line(
    "fraud",
    "probability",
    (
        "payment_features.amount_z",
        "payment_features.attempts_24h",
        "payment_features.card_country",
        "payment_features.account_age_norm",
        "request.hour",
    ),
    payments,
    GradientBoostingClassifier,
)

TREES = {"n_estimators": 100, "max_depth": 3, "learning_rate": 0.1}
RUNS = (
    Run(ETA, "2.3.0", 1, 230, 4000, 1.00, TREES),
    Run(ETA, "2.3.1", 1, 231, 8000, 1.04, TREES),
    Run(ETA, "3.0.0", 2, 240, 8000, 1.04, TREES),
    Run(FRAUD, "1.0.0", 1, 100, 4000, 0.00, {**TREES, "n_estimators": 60}),
    Run(FRAUD, "1.1.0", 1, 110, 5000, 0.15, {**TREES, "n_estimators": 60}),
    Run(FRAUD, "1.2.0", 1, 120, 6000, 0.30, {**TREES, "n_estimators": 60, "learning_rate": 0.12}),
)


def convert(run: Run, model: GradientBoostingRegressor | GradientBoostingClassifier) -> bytes:
    """The fitted model as ONNX: one input, one named output, nothing that depends on when or where."""
    width = len(run.line.sources)
    source = to_onnx(
        model,
        initial_types=[("features", FloatTensorType([None, width]))],
        target_opset=OPSET,
        options={"zipmap": False} if isinstance(model, GradientBoostingClassifier) else None,
    )
    trees = [node for node in source.graph.node if node.op_type.startswith("TreeEnsemble")]
    assert len(trees) == 1, "one ensemble, and nothing before it"
    ensemble = trees[0]
    ensemble.name = run.line.name
    nodes, constants = [ensemble], []
    if ensemble.op_type == "TreeEnsembleRegressor":
        ensemble.output[:] = [run.line.output]
    else:
        # Only the positive class is served; the label would hide the threshold.
        ensemble.output[:] = ["label", "probabilities"]
        nodes.append(
            helper.make_node(
                "Gather", ["probabilities", "positive"], [run.line.output], name="positive", axis=1
            )
        )
        constants.append(helper.make_tensor("positive", TensorProto.INT64, [1], [1]))
    graph = helper.make_graph(
        nodes,
        run.line.name,
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", width])],
        [helper.make_tensor_value_info(run.line.output, TensorProto.FLOAT, ["batch", 1])],
        constants,
    )
    used = {node.domain for node in nodes}
    result = helper.make_model(
        graph,
        ir_version=IR,
        producer_name="modelspec-example",
        opset_imports=[helper.make_opsetid(domain, OPSET[domain]) for domain in sorted(used)],
    )
    onnx.checker.check_model(result, full_check=True)
    return bytes(result.SerializeToString(deterministic=True))


def metrics(run: Run, model: Any, x: NDArray[np.float32], y: NDArray[np.float64]) -> dict[str, float]:
    """Metrics on the held-out rows, rounded to what is worth comparing."""
    if isinstance(model, GradientBoostingRegressor):
        predicted = model.predict(x)
        return {
            "mae_minutes": round(float(mean_absolute_error(y, predicted)), 4),
            "rmse_minutes": round(float(mean_squared_error(y, predicted) ** 0.5), 4),
        }
    predicted = model.predict_proba(x)[:, 1]
    return {
        "auc": round(float(roc_auc_score(y, predicted)), 4),
        "log_loss": round(float(log_loss(y, predicted)), 4),
    }


def observed(data: bytes) -> dict[str, Any]:
    """What the bytes themselves say."""
    model = onnx.load_model_from_string(data)

    def tensors(values: Sequence[Any]) -> list[dict[str, Any]]:
        return [
            {
                "name": value.name,
                "dtype": helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type).name,
                "shape": [
                    dim.dim_value if dim.HasField("dim_value") else -1
                    for dim in value.type.tensor_type.shape.dim
                ],
            }
            for value in values
        ]

    return {
        "ir": model.ir_version,
        "opset": {entry.domain or "ai.onnx": entry.version for entry in model.opset_import},
        "inputs": tensors(model.graph.input),
        "outputs": tensors(model.graph.output),
    }


def put(store: Path, files: Mapping[str, bytes]) -> dict[str, Any]:
    """Write a tree of files under its digest, with its `sha256sum` listing beside it."""
    ordered = sorted(files, key=lambda path: path.encode())
    listing = "".join(f"{hashlib.sha256(files[path]).hexdigest()}  {path}\n" for path in ordered).encode()
    digest = _sha256(listing)
    tree = store / digest.replace(":", "-")
    for path in ordered:
        target = tree / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(files[path])
    tree.with_name(tree.name + ".sha256sum").write_bytes(listing)
    return {
        "digest": digest,
        "files": [
            {"path": path, "size": len(files[path]), "digest": _sha256(files[path])} for path in ordered
        ],
    }


def train(run: Run, store: Path) -> dict[str, Any]:
    """Train one version, store it, and say what its version file has to record."""
    raw, y = run.line.sample(run.seed, run.rows, run.drift)
    x = matrix(raw, run.line.sources, run.schema)
    cut = int(run.rows * (1 - HELD_OUT))
    model = run.line.estimator(random_state=run.seed, **run.hyperparameters)
    model.fit(x[:cut], y[:cut])
    data = convert(run, model)
    return {
        "model": run.line.name,
        "version": run.version,
        "schema": run.schema,
        "artifact": put(store, {"model.onnx": data}),
        "observed": observed(data),
        "inputs_from": list(run.line.sources),
        "dataset": {"digest": data_digest(x, y), "rows": run.rows, "seed": run.seed},
        "hyperparameters": dict(run.hyperparameters),
        "metrics": metrics(run, model, x[cut:], y[cut:]),
    }


def _sha256(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def main() -> None:
    """Train all versions and print the report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--store", type=Path, default=HERE.parent / "store")
    store = parser.parse_args().store
    lock = put(store, {LOCK.name: LOCK.read_bytes()})
    print(json.dumps({"lock": lock, "versions": [train(run, store) for run in RUNS]}, indent=2))


if __name__ == "__main__":
    main()
