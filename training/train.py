"""Train the example's models, and write for each what `modelspec register` takes.

    python training/train.py --out trained

Seeded from end to end: with the versions of training/requirements.txt, the same bytes each time.
Prints as JSON what was measured and what the data was; `make demo` registers all of it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
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

OPSET = {"": 17, "ai.onnx.ml": 3}
IR = 8
GOLDEN_ROWS = 16


@dataclass(frozen=True)
class Line:
    """What the versions of one model share."""

    name: str
    output: str
    unit: str
    sources: tuple[str, ...]
    request: Mapping[str, Any]
    dataset: str
    threshold: str
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
    hyperparameters: Mapping[str, float]
    snapshot: str
    description: str


ETA = Line(
    "eta",
    "minutes",
    "min",
    (
        "trip_features.distance_norm",
        "trip_features.city",
        "trip_features.departure_hour",
        "request.rain",
    ),
    {"name": "rain", "dtype": "float32", "unit": "mm", "range": [0, 80], "nullable": False},
    "trips",
    "late=minutes>=60",
    trips,
    GradientBoostingRegressor,
)
FRAUD = Line(
    "fraud",
    "probability",
    "1",
    (
        "payment_features.amount_z",
        "payment_features.attempts_24h",
        "payment_features.card_country",
        "payment_features.account_age_norm",
        "request.hour",
    ),
    {"name": "hour", "dtype": "float32", "unit": "h", "range": [0, 23], "nullable": False},
    "payments",
    "block=probability>=0.5",
    payments,
    GradientBoostingClassifier,
)

TREES = {"n_estimators": 100, "max_depth": 3, "learning_rate": 0.1}
FEWER = {**TREES, "n_estimators": 60}
FASTER = {**FEWER, "learning_rate": 0.12}
JULY, SEPTEMBER, OCTOBER, NOVEMBER = (f"2026-{month}-01T00:00:00Z" for month in ("07", "09", "10", "11"))
KILOMETRES = "Reads the distance in kilometres, as trip_features 2 serves it"
RUNS = (
    Run(ETA, "2.3.0", 1, 230, 4000, 1.00, TREES, SEPTEMBER, "Trained on the trips of August"),
    Run(ETA, "2.3.1", 1, 231, 8000, 1.04, TREES, OCTOBER, "Retrained on the trips of September"),
    Run(ETA, "3.0.0", 2, 240, 8000, 1.04, TREES, NOVEMBER, KILOMETRES),
    Run(FRAUD, "1.0.0", 1, 100, 4000, 0.00, FEWER, JULY, "Trained on the payments of the second quarter"),
    Run(FRAUD, "1.1.0", 1, 110, 5000, 0.15, FEWER, OCTOBER, "Retrained on the payments of the third quarter"),
    Run(FRAUD, "1.2.0", 1, 120, 6000, 0.30, FASTER, NOVEMBER, "Retrained with October, learns faster"),
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


def put(folder: Path, run: Run, x: NDArray[np.float32], y: NDArray[np.float64], data: bytes) -> None:
    """Write what `modelspec register` takes: model, golden inputs, sample, parameters, what tensors mean."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(data)
    # Rows of the held-out part: the model was not trained on them.
    np.savez(folder / "golden.npz", features=x[-GOLDEN_ROWS:])
    columns = [*(source.rpartition(".")[2] for source in run.line.sources), run.line.output]
    rows = np.column_stack([x.astype(np.float64), y])
    lines = [",".join(columns), *(",".join(repr(float(value)) for value in row) for row in rows)]
    (folder / "sample.csv").write_text("\n".join(lines) + "\n")
    inputs = {"name": "features", "dtype": "float32", "shape": [-1, len(run.line.sources)]}
    output = {"name": run.line.output, "dtype": "float32", "shape": [-1, 1], "unit": run.line.unit}
    for name, told in (
        ("params", dict(run.hyperparameters)),
        ("signature", {"inputs": [{**inputs, "from": list(run.line.sources)}], "outputs": [output]}),
        ("request", [dict(run.line.request)]),
    ):
        (folder / f"{name}.json").write_text(json.dumps(told, indent=2) + "\n")


def train(run: Run, out: Path) -> dict[str, Any]:
    """Train one version, write its files, and say what a version file records beside them."""
    raw, y = run.line.sample(run.seed, run.rows, run.drift)
    x = matrix(raw, run.line.sources, run.schema)
    cut = int(run.rows * (1 - HELD_OUT))
    model = run.line.estimator(random_state=run.seed, **run.hyperparameters)
    model.fit(x[:cut], y[:cut])
    folder = out / run.line.name / run.version
    put(folder, run, x, y, convert(run, model))
    return {
        "model": run.line.name,
        "version": run.version,
        "description": run.description,
        "feature": f"{run.line.sources[0].partition('.')[0]}@{run.schema}",
        "dataset": {
            "name": run.line.dataset,
            "uri": f"s3://example-lake/{run.line.dataset}",
            "snapshot": run.snapshot,
            "digest": data_digest(x, y),
        },
        "threshold": run.line.threshold,
        "metrics": metrics(run, model, x[cut:], y[cut:]),
    }


def main() -> None:
    """Train all versions and print the report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="where a folder for each version is written")
    out = parser.parse_args().out
    print(json.dumps([train(run, out) for run in RUNS], indent=2))


if __name__ == "__main__":
    main()
