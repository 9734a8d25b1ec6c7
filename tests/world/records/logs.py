"""The same requests as each system would have logged them."""

from __future__ import annotations

import base64
import csv
import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

STAMP = "sha256-" + "ab12" * 16
SHORT = ("ab12" * 16)[:32]
START = datetime(2026, 11, 2, 14, 3, tzinfo=UTC)


@dataclass(frozen=True)
class Truth:
    """One request; features and minutes by row."""

    id: str
    time: datetime
    features: tuple[tuple[float, ...], ...]
    minutes: tuple[float, ...]

    @property
    def request(self) -> dict[str, Any]:
        """The body of the request, Open Inference Protocol."""
        rows = len(self.features)
        flat = [value for row in self.features for value in row]
        tensor = {"name": "features", "datatype": "FP32", "shape": [rows, 3], "data": flat}
        return {"id": self.id, "inputs": [tensor]}

    @property
    def response(self) -> dict[str, Any]:
        """The body of the answer."""
        rows = len(self.minutes)
        tensor = {"name": "minutes", "datatype": "FP32", "shape": [rows, 1], "data": list(self.minutes)}
        return {"model_name": "eta", "model_version": "2.3.0", "id": self.id, "outputs": [tensor]}

    @property
    def split(self) -> str:
        """The body of the request as MLflow has it."""
        data = {"columns": ["distance_norm", "city", "rain"], "data": [list(row) for row in self.features]}
        return json.dumps({"dataframe_split": data})

    @property
    def predictions(self) -> str:
        """The answer as MLflow and TensorFlow have it."""
        return json.dumps({"predictions": list(self.minutes)})


TRUTH = [
    Truth(
        # Some tell their time, some were minted by a clock that lies by years.
        f"{'01a19c92-21a8' if number % 2 else '0193a5e7-7c00'}-7000-8000-0000000000{number:02x}",
        START + timedelta(seconds=number),
        tuple((number / 8, float(row), 2.5) for row in range(1 + number % 3)),
        tuple(number + row / 4 for row in range(1 + number % 3)),
    )
    for number in range(12)
]


def _lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def _event(one: Truth, side: str, body: Any) -> dict[str, Any]:
    return {
        "headers": {
            "Ce-Id": one.id,
            "Ce-Type": f"org.kubeflow.serving.inference.{side}",
            "Ce-Time": one.time.isoformat().replace("+00:00", "Z"),
            "Ce-Source": "pod",
            "Ce-Inferenceservicename": "eta",
            "Ce-Annotations": json.dumps({"modelspec/stamp": STAMP}),
            "Content-Type": "application/json",
        },
        "body": body,
    }


def kserve_http(root: Path) -> None:
    """CloudEvents in binary mode; all requests first."""
    _lines(
        root / "events.jsonl",
        [_event(one, "request", one.request) for one in TRUTH]
        + [_event(one, "response", json.dumps(one.response)) for one in TRUTH],
    )


def kserve_structured(root: Path) -> None:
    """CloudEvents in structured mode, a file each."""
    for one in TRUTH:
        for side, body in (("response", one.response), ("request", one.request)):
            event = {
                "specversion": "1.0", "id": one.id, "type": f"org.kubeflow.serving.inference.{side}",
                "source": "pod", "time": one.time.isoformat(), "data": body, "annotations": f"modelspec/stamp={STAMP}",
            }  # fmt: skip
            (root / f"{side}-{one.id}.json").write_text(json.dumps(event, indent=2))


def _stored(one: Truth, side: str, body: Any) -> dict[str, Any]:
    return {
        "Url": "http://x", "Bytes": base64.b64encode(json.dumps(body).encode()).decode(),
        "ContentType": "application/json", "ReqType": f"org.kubeflow.serving.inference.{side}", "Id": one.id,
        "SourceUri": "pod", "InferenceService": "eta", "Namespace": "ml", "Component": "predictor", "Endpoint": "",
        "Metadata": {}, "Annotations": {"modelspec/stamp": STAMP},
    }  # fmt: skip


