"""The live files of a Delta table: its log of JSON actions, and the last checkpoint where there is one.

The package `deltalake` weighs 52 MB; what an inference table needs of it is this page. What it does not need
(deletion vectors, renamed columns) is named, never read wrongly.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

from modelspec.tree.paths import path_trouble
from modelspec.tree.record import Unreadable
from modelspec.tree.text import visible
from modelspec.world.records.objects import MAX_LINE, plain
from modelspec.world.records.places import Place

DELTA: Final = "_delta_log"
_COMMIT: Final = re.compile(r"([0-9]{20})\.json")
_CHECKPOINT: Final = re.compile(r"([0-9]{20})\.checkpoint(?:\.([0-9]{10})\.([0-9]{10}))?\.parquet")


@dataclass(frozen=True, slots=True)
class Live:
    """One live file, and the values of the columns that are in its path instead of in it."""

    path: str
    values: Mapping[str, Any]


def live(place: Place) -> Iterator[Live | Unreadable]:
    """Yield the files of the table's newest state, sorted by path."""
    names = [child.name for child in place.children(DELTA) if not child.is_folder and not child.kind]
    if not _checkpoints(names) and not any(map(_COMMIT.fullmatch, names)):
        yield Unreadable(DELTA, "there is no commit in it: what is live can't be told")
        return
    found: dict[str, Mapping[str, Any]] = {}
    version = -1
    for at, parts in sorted(_checkpoints(names).items(), reverse=True):
        try:
            for name in parts:
                _replay(_checkpoint(place, f"{DELTA}/{name}"), found)
        except Exception as error:
            # A checkpoint only shortens the log: an earlier one, or the commits themselves, say the same.
            yield Unreadable(f"{DELTA}/{parts[0]}", f"it can't be read: {visible(str(error), 100)}")
            found.clear()
            continue
        version = at
        break
    commits = sorted((int(match.group(1)), name) for name in names if (match := _COMMIT.fullmatch(name)))
    newer = [(number, name) for number, name in commits if number > version]
    if [number for number, _ in newer] != list(range(version + 1, version + 1 + len(newer))):
        yield Unreadable(DELTA, "a commit is missing: what is live can't be told")
        return
    for _, name in newer:
        try:
            _replay(_commit(place, f"{DELTA}/{name}"), found)
        except (OSError, ValueError, RecursionError) as error:
            yield Unreadable(f"{DELTA}/{name}", f"it can't be read: {visible(str(error), 100)}")
            return
    for raw, action in sorted(found.items()):
        path = unquote(raw)
        trouble = path_trouble(path)
        if trouble is not None:
            yield Unreadable(f"{DELTA}: {visible(path)}", f"a file whose path {trouble}")
        elif action.get("deletionVector"):
            yield Unreadable(visible(path, 200), "rows of it are deleted by a vector, which is not read here")
        else:
            values = action.get("partitionValues")
            yield Live(path, dict(values) if isinstance(values, Mapping) else {})


def _checkpoints(names: list[str]) -> dict[int, list[str]]:
    """Return the parts of each whole checkpoint, by version."""
    parts: dict[int, list[tuple[int, int, str]]] = {}
    for name in names:
        match = _CHECKPOINT.fullmatch(name)
        if match is not None:
            number, part, of = match.groups()
            parts.setdefault(int(number), []).append((int(part or 1), int(of or 1), name))
    return {
        number: [name for _, _, name in sorted(some)]
        for number, some in parts.items()
        if len(some) == some[0][1]
    }


def _commit(place: Place, path: str) -> Iterator[Mapping[str, Any]]:
    with place.open(path) as stream:
        data = stream.read(MAX_LINE + 1)
    if len(data) > MAX_LINE:
        raise ValueError(f"it has more than {MAX_LINE:,} bytes")
    for line in data.decode().splitlines():
        if line.strip():
            action = json.loads(line)
            if not isinstance(action, dict):
                raise ValueError("a line is no action")
            yield action


def _checkpoint(place: Place, path: str) -> Iterator[Mapping[str, Any]]:
    import pyarrow.parquet as pq

    with place.open(path) as stream:
        for batch in pq.ParquetFile(stream).iter_batches(use_threads=False):
            for row in batch.to_pylist(maps_as_pydicts="lossy"):
                yield {key: plain(value) for key, value in row.items() if value is not None}


def _replay(actions: Iterator[Mapping[str, Any]], found: dict[str, Mapping[str, Any]]) -> None:
    for action in actions:
        metadata = action.get("metaData")
        if isinstance(metadata, Mapping):
            settings = metadata.get("configuration") or {}
            if isinstance(settings, Mapping) and settings.get("delta.columnMapping.mode", "none") != "none":
                raise ValueError("its columns are renamed (delta.columnMapping), which is not read here")
        for key in ("remove", "add"):
            told = action.get(key)
            if isinstance(told, Mapping) and isinstance(told.get("path"), str):
                if key == "add":
                    found[told["path"]] = told
                else:
                    found.pop(told["path"], None)
