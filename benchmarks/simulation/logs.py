"""The requests as five systems log them: our own Parquet, KServe's blobs, SageMaker, Databricks, pairs."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from modelspec.runtimes.requestlog_file import write
from modelspec.runtimes.requestlog_rows import Entry, batch_of, layout_for, schema_of
from modelspec.runtimes.served import Artifact, FieldOf, Served, Tensor
from modelspec.tree.requestlog import folder_of
from simulation.requests import Requests
from simulation.weights import INPUT, OUTPUT, WIDTH
from simulation.world import Line, Pin

HALF = 0.005
"""The share of KServe's requests whose response was lost."""


@dataclass(frozen=True, slots=True)
class System:
    """How a model's requests are logged. `stamped`: hex digits of the stamp in each record, 0 for none."""

    name: str
    stamped: int
    random_ids: bool


_SYSTEMS = {
    0: System("modelspec", 64, False),
    1: System("modelspec", 64, False),
    2: System("kserve", 64, True),
    3: System("sagemaker", 32, True),
    4: System("databricks", 0, True),
    5: System("modelspec", 64, False),
    6: System("modelspec", 64, False),
    7: System("kserve", 0, False),
    8: System("sagemaker", 0, True),
    9: System("open-inference", 0, False),
    14: System("databricks", 12, True),
    17: System("kserve", 0, True),
    19: System("open-inference", 64, True),
}


def system_of(model: int) -> System:
    """Return how a model is logged: two in five by us, seven in twenty with no word of the version."""
    return _SYSTEMS.get(model % 20, _SYSTEMS[model % 10])


def root_of(logs: Path, system: System, pin: Pin, line: Line) -> Path:
    """Return the folder of the log that holds a pin's requests."""
    if system.name == "modelspec":
        return logs / "modelspec"
    if system.name == "sagemaker":
        return logs / "sagemaker" / f"{line.name}-{pin.environment}"
    return logs / system.name / pin.environment / line.name


def write_log(logs: Path, pin: Pin, line: Line, told: Requests) -> np.ndarray:
    """Write the requests of a pin; return which of them lost half of their record."""
    system = system_of(pin.model)
    root = root_of(logs, system, pin, line)
    lost = np.zeros(len(told.ids), bool)
    if system.name == "kserve":
        random = np.random.default_rng(len(told.ids) + pin.model)
        lost = random.random(len(told.ids)) < HALF
    if system.name == "modelspec":
        _own(root, pin, line, told)
    else:
        _WRITERS[system.name](root, pin, line, told, system, lost)
    return lost


def _own(root: Path, pin: Pin, line: Line, told: Requests) -> None:
    """Write with the writer of our own runtimes: a file for each hour, slot and version."""
    for hour, part in told.hours():
        kinds = {(slot, version) for slot, version in zip(told.slots[part], told.versions[part], strict=True)}
        for slot, version in sorted(kinds):
            mine = part[(told.slots[part] == slot) & (told.versions[part] == version)]
            layout = layout_for(_served(pin, line, str(slot), int(version)), keyed=False)
            entries = [
                Entry(
                    told.ids[at],
                    int(told.said[at]),
                    {INPUT: told.inputs[told.of(at)]},
                    {OUTPUT: told.outputs[told.of(at)].reshape(-1, 1)},
                )
                for at in mine
            ]
            schema = schema_of(layout)
            table = pa.Table.from_batches([batch_of(entries, layout, schema, None)])
            folder = folder_of(datetime.fromtimestamp(hour, UTC), 0, 1)
            write(root, folder, f"{pin.environment}~{line.name}", table)


def _served(pin: Pin, line: Line, slot: str, version: int) -> Served:
    one = line.versions[version]
    names = [*(f"{line.view}.{name}" for name in line.fields), "request.rain"]
    return Served(
        model=line.name,
        version=one.name,
        digest=one.digest,
        stamp=one.stamp,
        environment=pin.environment,
        slot=slot,
        threads=1,
        artifact=Artifact(digest=one.artifact, files=()),
        inputs=(Tensor(name=INPUT, dtype="float32", shape=(-1, WIDTH)),),
        outputs=(Tensor(name=OUTPUT, dtype="float32", shape=(-1, 1)),),
        fields=tuple(FieldOf(input=INPUT, field=name, width=1, sensitive=False) for name in names),
    )


def _kserve(root: Path, pin: Pin, line: Line, told: Requests, system: System, lost: np.ndarray) -> None:
    """Write what KServe's logger puts in a store in batches: requests and responses apart, without a time."""
    for hour, part in told.hours():
        for kind in ("request", "response"):
            rows = [
                _blob(pin, line, told, int(at), kind, system)
                for at in part
                if kind == "request" or not lost[at]
            ]
            path = root / "predictor" / _dated(hour) / f"{told.ids[part[0]]}-{kind}"
            path.parent.mkdir(parents=True, exist_ok=True)
            if pin.model % 20 == 12:
                data = json.dumps([{_pascal(key): one for key, one in row.items()} for row in rows])
                path.with_name(f"{path.name}.json.gz").write_bytes(gzip.compress(data.encode(), 3, mtime=0))
            else:
                pq.write_table(pa.Table.from_pylist(rows), f"{path}.parquet", compression="zstd")


