"""Traces some of the simulated requests with what `trace` and `replay` run, and compares with the truth."""

from __future__ import annotations

import resource
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pyarrow.parquet as pq

from modelspec.cli.logs import looked_up
from modelspec.cli.records import open_records
from modelspec.cli.tracing import Asking, Tracer, open_tracer
from simulation.logs import System, root_of, system_of
from simulation.world import Line, Pin

OFF = 60
"""Seconds by which the customer's word of when it was is off the server's clock."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it really was."""

    id: str
    pin: Pin
    line: Line
    system: System
    root: Path
    said: datetime
    """By the clock of the server; the customer has it from the answer's head."""
    version: int
    slot: str
    lost: bool

    @property
    def digest(self) -> str:
        """The digest of the version that answered."""
        return self.line.versions[self.version].digest


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a trace said of one request: `grade` is that of the evidence, `undecided`, `half lost` or `missing`."""

    request: Request
    grade: str
    right: bool | None
    replay: str
    candidates: tuple[str, ...]
    why: tuple[str, ...]
    seconds: float


@dataclass(slots=True)
class Result:
    """All of it."""

    outcomes: list[Outcome] = field(default_factory=list)
    cpu: float = 0.0
    memory: float = 0.0

    @property
    def wrong(self) -> list[Outcome]:
        """Those that were named wrong."""
        return [one for one in self.outcomes if one.right is False]


def drawn(out: Path, pins: Sequence[Pin], lines: Sequence[Line], count: int, seed: int) -> list[Request]:
    """Return `count` random requests out of all, each as likely as any other."""
    files = [(pin, out / "truth" / f"{pin.environment}~{lines[pin.model].name}.parquet") for pin in pins]
    known = [(pin, path, pq.read_metadata(path).num_rows) for pin, path in files if path.exists()]
    total = sum(rows for _, _, rows in known)
    wanted = sorted(Random(f"{seed}/trace").sample(range(total), min(count, total)))
    found: list[Request] = []
    begin = at = 0
    for pin, path, rows in known:
        mine = []
        while at < len(wanted) and wanted[at] < begin + rows:
            mine.append(wanted[at] - begin)
            at += 1
        begin += rows
        if mine:
            found += _requests(out, pin, lines[pin.model], path, mine)
    return found


def _requests(out: Path, pin: Pin, line: Line, path: Path, rows: list[int]) -> Iterator[Request]:
    system = system_of(pin.model)
    for one in pq.read_table(path).take(rows).to_pylist():
        said = datetime.fromtimestamp(one["said"] / 1e6, UTC)
        root = root_of(out / "logs", system, pin, line)
        yield Request(
            one["id"], pin, line, system, root, said, one["version"], one["slot"], one["lost"]
        )


def trace(registry: Path, requests: Sequence[Request]) -> Result:
    """Trace requests one after another, in one process."""
    found = Result()
    start = time.process_time()
    asking = Asking(None, None, None, True)
    with open_tracer(str(registry), None, asking, network=False) as tracer:
        for request in requests:
            found.outcomes.append(_traced(tracer, request))
    found.cpu = time.process_time() - start
    found.memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return found


def asked(request: Request) -> tuple[Asking, datetime | None]:
    """Return what a customer's complaint says: the service, and for a random id about when it was."""
    off = Random(request.id).uniform(-OFF, OFF)
    around = datetime.fromtimestamp(int(request.said.timestamp() + off), UTC)
    when = around if request.system.random_ids else None
    return Asking(request.line.name, request.pin.environment, when, True), when


def _traced(tracer: Tracer, request: Request) -> Outcome:
    began = time.perf_counter()
    tracer.asking, around = asked(request)
    looked = looked_up(open_records(str(request.root)), request.id, around)
    if not looked.records:
        grade = "half lost" if request.lost and looked.unreadable else "missing"
        why = tuple(one.why for one in looked.unreadable)
        return Outcome(request, grade, None, "", (), why, time.perf_counter() - began)
    [(record, copies)] = looked.records
    traced = tracer.trace(record, copies)
    identified = traced.identified
    right = None if identified.digest is None else identified.digest == request.digest
    asked_again = traced.replay
    replay = "" if asked_again is None else asked_again.verdict or asked_again.why_not
    return Outcome(
        request,
        identified.grade or "undecided",
        right,
        replay,
        tuple(one.digest for one in identified.candidates),
        identified.why,
        time.perf_counter() - began,
    )


def table(result: Result) -> str:
    """Return what came of it as the documentation shows it."""
    lines = ["| evidence | requests | named right | named wrong | replayed bit for bit |", "|---|--:|--:|--:|--:|"]
    for grade in ("stamp", "receipt", "declared", "witness", "undecided", "half lost", "missing"):
        mine = [one for one in result.outcomes if one.grade == grade]
        counts = Counter(one.right for one in mine)
        bits = sum(one.replay == "bit-equal" for one in mine)
        if mine or grade not in ("half lost", "missing"):
            lines.append(f"| {grade} | {len(mine):,} | {counts[True]:,} | {counts[False]:,} | {bits:,} |")
    total = result.outcomes
    right = sum(one.right is True for one in total)
    bits = sum(one.replay == "bit-equal" for one in total)
    lines.append(f"| all | {len(total):,} | {right:,} | {len(result.wrong):,} | {bits:,} |")
    return "\n".join(lines)


