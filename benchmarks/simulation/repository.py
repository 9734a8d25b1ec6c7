"""The simulated registry as a real git repository: main by first parents, receipts on their own branch."""

from __future__ import annotations

import os
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from emit import Map, document

from modelspec.spec.receipt import BRANCH, Receipt, canonical_bytes, located
from modelspec.spec.receipt import at as instant
from modelspec.tree.digest import artifact_digest, listing, sha256
from simulation.lines import GROUP, model_head, view_head
from simulation.moves import COORDINATED
from simulation.world import DAY, ENVIRONMENTS, HOUR, START, Change, Line, Pin, Size, Slots, lie

PEOPLE = ("Ada", "Ben", "Chloe", "Dmitri", "Elif", "Farid", "Grace", "Hiro")
_QUIET = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}


@dataclass(slots=True)
class Step:
    """One commit of main: when it was really made, its message and its files."""

    time: int
    message: str
    files: dict[str, bytes] = field(default_factory=dict)


def steps(
    size: Size,
    lines: Sequence[Line],
    pins: Sequence[Pin],
    schemas: dict[str, list[tuple[str, bytes, str]]],
    settings: bytes,
) -> list[Step]:
    """Return the commits of main in their true order, and tell each change which one declares it."""
    first = Step(START - DAY, "A simulated registry", {"registry/modelspec.yaml": settings})
    found: dict[object, Step] = {"first": first}
    for place, before in zip(ENVIRONMENTS, (None, *ENVIRONMENTS), strict=False):
        first.files[f"registry/environments/{place}/environment.yaml"] = _environment(place, before)
    for view, told in schemas.items():
        path, content = view_head(view)
        first.files[path] = content
        for path, content, _ in told:
            first.files[path] = content
        for place in ENVIRONMENTS:
            path, content = _feature_pin(place, view, [told[0][2]])
            first.files[path] = content
    for line in lines:
        path, content = model_head(line.name)
        first.files[path] = content
        first.files[line.versions[0].path] = line.versions[0].document
    used: dict[tuple[int, int], int] = {}
    owners: list[tuple[object, Change]] = []
    for pin in pins:
        line = lines[pin.model]
        for change in pin.changes:
            key = _key(pin, change)
            step = found.setdefault(key, Step(change.time, _message(line, pin, change)))
            owners.append((key, change))
            path, content = _pin(pin.environment, line, change.slots)
            step.files[path] = content
            if change.kind == "coordinated":
                number = 1 + COORDINATED.index(max(version for _, version, _ in change.slots)) + 1
                refs = [ref for _, _, ref in schemas[line.view][:number]]
                path, content = _feature_pin(pin.environment, line.view, refs)
                step.files[path] = content
            for _, version, _ in change.slots:
                held = (pin.model, version)
                used[held] = min(used.get(held, change.time), change.time)
    for (model, version), time in used.items():
        if version:
            one = lines[model].versions[version]
            message = f"Register {lines[model].name} {one.name}"
            found["version", model, version] = Step(time - 2 * HOUR, message, {one.path: one.document})
    ordered = sorted(found.items(), key=lambda item: item[1].time)
    index = {key: at for at, (key, _) in enumerate(ordered)}
    for key, change in owners:
        change.commit = index[key]
    return [step for _, step in ordered]


