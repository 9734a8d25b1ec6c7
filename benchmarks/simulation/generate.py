"""Writes the world: a registry with history, store and receipts, the logs, and the truth beside them."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from random import Random

from emit import document

from simulation.lines import GROUP, line, schemas
from simulation.live import clusters
from simulation.logs import system_of, write_log
from simulation.moves import COORDINATED, pins, steps_of
from simulation.observers import receipts
from simulation.repository import steps, write, write_receipts, write_store
from simulation.requests import requests, write_truth
from simulation.world import DAY, Cluster, Line, Pin, Size

SETTINGS = {
    "apiVersion": "modelspec/v1",
    "kind": "Settings",
    "requires": ">=0.1.0",
    "stores": {"main": {"path": "store", "uri": "s3://example-models/store"}},
    "retention": {"days": 90},
}


def world(size: Size) -> tuple[list[Line], list[Pin], dict[str, list[tuple[str, bytes, str]]]]:
    """Return models, pins and the schemas of each view: all that is decided before anything is written."""
    views = sorted({f"orders_{index // GROUP}" for index in range(size.models)})
    told = {view: schemas(size.seed, view, 1 + len(COORDINATED)) for view in views}
    # Version n reads the first schema until the first coordinated change, and so on.
    schema_of = tuple(1 + sum(at >= cut for cut in COORDINATED) for at in range(steps_of(size) + 1))
    lines = []
    for index in range(size.models):
        refs = [ref for _, _, ref in told[f"orders_{index // GROUP}"]]
        lines.append(line(size.seed, index, schema_of, refs))
    found = pins(size)
    for pin in found:
        pin.changes[:] = [change for change in pin.changes if change.time < size.end]
    return lines, found, told


def generate(size: Size, out: Path, workers: int = 2) -> dict[str, object]:
    """Write everything below `out`; return what there is, in numbers."""
    lines, found, told = world(size)
    registry = out / "registry"
    registry.parent.mkdir(parents=True, exist_ok=True)
    made = steps(size, lines, found, told, document(SETTINGS))
    commits = write(registry, size, made)
    live = [clusters(size, pin) for pin in found]
    seen = [
        receipt
        for pin, places in zip(found, live, strict=True)
        for receipt in receipts(size, pin, lines, places, commits)
    ]
    files = write_receipts(registry, seen)
    artifacts = write_store(registry, lines)
    shares = _shares(size, found)
    jobs = [
        (size, out, pin, lines[pin.model], places, count)
        for pin, places, count in zip(found, live, shares, strict=True)
        if count
    ]
    if workers > 1:
        with ProcessPoolExecutor(workers) as pool:
            list(pool.map(_logged, *zip(*jobs, strict=True)))
    else:
        for job in jobs:
            _logged(*job)
    gone = _expire(registry, size, lines, found)
    kinds = Counter(change.kind for pin in found for change in pin.changes)
    facts = {
        "size": asdict(size),
        "commits": len(commits),
        "changes": dict(sorted(kinds.items())),
        "rollouts": sum(len(one.rollouts) for places in live for one in places),
        "receipts": files,
        "versions": sum(len(one.versions) for one in lines),
        "artifacts": artifacts,
        "artifacts gone": gone,
        "records": {
            name: sum(
                count for pin, count in zip(found, shares, strict=True) if system_of(pin.model).name == name
            )
            for name in sorted({system_of(pin.model).name for pin in found})
        },
    }
    (out / "facts.json").write_text(json.dumps(facts, indent=1), "utf-8")
    return facts


def _expire(registry: Path, size: Size, lines: list[Line], found: list[Pin]) -> int:
    """Remove the artifacts whose last tenure is longer over than artifacts are kept; return how many."""
    horizon = size.end - size.keep * DAY
    needed = set()
    for pin in found:
        ends = [*(change.time for change in pin.changes[1:]), size.end]
        for change, end in zip(pin.changes, ends, strict=True):
            if end > horizon:
                needed.update(lines[pin.model].versions[version].artifact for _, version, _ in change.slots)
    told = {version.artifact for line in lines for version in line.versions} - needed
    for artifact in told:
        folder = registry / "store" / artifact.replace(":", "-", 1)
        shutil.rmtree(folder)
        folder.with_name(f"{folder.name}.sha256sum").unlink()
    return len(told)


def _shares(size: Size, found: list[Pin]) -> list[int]:
    """Return how many requests each pin has: some models are asked five times as often as others."""
    weights = [Random(f"{size.seed}/share/{pin.environment}/{pin.model}").uniform(1, 5) for pin in found]
    counts = [int(size.records * weight / sum(weights)) for weight in weights]
    counts[0] += size.records - sum(counts)
    return counts


def _logged(size: Size, out: Path, pin: Pin, line: Line, places: list[Cluster], count: int) -> None:
    system = system_of(pin.model)
    # What SageMaker and Databricks capture here is one row a request.
    several = system.name in ("modelspec", "open-inference")
    told = requests(size, pin, line, places, count, system.random_ids, several)
    lost = write_log(out / "logs", pin, line, told)
    write_truth(out / "truth", pin, line, told, lost)