def _halves() -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (one.id, side, _stored(one, side, body))
        for one in TRUTH
        for side, body in (("request", one.request), ("response", one.response))
    ]


def kserve_json(root: Path) -> None:
    """The blob store's JSON: an array in each object."""
    folder = root / "ml" / "eta" / "predictor"
    folder.mkdir(parents=True)
    for request, side, stored in _halves():
        (folder / f"{request}-{side}.json").write_text(json.dumps([stored]))


def kserve_csv(root: Path) -> None:
    """The blob store's CSV."""
    for request, side, stored in _halves():
        with (root / f"{request}-{side}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(stored))
            writer.writeheader()
            writer.writerow(
                {
                    key: json.dumps(value) if isinstance(value, dict) else value
                    for key, value in stored.items()
                }
            )


def kserve_parquet(root: Path) -> None:
    """The blob store's Parquet: the same in snake case."""
    names = {
        "ContentType": "content_type", "ReqType": "req_type", "SourceUri": "source_uri",
        "InferenceService": "inference_service",
    }  # fmt: skip
    for request, side, stored in _halves():
        row = {names.get(key, key.lower()): value for key, value in stored.items()}
        row |= {"annotations": json.dumps(row["annotations"]), "metadata": "{}"}
        pq.write_table(pa.Table.from_pylist([row]), root / f"{request}-{side}.parquet")


def sagemaker(root: Path, encoding: str = "CSV", variant: str = f"v-{SHORT}") -> None:
    """Data capture; CSV carries no names."""
    rows = []
    for one in TRUTH:
        if encoding == "JSON":
            given, told, kind = json.dumps(one.request), json.dumps(one.response), "application/json"
        else:
            given = "\n".join(",".join(repr(value) for value in row) for row in one.features)
            told, kind = "\n".join(repr(value) for value in one.minutes), "text/csv"
        if encoding == "BASE64":
            given, told = (base64.b64encode(text.encode()).decode() for text in (given, told))
        half = {"observedContentType": kind, "encoding": encoding}
        rows.append(
            {
                "captureData": {
                    "endpointInput": {**half, "mode": "INPUT", "data": given},
                    "endpointOutput": {**half, "mode": "OUTPUT", "data": told},
                },
                "eventMetadata": {
                    "eventId": f"event-{one.id}", "inferenceId": one.id, "inferenceTime": f"{one.time:%Y-%m-%dT%H:%M:%SZ}",
                },
                "eventVersion": "0",
            }
        )  # fmt: skip
    _lines(root / "endpoint" / variant / "2026" / "11" / "02" / "14" / "03-00-123-abc.jsonl", rows)


def databricks(root: Path, layout: str = "new") -> None:
    """An inference table, as Parquet."""
    rows: list[dict[str, Any]] = []
    for one in TRUTH:
        row: dict[str, Any] = {
            "databricks_request_id": f"db-{one.id}", "client_request_id": one.id, "status_code": 200,
            "request": one.split, "response": one.predictions,
        }  # fmt: skip
        if layout == "new":
            row |= {"request_date": one.time.date(), "request_time": one.time, "served_entity_id": "entity-1"}
        else:
            metadata = {"endpoint_name": "e", "model_name": "eta", "model_version": "7"}
            row |= {
                "timestamp_ms": int(one.time.timestamp() * 1000),
                "date": one.time.date(),
                "request_metadata": metadata,
            }
        rows.append(row)
    table = pa.Table.from_pylist(rows)
    if layout == "old":
        at = table.schema.get_field_index("request_metadata")
        pairs = [list(row["request_metadata"].items()) for row in rows]
        table = table.set_column(at, "request_metadata", pa.array(pairs, pa.map_(pa.string(), pa.string())))
    pq.write_table(table, root / "part-0.parquet")


def delta(root: Path) -> None:
    """The same as a Delta table: a removed file, one whose name is escaped, a column in the path."""
    work = root / "work"
    work.mkdir()
    databricks(work)
    table = pq.read_table(work / "part-0.parquet").drop(["request_date"])
    folder = root / "request_date=2026-11-02"
    folder.mkdir()
    pq.write_table(table.slice(0, 6), folder / "a b.parquet")
    pq.write_table(table.slice(6), folder / "c.parquet")
    pq.write_table(table, root / "old.parquet")
    (work / "part-0.parquet").unlink()
    work.rmdir()
    day = {"request_date": "2026-11-02"}
    commits: list[list[dict[str, Any]]] = [
        [
            {"metaData": {"id": "x", "configuration": {}}},
            {"add": {"path": "old.parquet", "partitionValues": {}}},
        ],
        [
            {"remove": {"path": "old.parquet"}},
            {"add": {"path": "request_date=2026-11-02/a%20b.parquet", "partitionValues": day}},
            {"add": {"path": "request_date=2026-11-02/c.parquet", "partitionValues": day}},
        ],
    ]
    for number, actions in enumerate(commits):
        _lines(root / "_delta_log" / f"{number:020}.json", actions)


def vertex(root: Path) -> None:
    """A BigQuery export, packed."""
    rows = [
        {
            "endpoint": "1", "deployed_model_id": "4711", "logging_time": f"{one.time:%Y-%m-%d %H:%M:%S} UTC",
            "request_id": one.id, "request_payload": [json.dumps(list(row)) for row in one.features],
            "response_payload": [one.predictions],
        }
        for one in TRUTH
    ]  # fmt: skip
    (root / "export-000.json.gz").write_bytes(
        gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode())
    )


