"""Replays a request log beside the bare onnxruntime loop on the same rows, and measures `skew`, in one run.

    python benchmarks/replay.py [--rows 400000] [--skew-rows 1000000]

The log is our own Parquet in a temporary folder, written by what the runtimes write it with. Times are of the
CPU (user and system) of this process, so that a busy machine does not change the ratio. Three logs: requests
of 64 rows, requests of one row each that were answered alone, and 20 features for `skew`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from modelspec.runtimes.bulk import Player, play
from modelspec.runtimes.check_record import CHUNK
from modelspec.runtimes.columnar import blocks_by_column
from modelspec.runtimes.replay import opened, served_as
from modelspec.runtimes.requestlog_file import write
from modelspec.runtimes.requestlog_rows import Entry, batch_of, layout_for, schema_of
from modelspec.runtimes.rows import Skipped
from modelspec.runtimes.served import FieldOf, Served, Tensor
from modelspec.runtimes.skew import Feed, measure
from modelspec.spec.feature import Feature
from modelspec.spec.kinds import SCHEMA, VERSION
from modelspec.spec.model import Input
from modelspec.spec.registry import Registry
from modelspec.trace.bins import Bins
from modelspec.trace.columns import Column, columns_of
from modelspec.trace.measures import measured
from modelspec.tree.digest import stamp
from modelspec.tree.requestlog import folder_of
from modelspec.tree.snapshot import DictSnapshot
from modelspec.world.records.own import OwnRecords
from modelspec.world.records.places import locate

ROOT = Path(__file__).parent.parent
WHEN = datetime(2026, 10, 1, 9, tzinfo=UTC)
FILE_ROWS = 100_000


def cpu(act: Callable[[], Any]) -> tuple[float, Any]:
    """Return the CPU seconds that something takes, all threads together, and its result."""
    start = time.process_time()
    found = act()
    return time.process_time() - start, found


def written(root: Path, served: Served, inputs: np.ndarray, outputs: np.ndarray, batch: int) -> None:
    """Write rows as requests of `batch` rows."""
    layout = layout_for(served, keyed=False)
    [given], [told] = served.inputs, served.outputs
    micro = int(WHEN.timestamp() * 1_000_000)
    for start in range(0, len(inputs), FILE_ROWS):
        stop = min(start + FILE_ROWS, len(inputs))
        entries = [
            Entry(f"{at:032d}", micro, {given.name: inputs[at : min(at + batch, stop)]},
                  {told.name: outputs[at : min(at + batch, stop)]})
            for at in range(start, stop, batch)
        ]  # fmt: skip
        table = pa.Table.from_batches([batch_of(entries, layout, schema_of(layout), None)])
        write(root, folder_of(WHEN, 0, 1), f"{served.environment}~{served.model}", table)


def registry() -> Registry:
    """Return the example's registry."""
    found = {
        path.relative_to(ROOT).as_posix(): path.read_bytes() for path in (ROOT / "registry").rglob("*.yaml")
    }
    return Registry(DictSnapshot(found))


