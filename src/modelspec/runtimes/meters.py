"""What became of a slot's request records, in the metrics that MLServer serves."""

from __future__ import annotations

from functools import cache
from typing import Any

from prometheus_client import Counter


@cache
def _counter(name: str, says: str, labels: tuple[str, ...]) -> Any:
    # MLServer's own helpers know only histograms.
    return Counter(name, says, labels)


class ModelMeter:
    """A Meter for one model as MLServer calls it."""

    def __init__(self, model: str, version: str) -> None:
        labels = ("model_name", "model_version")
        written = _counter("modelspec_records_written", "Rows of the request log that are on disk", labels)
        self._written = written.labels(model, version)
        self._lost = {
            reason: _counter(
                "modelspec_records_lost",
                "Records that could not be kept: memory and form count requests, disk counts rows",
                (*labels, "reason"),
            ).labels(model, version, reason)
            for reason in ("memory", "disk", "form")
        }

    def written(self, rows: int) -> None:
        """Count rows that are in files."""
        self._written.inc(rows)

    def lost(self, reason: str, rows: int) -> None:
        """Count what was lost."""
        self._lost[reason].inc(rows)
