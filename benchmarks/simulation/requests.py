"""The requests of one pin: when, with what, answered by whom: the truth that `trace` is held against."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
import pyarrow as pa
import pyarrow.parquet as pq

from simulation.live import states_at
from simulation.weights import INPUT, WIDTH
from simulation.world import HOUR, LIE, START, Cluster, Line, Pin, Size

MANY = 3
"""Rows of the few requests that have several."""
BROKEN = 0.02
"""The share of requests with a value that breaks the contract."""


@dataclass(slots=True)
class Requests:
    """Requests of one pin, by the hour of the server's clock. All arrays have one entry a request, but for
    `inputs` and `outputs`, which have one a row: those of request i begin at `starts[i]`."""

    ids: list[str]
    true: np.ndarray
    """Seconds: when it really was."""
    said: np.ndarray
    """Microseconds, by the clock of the server that logged it."""
    slots: np.ndarray
    versions: np.ndarray
    clusters: np.ndarray
    rows: np.ndarray
    starts: np.ndarray
    inputs: np.ndarray
    outputs: np.ndarray

    def hours(self) -> list[tuple[int, np.ndarray]]:
        """Return the indices of the requests of each hour by the server's clock."""
        hours = self.said // (HOUR * 1_000_000)
        edges = np.flatnonzero(np.diff(hours)) + 1
        parts = np.split(np.arange(len(hours)), edges)
        return [(int(hours[part[0]]) * HOUR, part) for part in parts if len(part)]

    def of(self, at: int) -> slice:
        """Return where the rows of a request are."""
        return slice(int(self.starts[at]), int(self.starts[at] + self.rows[at]))


def requests(
    size: Size, pin: Pin, line: Line, clusters: Sequence[Cluster], count: int, random_ids: bool, several: bool
) -> Requests:
    """Return `count` requests of a pin, answered by real models."""
    seed = hashlib.sha256(f"{size.seed}/requests/{pin.environment}/{pin.model}".encode()).digest()
    random = np.random.default_rng(int.from_bytes(seed[:8], "big"))
    true = _times(size, clusters, count, random)
    # Each cluster's nodes have one clock, the gateway that mints the ids has another.
    which = random.integers(len(clusters), size=count)
    servers = random.uniform(-LIE, LIE, size=len(clusters))
    said = ((true + servers[which]) * 1e6).astype(np.int64)
    order = np.argsort(said, kind="stable")
    true, said, which = true[order], said[order], which[order]
    slots, versions = _answering(pin, clusters, true, which, random)
    rows = np.where(random.random(count) < 0.05, MANY, 1) if several else np.ones(count, np.int64)
    starts = np.concatenate([[0], np.cumsum(rows)[:-1]])
    inputs = _inputs(int(rows.sum()), random)
    outputs = _outputs(line, versions, rows, starts, inputs)
    ids = _ids(true + random.uniform(-LIE, LIE), random, random_ids)
    return Requests(ids, true, said, slots, versions, which, rows, starts, inputs, outputs)


def _times(size: Size, clusters: Sequence[Cluster], count: int, random: np.random.Generator) -> np.ndarray:
    """Return the instants: the log is on in some hours, half of them around changes, which are hard."""
    total = size.days * 24
    wanted = int(min(total, max(12, min(240, count // 30))))
    begins = np.array([one.begin for cluster in clusters for one in cluster.rollouts])
    near = np.unique(((begins[:, None] + [-600, 0, 900]) - START).ravel() // HOUR).astype(np.int64)
    near = near[(near >= 0) & (near < total)]
    near = random.permutation(near)[: wanted // 2]
    hours = np.union1d(near, random.permutation(total)[: wanted - len(near)])
    return np.sort(START + (random.choice(hours, size=count) + random.random(count)) * HOUR)


def _answering(
    pin: Pin, clusters: Sequence[Cluster], true: np.ndarray, which: np.ndarray, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    slots = np.empty(len(true), dtype=object)
    versions = np.zeros(len(true), np.int64)
    for at, cluster in enumerate(clusters):
        mine = np.flatnonzero(which == at)
        states = states_at(cluster, true[mine], random)
        draws = random.uniform(0, 100, size=len(mine))
        for state in np.unique(states):
            change = pin.changes[cluster.rollouts[state].change]
            low = 0.0
            for slot, version, share in change.slots:
                chosen = mine[(states == state) & (draws >= low) & (draws < low + share)]
                slots[chosen], versions[chosen] = slot, version
                low += share
    return slots, versions


def _inputs(count: int, random: np.random.Generator) -> np.ndarray:
    found = random.random((count, WIDTH), dtype=np.float32)
    found[:, WIDTH - 1] *= np.float32(80)
    found[random.random(count) < BROKEN, 0] = np.float32(3.5)
    return found


def _outputs(
    line: Line, versions: np.ndarray, rows: np.ndarray, starts: np.ndarray, inputs: np.ndarray
) -> np.ndarray:
    """Return the answers; each request is one run, since a batch may answer with other bits than one row."""
    outputs = np.empty(len(inputs), np.float32)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    for version in np.unique(versions):
        session = onnxruntime.InferenceSession(
            line.versions[version].model, options, providers=["CPUExecutionProvider"]
        )
        run = session.run
        for at in np.flatnonzero(versions == version):
            start = starts[at]
            stop = start + rows[at]
            outputs[start:stop] = run(None, {INPUT: inputs[start:stop]})[0][:, 0]
    return outputs


def _ids(minted: np.ndarray, random: np.random.Generator, random_ids: bool) -> list[str]:
    """Return UUIDv7 with the instants of the gateway's clock, or UUIDv4, which tell none."""
    count = len(minted)
    noise = random.bytes(16 * count)
    milliseconds = (minted * 1000).astype(np.int64).tolist()
    found = []
    for at, when in enumerate(milliseconds):
        digits = noise[16 * at : 16 * at + 16].hex()
        head = digits[:12] if random_ids else f"{when:012x}"
        kind = "4" if random_ids else "7"
        found.append(f"{head[:8]}-{head[8:]}-{kind}{digits[13:16]}-a{digits[17:20]}-{digits[20:]}")
    return found


def write_truth(folder: Path, pin: Pin, line: Line, told: Requests, lost: np.ndarray) -> None:
    """Write what really happened, a file for each pin; `lost` are requests with half of their record gone."""
    table = pa.table(
        {
            "id": told.ids,
            "true": told.true,
            "said": told.said,
            "cluster": told.clusters.astype(np.int8),
            "slot": pa.array(told.slots.tolist()).dictionary_encode(),
            "version": told.versions.astype(np.int16),
            "lost": lost,
        }
    )
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, folder / f"{pin.environment}~{line.name}.parquet", compression="zstd")
