"""A shop whose production served two versions of eta, with a rollout between them, and the log of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from conftest import ROOT, Git, edit, reference
from logged import columns, digest, version
from modelspec.runtimes.replay import Replay, opened, served_as
from modelspec.runtimes.requestlog_file import write
from modelspec.runtimes.requestlog_rows import Entry, batch_of, layout_for, schema_of
from modelspec.runtimes.served import FieldOf
from modelspec.tree.digest import stamp
from modelspec.tree.requestlog import folder_of

PIN = "registry/environments/production/models/eta.yaml"
DAY = datetime(2026, 10, 1, tzinfo=UTC)
OLD, NEW = "2.3.0", "2.3.1"


def at(text: str) -> datetime:
    """Return an instant of the day: `14:02`."""
    hours, minutes = text.split(":")
    return DAY + timedelta(hours=int(hours), minutes=int(minutes))


def request_id(when: datetime, number: int) -> str:
    """Return a UUIDv7 of that instant."""
    from uuid import UUID

    value = (int(when.timestamp() * 1000) << 80) | (0x7 << 76) | (0x2 << 62) | number
    return str(UUID(int=value))


def replay(number: str) -> Replay:
    """Return a version of the example, loaded."""
    artifact = version(number=number).artifact
    assert artifact is not None and artifact.digest is not None
    return opened(ROOT / "store" / stamp(artifact.digest), version(number=number), digest(number=number))


@dataclass
class Shop:
    """The repository, its log, and what really answered: request id -> version."""

    git: Git
    log: Path
    truth: dict[str, str] = field(default_factory=dict)
    answers: dict[str, float] = field(default_factory=dict)

    def ask(
        self, number: str, when: datetime, rows: Iterable[tuple[float, ...]], *, batch: bool = False,
        slot: str = "stable", environment: str = "production", hidden: Mapping[str, bool] | None = None,
        root: Path | None = None, offset: float = 0.0, stamped: bool = True,
    ) -> list[str]:  # fmt: skip
        """Let a version answer requests of one row each, log them as the runtime does; return their ids."""
        one = version(number=number)
        declared = served_as(one, digest(number=number)).model_copy(
            update={
                "environment": environment,
                "slot": slot,
                "stamp": stamp(digest(number=number)) if stamped else "",
                "fields": tuple(
                    FieldOf(
                        input=c.tensor,
                        field=c.name,
                        width=c.size,
                        sensitive=(hidden or {}).get(c.name, False),
                    )
                    for c in columns("eta", number)
                ),
            }
        )
        layout = layout_for(declared, keyed=False)
        asked = np.array(list(rows), np.float32).reshape(-1, 4)
        engine = replay(number)
        rows_of = SimpleNamespace(inputs={"features": asked}, batch=np.full(len(asked), 2 if batch else 1))
        minutes = engine.answers(rows_of)["minutes"] + np.float32(offset)  # type: ignore[arg-type]
        start = len(self.truth)
        ids = [request_id(when + timedelta(milliseconds=index), start + index) for index in range(len(asked))]
        if batch:
            entries = [Entry(ids[0], _micro(when), {"features": asked}, {"minutes": minutes})]
            ids = ids[:1]
        else:
            entries = [
                Entry(one_id, _micro(when), {"features": asked[i : i + 1]}, {"minutes": minutes[i : i + 1]})
                for i, one_id in enumerate(ids)
            ]
        made = batch_of(entries, layout, schema_of(layout), None)
        import pyarrow as pa

        table = pa.Table.from_batches([made])
        write(root or self.log, folder_of(when, 0, 1), f"{environment}~eta", table)
        self.truth |= dict.fromkeys(ids, number)
        self.answers |= {one_id: float(value) for one_id, value in zip(ids, minutes.ravel(), strict=False)}
        return ids


def _micro(when: datetime) -> int:
    return int(when.timestamp() * 1_000_000)


def rows(count: int, seed: int = 0) -> list[tuple[float, ...]]:
    """Return rows that keep the contract of eta 2.3."""
    draw = np.random.default_rng(seed)
    made = zip(
        draw.random(count), draw.integers(0, 4, count), draw.integers(0, 24, count), draw.random(count) * 80,
        strict=True,
    )  # fmt: skip
    return [tuple(float(np.float32(value)) for value in row) for row in made]


@pytest.fixture
def shop(example: Path, tmp_path: Path) -> Shop:
    """eta 2.3.0 in production from 08:00, 2.3.1 from 12:00 on, each by a pull request."""
    shutil.copytree(ROOT / "store", example / "store")
    (example / ".gitignore").write_text("/store/\n")
    git = Git(example)

    def commit(message: str, when: datetime) -> None:
        git("add", "--all")
        stamp_ = when.strftime("%Y-%m-%dT%H:%M:%S+00:00")
        git("commit", "--quiet", "--message", message, GIT_COMMITTER_DATE=stamp_, GIT_AUTHOR_DATE=stamp_)

    commit("Serve eta 2.3.0 (#11)", at("08:00"))
    edit(example, PIN, reference(example, "eta", OLD), reference(example, "eta", NEW))
    commit("Promote eta 2.3.1 (#12)\n\nReviewed-by: Grace <grace@example.com>", at("12:00"))
    return Shop(git, tmp_path / "log")


Receipts = Callable[..., None]
