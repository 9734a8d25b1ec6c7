"""A whole log through the versions that served it, or through another one, summed up as it goes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np

from modelspec.runtimes.columnar import rows_by_column
from modelspec.runtimes.replay import Replay, opened
from modelspec.runtimes.rows import AT_ONCE, Rows, Skipped, rows_of
from modelspec.runtimes.tensors import Array
from modelspec.spec.model import ModelVersion, Threshold
from modelspec.trace.columns import Column, Mismatch
from modelspec.trace.comparison import compare_rows
from modelspec.trace.tally import Tally
from modelspec.tree.record import Record, RecordSource, Unreadable


@dataclass(slots=True)
class Player:
    """A version with what is needed to ask it, and the sum of what it answered."""

    replay: Replay
    digest: str
    columns: Sequence[Column]
    tally: Tally = field(default_factory=Tally)

    @property
    def version(self) -> ModelVersion:
        """The version."""
        return self.replay.version

    def play(self, rows: Rows, skipped: Skipped) -> None:
        """Ask it all rows, and add up how the answers compare."""
        tolerance = self.version.tolerance or 0.0
        thresholds: tuple[Threshold, ...] = self.version.config.thresholds if self.version.config else ()
        try:
            now = again(self.replay, rows, tolerance)
        except Mismatch as error:
            skipped.note(str(error), rows.ids[0], len(rows.ids))
            return
        self.tally.add(rows.ids, rows.owner, rows.outputs, now, tolerance, thresholds)


Choose = Callable[[str | None, str | None, Record | None], Player | str]
"""From a stamp and a model to the version that is asked, or why none is; the record is for those without."""


def again(replay: Replay, rows: Rows, tolerance: float) -> dict[str, Array]:
    """Return what a version answers now; rows whose batch nobody knows are tried both ways."""
    now = replay.answers(rows)
    unknown = rows.batch == 0
    if not unknown.any() or not rows.outputs:
        return now
    other = np.zeros(rows.count, bool)
    for name, was in rows.outputs.items():
        if name in now and now[name].shape == was.shape:
            other |= compare_rows(was, now[name], tolerance).verdicts > 0
    picked = np.flatnonzero(other & unknown)
    if not len(picked):
        return now
    inputs = {name: one[picked] for name, one in rows.inputs.items()}
    outputs = {name: one[picked] for name, one in rows.outputs.items()}
    batched = replay.answers(Rows((), picked, np.full(len(picked), 2), inputs, {}))
    equal = np.ones(len(picked), bool)
    for name, was in outputs.items():
        if name in batched and batched[name].shape == was.shape:
            equal &= compare_rows(was, batched[name], tolerance).verdicts == 0
    kept = {name: one.copy() for name, one in now.items()}
    for name, one in batched.items():
        kept[name][picked[equal]] = one[equal]
    return kept


def play(
    source: RecordSource, since: datetime | None, until: datetime | None, choose: Choose, skipped: Skipped
) -> None:
    """Ask every request of a window the version that `choose` names; our own Parquet goes by columns."""
    from modelspec.world.records.own import OwnRecords
    from modelspec.world.records.own_file import requests_in

    if isinstance(source, OwnRecords):
        for one in source.batches(since, until):
            if isinstance(one, Unreadable):
                skipped.note(f"unreadable: {one.why}", one.place)
                continue
            file, batch = one
            player = choose(file.layout.stamp, file.layout.model, None)
            if isinstance(player, str):
                skipped.note(player, file.path, requests_in(batch))
                continue
            for rows in rows_by_column(
                [(file.layout, batch, file.path)], player.version, player.columns, skipped
            ):
                player.play(rows, skipped)
        return
    for player, records in _chosen(source.records(since, until), choose, skipped):
        for rows in rows_of(records, player.version, player.columns, skipped):
            player.play(rows, skipped)


def _chosen(
    records: Iterable[Record | Unreadable], choose: Choose, skipped: Skipped
) -> Iterator[tuple[Player, list[Record]]]:
    """Yield the requests of one version together, many at once."""
    held: dict[str, tuple[Player, list[Record]]] = {}
    for record in records:
        if isinstance(record, Unreadable):
            skipped.note(f"unreadable: {record.why}", record.place)
            continue
        player = choose(record.stamp, record.model, record)
        if isinstance(player, str):
            skipped.note(player, record.id or record.place)
            continue
        _, mine = held.setdefault(player.digest, (player, []))
        mine.append(record)
        if len(mine) == AT_ONCE:
            yield held.pop(player.digest)
    yield from held.values()


@dataclass(frozen=True, slots=True)
class Shipped:
    """A version on its way to another process: its document, its artifact's bytes, its columns."""

    version: ModelVersion
    digest: str
    columns: tuple[Column, ...]
    files: tuple[tuple[str, bytes], ...]


def ship(player: Player, folder: Path) -> Shipped:
    """Return a version as it is sent to another machine; `folder` holds its artifact."""
    files = tuple(
        (path.relative_to(folder).as_posix(), path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    )
    return Shipped(player.version, player.digest, tuple(player.columns), files)


def unpacked(shipped: Shipped, folder: Path) -> Player:
    """Write the artifact to a folder, verify it, and load it."""
    for path, data in shipped.files:
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    replay = opened(folder, shipped.version, shipped.digest)
    return Player(replay, shipped.digest, shipped.columns)
