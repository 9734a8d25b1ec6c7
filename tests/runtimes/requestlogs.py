"""A request log of our own, written by the real writer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from modelspec.runtimes.requestlog_file import write
from modelspec.runtimes.requestlog_rows import Entry, batch_of, layout_for, schema_of
from modelspec.runtimes.served import Served, read_served
from modelspec.tree.requestlog import bucket_of, folder_of

DIGEST = "sha256:" + "ab" * 32
SIMPLE: dict[str, Any] = {
    "inputs": [{"name": "features", "dtype": "float32", "shape": [-1, 3]}],
    "outputs": [{"name": "minutes", "dtype": "float32", "shape": [-1, 1]}],
    "fields": [
        {"input": "features", "field": f"trip.{name}", "width": 1, "sensitive": False}
        for name in ("a", "b", "c")
    ],
}


class Counts:
    """A Meter that a test can read."""

    def __init__(self) -> None:
        self.kept = 0
        self.gone: Counter[str] = Counter()

    def written(self, rows: int) -> None:
        self.kept += rows

    def lost(self, reason: str, rows: int) -> None:
        self.gone[reason] += rows


def served(**change: Any) -> Served:
    """A slot's config; its log is on."""
    return read_served(
        {
            "model": "eta",
            "version": "2.3.0",
            "digest": DIGEST,
            "stamp": DIGEST.replace(":", "-"),
            "environment": "production",
            "slot": "stable",
            "artifact": {"digest": DIGEST, "files": []},
            "threads": 1,
            "log": {"sample": 100, "flush_seconds": 3600},
            **SIMPLE,
            **change,
        }
    )


def entry(request: str, when: datetime, rows: int = 1, first: float = 0.1) -> Entry:
    """One request of a slot with SIMPLE tensors."""
    features = (np.arange(rows * 3, dtype=np.float32) + np.float32(first)).reshape(rows, 3)
    return Entry(
        request,
        round(when.timestamp() * 1e6),
        {"features": features},
        {"minutes": features[:, :1] * np.float32(2)},
    )


def write_log(
    root: Path, entries: Sequence[Entry], hour: datetime, buckets: int = 1, **change: Any
) -> list[Path]:
    """Write requests as one flush of the server would: a file for each bucket."""
    layout = layout_for(served(**change), keyed=False)
    schema = schema_of(layout)
    written = []
    for bucket in range(buckets):
        own = [one for one in entries if bucket_of(one.id, buckets) == bucket]
        if own:
            table = pa.Table.from_batches([batch_of(own, layout, schema, None)])
            written.append(
                write(root, folder_of(hour, bucket, buckets), f"{layout.environment}~{layout.model}", table)
            )
    return written
