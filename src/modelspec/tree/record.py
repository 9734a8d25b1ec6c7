"""One logged prediction, whoever logged it: what a reader of request logs yields and `trace`, `replay` and
`skew` read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

Scalar = bool | int | float | str | bytes | None


@dataclass(frozen=True, slots=True)
class Values:
    """One named tensor of a record. `data` is row-major and flat, `len(data) == prod(shape)`.

    `dtype` is a numpy name (`float32`, `int64`, `string`, `bytes`) or "" where the log does not say. Numbers
    are exact: a float32 is carried as the double that equals it. None is a value that is null. A tensor
    whose name the log does not give (a CSV line) has the name "" and is matched by position. `fields` are
    the features that fill it, side by side, where the log says so.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    data: Sequence[Scalar]
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """One prediction as it was logged; None is what this log does not say.

    `stamp` is what the log carries of the version: `sha256-<hex>`, perhaps shortened (at least 12 digits).
    `label` is what it says beside that (a SemVer, a deployment's name), which proves nothing by itself.
    `batch` is how many rows the engine answered together. `hidden` are the fields that were left out or
    hashed on purpose. `place` is file and line, row or object that it was read from.
    """

    id: str
    place: str
    time: datetime | None = None
    model: str | None = None
    environment: str | None = None
    stamp: str | None = None
    label: str | None = None
    slot: str | None = None
    batch: int | None = None
    inputs: tuple[Values, ...] = ()
    outputs: tuple[Values, ...] = ()
    hidden: frozenset[str] = field(default=frozenset())


@dataclass(frozen=True, slots=True)
class Unreadable:
    """What is no record, though it lies where records do: where, and why. Counted, named, never dropped."""

    place: str
    why: str


class RecordSource(Protocol):
    """A request log: files of one format below one path or URL."""

    @property
    def shown(self) -> str:
        """What messages call it; without credentials."""
        ...

    def records(
        self, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[Record | Unreadable]:
        """Yield what lies there, in the order of its files; files that the layout dates outside the
        window are not opened, and records with a time outside it not yielded.

        Raises Refusal when nothing is there or it can't be listed.
        """
        ...

    def find(self, request: str, around: datetime | None = None) -> Iterator[Record | Unreadable]:
        """Yield every record with this request id (twice is the caller's to judge), by the id's own time
        (UUIDv7), by `around` (within two minutes), else by a scan; and what could not be read on the way.
        """
        ...
