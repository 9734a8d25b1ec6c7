"""Traces some of the simulated requests with what `trace` and `replay` run, and compares with the truth."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pyarrow.parquet as pq

from modelspec.api.trace import Held
from modelspec.cli.logs import looked_up
from modelspec.cli.records import open_records
from modelspec.cli.replaying import Loaded
from modelspec.cli.tracing import Asking, Tracer, open_tracer
from modelspec.runtimes.replay import Replay
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
    kept: bool
    """Whether the artifact that answered is still in the store."""

    @property
    def digest(self) -> str:
        """The digest of the version that answered."""
        return self.line.versions[self.version].digest


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a trace said of one request: its `grade`, or `undecided`, `half lost`, `missing`."""

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

    @property
    def astray(self) -> list[Outcome]:
        """Those that were left undecided without the one that answered among the candidates."""
        return [
            one
            for one in self.outcomes
            if one.grade == "undecided" and one.request.digest not in one.candidates
        ]

    @property
    def unequal(self) -> list[Outcome]:
        """Those that were named, whose artifact is kept, and whose replay gives other bits."""
        return [one for one in self.outcomes if one.right and one.request.kept and one.replay != "bit-equal"]


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
    store = out / "registry" / "store"

    def kept(version: int) -> bool:
        return (store / line.versions[version].artifact.replace(":", "-", 1)).is_dir()

    for one in pq.read_table(path).take(rows).to_pylist():
        said = datetime.fromtimestamp(one["said"] / 1e6, UTC)
        root = root_of(out / "logs", system, pin, line)
        yield Request(
            one["id"],
            pin,
            line,
            system,
            root,
            said,
            one["version"],
            one["slot"],
            one["lost"],
            kept(one["version"]),
        )


def trace(registry: Path, requests: Sequence[Request], *, replay: bool = True) -> Result:
    """Trace requests one after another, in one process; without `replay` no model is asked: the evidence of
    receipts and git has to do, as where every artifact is gone."""
    found = Result()
    start = time.process_time()
    asking = Asking(None, None, None, replay)
    with open_tracer(str(registry), None, asking, network=False) as tracer:
        if not replay:
            tracer.loaded = _Unasked(tracer.loaded.source, False, False, tracer.loaded.stack)
        for request in requests:
            found.outcomes.append(_traced(tracer, request, replay))
    found.cpu = time.process_time() - start
    found.memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return found


class _Unasked(Loaded):
    """No version can be asked."""

    def of(self, held: Held) -> Replay | str:
        """Say so."""
        return "it was not asked"


def by_command(registry: Path, requests: Sequence[Request]) -> list[Outcome]:
    """Trace requests with the real command, a process each."""
    return [_by_command(registry, request) for request in requests]


def _by_command(registry: Path, request: Request) -> Outcome:
    began = time.perf_counter()
    _, around = asked(request)
    command = [
        str(Path(sys.executable).with_name("modelspec")), "trace", request.id, "--root", str(registry),
        "--log", str(request.root), "--model", request.line.name, "--env", request.pin.environment,
        "--replay", "--format", "json",
    ]  # fmt: skip
    command += ["--around", f"{around:%Y-%m-%dT%H:%M:%SZ}"] if around is not None else []
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise RuntimeError(done.stderr)
    said = json.loads(done.stdout)["traces"]
    version = said[0]["version"] if said else None
    right = None if version is None else version["digest"] == request.digest
    grade = "missing" if not said else said[0]["known_by"] or "undecided"
    return Outcome(request, grade, right, "", (), (), time.perf_counter() - began)


def asked(request: Request) -> tuple[Asking, datetime | None]:
    """Return what a customer's complaint says: the service, and for a random id about when it was."""
    off = Random(request.id).uniform(-OFF, OFF)
    around = datetime.fromtimestamp(int(request.said.timestamp() + off), UTC)
    when = around if request.system.random_ids else None
    return Asking(request.line.name, request.pin.environment, when, True), when


def _traced(tracer: Tracer, request: Request, replay: bool) -> Outcome:
    began = time.perf_counter()
    asking, around = asked(request)
    tracer.asking = replace(asking, replay=replay)
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
    said = "" if asked_again is None else asked_again.verdict or asked_again.why_not
    return Outcome(
        request,
        identified.grade or "undecided",
        right,
        said,
        tuple(one.digest for one in identified.candidates),
        identified.why,
        time.perf_counter() - began,
    )


GRADES = ("stamp", "receipt", "declared", "witness", "undecided", "half lost", "missing")


def table(result: Result, *, replays: bool = True) -> str:
    """Return what came of it as the documentation shows it: `bit for bit` of those whose artifact is kept."""
    heads = ["known by", "requests", "named right", "named wrong", *(["bit for bit"] if replays else [])]
    lines = [_line(heads), f"|---|{'--:|' * (len(heads) - 1)}"]
    for grade in GRADES:
        mine = [one for one in result.outcomes if one.grade == grade]
        if mine or grade not in ("half lost", "missing"):
            lines.append(_row(grade, mine, replays))
    return "\n".join([*lines, _row("all", result.outcomes, replays)])


def _row(name: str, mine: Sequence[Outcome], replays: bool) -> str:
    counts = Counter(one.right for one in mine)
    kept = [one for one in mine if one.right and one.request.kept]
    bits = sum(one.replay == "bit-equal" for one in kept)
    cells = [name, f"{len(mine):,}", f"{counts[True]:,}", f"{counts[False]:,}"]
    return _line([*cells, f"{bits:,} of {len(kept):,}"] if replays else cells)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
