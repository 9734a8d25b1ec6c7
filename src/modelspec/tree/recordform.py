"""What a reader of foreign request logs is made of: one form for each system, told by its objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

from modelspec.tree.record import Record, Unreadable

Side = Literal["request", "response"]


@dataclass(frozen=True, slots=True)
class Piece:
    """What one object of a log holds: a whole record, or one side of it that is joined with the other by id.

    `ids` are all by which somebody may ask for it; the first is the record's.
    """

    record: Record
    ids: tuple[str, ...]
    side: Side | None = None


class Form(Protocol):
    """How one system writes its records. Objects are JSON values, also where a file is CSV or Parquet."""

    @property
    def name(self) -> str:
        """What `--log-format` calls it."""
        ...

    def knows(self, value: Mapping[str, Any]) -> bool:
        """Whether an object is of this system, by its keys."""
        ...

    def piece(self, value: Mapping[str, Any], path: str, place: str) -> Piece | Unreadable:
        """Return what an object holds; `path` is its file's below the root, some systems say things there."""
        ...


def joined(request: Record, response: Record) -> Record:
    """Return the record of two halves; what both say, the response says."""
    return replace(
        response,
        place=request.place,
        time=request.time or response.time,
        model=response.model or request.model,
        environment=response.environment or request.environment,
        stamp=response.stamp or request.stamp,
        label=response.label or request.label,
        slot=response.slot or request.slot,
        batch=request.batch or response.batch,
        inputs=request.inputs,
    )