def _blob(pin: Pin, line: Line, told: Requests, at: int, kind: str, system: System) -> dict[str, str]:
    body = _request(told, at) if kind == "request" else _response(line, told, at, None)
    stamp = _stamp(line, told, at, system)
    return {
        "url": f"http://{line.name}.{pin.environment}.svc.cluster.local",
        "bytes": base64.b64encode(json.dumps(body, separators=(",", ":")).encode()).decode(),
        "content_type": "application/json",
        "req_type": kind,
        "id": told.ids[at],
        "source_uri": f"http://{line.name}-predictor.{pin.environment}",
        "inference_service": line.name,
        "namespace": pin.environment,
        "component": "predictor",
        "endpoint": "",
        "metadata": "{}",
        "annotations": json.dumps({"modelspec/stamp": stamp}) if stamp else "{}",
    }


def _pascal(key: str) -> str:
    return "".join(part.capitalize() for part in key.split("_"))


def _sagemaker(root: Path, pin: Pin, line: Line, told: Requests, system: System, lost: np.ndarray) -> None:
    """Write data capture: JSON lines, a folder for each variant and hour, times in seconds."""
    for hour, part in told.hours():
        by_variant: dict[str, list[str]] = {}
        for at in part:
            values = told.inputs[told.of(at)][0].tolist()
            record = {
                "captureData": {
                    "endpointInput": _captured("INPUT", ",".join(map(repr, values))),
                    "endpointOutput": _captured("OUTPUT", repr(float(told.outputs[told.starts[at]]))),
                },
                "eventMetadata": {
                    "eventId": told.ids[at],
                    "inferenceTime": _second(int(told.said[at])),
                },
                "eventVersion": "0",
            }
            variant = _stamp(line, told, int(at), system) or "AllTraffic"
            by_variant.setdefault(variant, []).append(json.dumps(record, separators=(",", ":")))
        for variant, records in by_variant.items():
            path = root / variant / _dated(hour) / "00-00-000-capture.jsonl.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(gzip.compress(("\n".join(records) + "\n").encode(), 3, mtime=0))


def _second(microseconds: int) -> str:
    return f"{datetime.fromtimestamp(microseconds // 1_000_000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _captured(mode: str, data: str) -> dict[str, str]:
    return {"observedContentType": "text/csv", "mode": mode, "data": data, "encoding": "CSV"}


def _databricks(root: Path, pin: Pin, line: Line, told: Requests, system: System, lost: np.ndarray) -> None:
    """Write an inference table: Parquet by day; the entity says something only where it is a stamp."""
    days: dict[int, list[np.ndarray]] = {}
    for hour, part in told.hours():
        days.setdefault(hour // 86_400, []).append(part)
    for day, parts in days.items():
        rows = [_row(line, told, int(at), system) for part in parts for at in part]
        date = datetime.fromtimestamp(day * 86_400, UTC)
        path = root / f"request_date={date:%Y-%m-%d}" / "part-00000.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(rows), path, compression="zstd")


def _row(line: Line, told: Requests, at: int, system: System) -> dict[str, object]:
    values = told.inputs[told.of(at)].tolist()
    return {
        "databricks_request_id": told.ids[at],
        "client_request_id": None,
        "request_time": datetime.fromtimestamp(int(told.said[at]) / 1e6, UTC),
        "status_code": 200,
        "sampling_fraction": 1.0,
        "execution_duration_ms": 4,
        "request": json.dumps({"inputs": values}),
        "response": json.dumps({"predictions": [[one] for one in told.outputs[told.of(at)].tolist()]}),
        "served_entity_id": _stamp(line, told, at, system) or f"entity-{line.name}",
        "requester": "shop",
    }


def _pairs(root: Path, pin: Pin, line: Line, told: Requests, system: System, lost: np.ndarray) -> None:
    """Write pairs of the Open Inference Protocol v2 as JSON lines; they have no time."""
    for hour, part in told.hours():
        lines = [
            json.dumps(
                {
                    "request": {"id": told.ids[at], **_request(told, int(at))},
                    "response": _response(line, told, int(at), _stamp(line, told, int(at), system) or "3"),
                },
                separators=(",", ":"),
            )
            for at in part
        ]
        path = root / _dated(hour) / "pairs.jsonl.zst"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pa.compress(("\n".join(lines) + "\n").encode(), codec="zstd", asbytes=True))


def _request(told: Requests, at: int) -> dict[str, object]:
    values = told.inputs[told.of(at)]
    tensor = {"name": INPUT, "datatype": "FP32", "shape": list(values.shape), "data": values.ravel().tolist()}
    return {"inputs": [tensor]}


def _response(line: Line, told: Requests, at: int, version: str | None) -> dict[str, object]:
    values = told.outputs[told.of(at)]
    tensor = {"name": OUTPUT, "datatype": "FP32", "shape": [len(values), 1], "data": values.tolist()}
    found: dict[str, object] = {"model_name": line.name, "id": told.ids[at], "outputs": [tensor]}
    return found if version is None else found | {"model_version": version}


def _stamp(line: Line, told: Requests, at: int, system: System) -> str:
    if not system.stamped:
        return ""
    return line.versions[told.versions[at]].stamp[: len("sha256-") + system.stamped]


def _dated(hour: int) -> str:
    return f"{datetime.fromtimestamp(hour, UTC):%Y/%m/%d/%H}"


_Writer = Callable[[Path, Pin, Line, Requests, System, np.ndarray], None]
_WRITERS: dict[str, _Writer] = {
    "kserve": _kserve,
    "sagemaker": _sagemaker,
    "databricks": _databricks,
    "open-inference": _pairs,
}