def _key(pin: Pin, change: Change) -> object:
    if change.kind == "first":
        return "first"
    if change.kind == "coordinated":
        return ("together", pin.environment, pin.model // GROUP, change.time)
    return (pin.environment, pin.model, change.time)


def _message(line: Line, pin: Pin, change: Change) -> str:
    stable = next(version for slot, version, _ in change.slots if slot == "stable")
    what = f"{change.kind} {line.name} {pin.environment} {line.versions[stable].name}"
    number = 1 + (change.time + pin.model) % 9999
    return f"{what[0].upper()}{what[1:]} (#{number})\n\nReviewed-by: Ada <ada@example.com>\n"


def _environment(name: str, before: str | None) -> bytes:
    data: Map = {"apiVersion": "modelspec/v1", "kind": "Environment", "environment": name}
    data["stage"] = "staging" if name == "staging" else "production"
    if before is not None:
        data["after"] = before
    return document(data)


def _feature_pin(place: str, view: str, refs: list[str]) -> tuple[str, bytes]:
    data: Map = {
        "apiVersion": "modelspec/v1",
        "kind": "FeaturePin",
        "environment": place,
        "view": view,
        "access": "numbered",
        "serves": refs,
        "closes": [],
    }
    return f"registry/environments/{place}/features/{view}.yaml", document(data)


def _pin(place: str, line: Line, slots: Slots) -> tuple[str, bytes]:
    data: Map = {"apiVersion": "modelspec/v1", "kind": "Pin", "environment": place, "model": line.name}
    named = {slot: (line.versions[version].ref, share) for slot, version, share in slots}
    for slot in ("shadow", "standby", "canary", "stable"):
        if slot in named:
            ref, share = named[slot]
            data[slot] = {"version": ref} | ({"weight": share} if slot == "canary" else {})
    return f"registry/environments/{place}/models/{line.name}.yaml", document(data)


def write(out: Path, size: Size, made: Sequence[Step]) -> list[str]:
    """Write main, whose committers' clocks lie, check it out, and return the ids of its commits."""
    _git(out.parent, "init", "--quiet", "--initial-branch=main", "--object-format=sha1", "--", str(out))
    random = Random(f"{size.seed}/people")
    clocks = {person: lie(random) for person in PEOPLE}
    marks = out / ".git" / "marks"
    parts = []
    for at, step in enumerate(made):
        person = random.choice(PEOPLE)
        when = step.time + int(clocks[person])
        parts.append(_commit("main", at + 1, f"{person} <{person.lower()}@example.com> {when}", step.message))
        parts += [_file(path, content) for path, content in step.files.items()]
    _import(out, b"".join(parts), f"--export-marks={marks}")
    ids = dict(line.split() for line in marks.read_text("ascii").splitlines())
    marks.unlink()
    _git(out, "reset", "--quiet", "--hard", "main")
    return [ids[f":{at + 1}"] for at in range(len(made))]


def write_receipts(out: Path, told: Iterable[Receipt]) -> int:
    """Write receipts to their branch, those of one day in one commit; return how many files they are."""
    days: dict[int, dict[str, bytes]] = defaultdict(dict)
    for receipt in told:
        data = canonical_bytes(receipt)
        days[int(instant(receipt.observed).timestamp()) // DAY][located(receipt, data)] = data
    parts = []
    for day, files in sorted(days.items()):
        when = f"observer <observer@example.com> {(day + 1) * DAY}"
        parts.append(_commit(BRANCH, day, when, "Observe"))
        parts += [_file(path, content) for path, content in sorted(files.items())]
    _import(out, b"".join(parts))
    return sum(map(len, days.values()))


def write_store(out: Path, lines: Iterable[Line]) -> int:
    """Write every artifact where a store that is a folder has it; return how many there are."""
    there = set()
    for line in lines:
        for one in line.versions:
            rows = [("model.onnx", sha256(one.model))]
            digest = artifact_digest(rows)
            folder = out / "store" / digest.replace(":", "-", 1)
            there.add(digest)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "model.onnx").write_bytes(one.model)
            folder.with_name(f"{folder.name}.sha256sum").write_bytes(listing(rows))
    return len(there)


def _commit(branch: str, mark: int, when: str, message: str) -> bytes:
    text = message.encode()
    head = f"commit refs/heads/{branch}\nmark :{mark}\ncommitter {when} +0000\ndata {len(text)}\n"
    return head.encode() + text + b"\n"


def _file(path: str, data: bytes) -> bytes:
    return b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(data), data)


def _import(out: Path, stream: bytes, *options: str) -> None:
    command = ["git", "-C", str(out), "fast-import", "--quiet", *options]
    subprocess.run(command, input=stream, env=os.environ | _QUIET, check=True)


def _git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(folder), *arguments], env=os.environ | _QUIET, check=True)