def azureml(root: Path) -> None:
    """The data collector: inputs and outputs in folders of their own."""
    names = ("distance_norm", "city", "rain")
    for side in ("inputs", "outputs"):
        rows = [
            {
                "specversion": "1.0", "id": f"{side}-{one.id}", "type": f"azureml.inference.{side}",
                "source": f"/subscriptions/s/deployments/d-{SHORT}/data/model_{side}",
                "time": one.time.isoformat().replace("+00:00", "Z"), "correlationid": f"c-{one.id}", "xrequestid": one.id,
                "modelversion": "3", "contentrange": "bytes 0-9/10",
                "data": [dict(zip(names, row, strict=True)) for row in one.features]
                if side == "inputs" else [{"minutes": value} for value in one.minutes],
            }
            for one in TRUTH
        ]  # fmt: skip
        _lines(root / f"model_{side}" / "2026" / "11" / "02" / "14" / "instance.jsonl", rows)


def pairs(root: Path) -> None:
    """Open Inference Protocol pairs, packed with zstd."""
    rows = []
    for one in TRUTH:
        who = {
            "model": "eta",
            "digest": STAMP.replace("-", ":"),
            "environment": "production",
            "slot": "stable",
        }
        response = {**one.response, "parameters": who}
        rows.append({"time": one.time.isoformat(), "request": one.request, "response": response})
    data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    with pa.CompressedOutputStream(str(root / "pairs.jsonl.zst"), "zstd") as out:
        out.write(data)


FORMATS: dict[str, Callable[[Path], None]] = {
    "kserve-http": kserve_http,
    "kserve-structured": kserve_structured,
    "kserve-json": kserve_json,
    "kserve-csv": kserve_csv,
    "kserve-parquet": kserve_parquet,
    "sagemaker-csv": sagemaker,
    "sagemaker-json": lambda root: sagemaker(root, "JSON"),
    "sagemaker-base64": lambda root: sagemaker(root, "BASE64"),
    "databricks": databricks,
    "databricks-old": lambda root: databricks(root, "old"),
    "delta": delta,
    "vertex": vertex,
    "azureml": azureml,
    "open-inference": pairs,
}
NO_TIME = {"kserve-json", "kserve-csv", "kserve-parquet"}
NO_STAMP = {"databricks", "databricks-old", "delta", "vertex"}
