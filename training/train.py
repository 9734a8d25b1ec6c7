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
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor
from sklearn.metrics import log_loss, mean_absolute_error, mean_squared_error, roc_auc_score

HERE = Path(__file__).resolve().parent
LOCK = HERE / "requirements.txt"
OPSET = {"": 17, "ai.onnx.ml": 3}
IR = 8
HELD_OUT = 0.2

Columns = dict[str, NDArray[Any]]
Sample = tuple[Columns, NDArray[np.float64]]


def trips(seed: int, rows: int, slowness: float) -> Sample:
    """Synthetic trips and how many minutes they took; `slowness` is how traffic drifts between samples."""
    rng = np.random.default_rng(seed)
    cities = rng.choice(["ams", "ber", "lis", ""], size=rows, p=[0.4, 0.3, 0.25, 0.05])
    raw: Columns = {
        "distance_km": np.round(rng.gamma(3.0, 7.0, rows).clip(0.2, 120.0), 2),
        "city": cities,
        "departure_hour": rng.integers(0, 24, rows),
        "rain": np.round(np.where(rng.random(rows) < 0.7, 0.0, rng.gamma(1.2, 6.0, rows)).clip(0.0, 80.0), 1),
    }
    pace = np.select([cities == "ams", cities == "ber", cities == "lis"], [1.7, 1.4, 1.55], 1.5)
    rush = np.where(np.isin(raw["departure_hour"], [7, 8, 9, 16, 17, 18]), 1.35, 1.0)
    minutes = 3.0 + raw["distance_km"] * pace * rush * slowness + raw["rain"] * 0.25
    return raw, np.round(minutes + rng.normal(0.0, 1.5, rows), 2).clip(1.0, None)


def payments(seed: int, rows: int, pressure: float) -> Sample:
    """Synthetic payments and which were fraud; `pressure` shifts how much of it there is."""
    rng = np.random.default_rng(seed)
    raw: Columns = {
        "amount_eur": np.round(rng.gamma(2.0, 30.0, rows).clip(0.5, 2000.0), 2),
        "attempts_24h": rng.poisson(1.2, rows).clip(0, 50),
        "card_country": rng.choice(["de", "nl", "pt", ""], size=rows, p=[0.45, 0.3, 0.15, 0.1]),
        "account_age_days": rng.integers(0, 3651, rows),
        "hour": rng.integers(0, 24, rows),
    }
    score = (
        raw["amount_eur"] / 55.0
        + raw["attempts_24h"] * 0.8
        + np.where(raw["card_country"] == "", 1.6, 0.0)
        - raw["account_age_days"] / 900.0
        + np.where(raw["hour"] < 5, 1.1, 0.0)
        + rng.normal(0.0, 0.8, rows)
    )
    return raw, (score > 3.1 - pressure).astype(np.float64)


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
    Run(ETA, "2.4.0", 2, 240, 8000, 1.04, TREES),
    Run(FRAUD, "1.0.0", 1, 100, 4000, 0.00, {**TREES, "n_estimators": 60}),
    Run(FRAUD, "1.1.0", 1, 110, 5000, 0.15, {**TREES, "n_estimators": 60}),
    Run(FRAUD, "1.2.0", 1, 120, 6000, 0.30, {**TREES, "n_estimators": 60, "learning_rate": 0.12}),
)


def data_digest(x: NDArray[np.float32], y: NDArray[np.float64]) -> str:
    """Digest of the sample as the model saw it: little-endian float32 rows, then float64 labels."""
    return _sha256(x.astype("<f4").tobytes() + y.astype("<f8").tobytes())


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