def replays(folder: Path, count: int) -> None:
    """Replay two logs of eta 2.3.0, 100 trees, and print how fast beside the bare loop."""
    tree = registry()
    entry = tree.value(VERSION, "eta", "2.3.0")
    assert entry is not None and entry.value.artifact is not None and entry.value.artifact.digest is not None
    version = entry.value
    schemas = {
        ref.view: tree.value(SCHEMA, ref.view, ref.schema_.partition("@")[0]) for ref in version.feature_refs
    }
    columns = columns_of(version, {view: one.value for view, one in schemas.items() if one is not None})
    engine = opened(ROOT / "store" / stamp(version.artifact.digest), version, entry.digest)
    draw = np.random.default_rng(1)
    inputs = np.column_stack(
        [draw.random(count), draw.integers(0, 4, count), draw.integers(0, 24, count), draw.random(count) * 80]
    ).astype(np.float32)
    session = engine._model._session
    served = served_as(version, entry.digest).model_copy(
        update={
            "environment": "production", "slot": "stable",
            "fields": tuple(FieldOf(input=c.tensor, field=c.name, width=1, sensitive=False) for c in columns),
        }
    )  # fmt: skip
    for name, batch, rows in (("64 rows a request", 64, count), ("one row a request", 1, count // 4)):
        most = CHUNK if batch > 1 else 1

        def bare(rows: int = rows, most: int = most) -> list[np.ndarray]:
            return [
                session.run(["minutes"], {"features": inputs[at : at + most]})[0]
                for at in range(0, rows, most)
            ]

        bare()
        answers = np.concatenate(bare())
        root = folder / f"log-{batch}"
        written(root, served, inputs[:rows], answers, batch)
        skipped = Skipped()

        def whole(root: Path = root, skipped: Skipped = skipped) -> Player:
            player = Player(engine, entry.digest, columns)
            play(OwnRecords(locate(str(root))), None, None, lambda _stamp, _model, _record: player, skipped)
            return player

        alone, _ = cpu(bare)
        seconds, player = cpu(whole)
        again, _ = cpu(bare)
        loop = (alone + again) / 2
        assert player.tally.rows == rows == player.tally.count("bit-equal") and not skipped.total
        print(
            f"replay, {name}: {rows:,} rows, all bit-equal: {rows / seconds:,.0f} rows/s of CPU; "
            f"bare onnxruntime loop {rows / loop:,.0f} rows/s; ratio {loop / seconds:.2f}"
        )


def skews(folder: Path, count: int, width: int = 20) -> None:
    """Hold rows of 20 features against ranges and bins, and print how long it takes."""
    tree = registry()
    entry = tree.value(VERSION, "eta", "2.3.0")
    assert entry is not None and entry.value.signature is not None
    names = [f"view.f{index}" for index in range(width)]
    features = [
        Feature(name=f"f{index}", dtype="float32", range=(-4, 4), nullable=False) for index in range(width)
    ]
    tensor = Input(name="features", dtype="float32", shape=(-1, width), **{"from": tuple(names)})
    signature = entry.value.signature.model_copy(update={"inputs": (tensor,)})
    version = entry.value.model_copy(update={"signature": signature})
    columns = [
        Column(name, "features", at, 1, one)
        for at, (name, one) in enumerate(zip(names, features, strict=True))
    ]
    inputs = np.random.default_rng(2).normal(size=(count, width)).astype(np.float32)
    edges = [float(one) for one in np.quantile(inputs[:20_000, 0], np.linspace(0, 1, 11))]
    bins = Bins((2000,) * 10, 0, tuple(edges))
    fields = tuple(FieldOf(input="features", field=name, width=1, sensitive=False) for name in names)
    served = served_as(entry.value, entry.digest).model_copy(
        update={
            "environment": "production", "slot": "stable",
            "inputs": (Tensor(name="features", dtype="float32", shape=(-1, width)),),
            "fields": fields,
        }
    )  # fmt: skip
    root = folder / "log-skew"
    written(root, served, inputs, np.zeros((count, 1), np.float32), 64)

    def whole() -> Any:
        table = measured(columns, dict.fromkeys(names, bins))
        feed = Feed(version, columns, table, Skipped())
        batches = OwnRecords(locate(str(root))).batches()
        rows = ((file.layout, batch, file.path) for file, batch in batches)  # type: ignore[misc]
        return measure(table, blocks_by_column(rows, feed), feed)

    start = time.perf_counter()
    seconds, found = cpu(whole)
    wall = time.perf_counter() - start
    assert found.rows == count and all(one.drift is not None for one in found.features)
    print(f"skew: {count:,} rows x {width} features: {wall:.2f} s, {seconds:.2f} s of CPU")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=400_000)
    parser.add_argument("--skew-rows", type=int, default=1_000_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="modelspec-replay-") as name:
        replays(Path(name), options.rows)
        skews(Path(name), options.skew_rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
