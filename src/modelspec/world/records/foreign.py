"""Request logs of other systems: each file told by its first object, halves joined by id."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from modelspec.tree.protocols import Progress
from modelspec.tree.record import Record, Unreadable
from modelspec.tree.recordform import Form, Piece, joined
from modelspec.tree.requestlog import time_of
from modelspec.tree.text import visible
from modelspec.world.records.delta import DELTA, Live, live
from modelspec.world.records.halves import Half, Halves
from modelspec.world.records.objects import objects
from modelspec.world.records.places import Located

_AROUND: Final = timedelta(minutes=2)
_SLACK: Final = timedelta(hours=1)
"""How far a record's time may lie from the hour in its file's path."""
_HOUR: Final = re.compile(r"(?:^|/)([0-9]{4})/([0-9]{2})/([0-9]{2})/([0-9]{2})/")
_DAY: Final = re.compile(r"(?:^|/)(?:date|request_date|dt)=([0-9]{4})-([0-9]{2})-([0-9]{2})/")
_OTHER: Final = {"request": "response", "response": "request"}


@dataclass(frozen=True, slots=True)
class ForeignRecords:
    """A RecordSource over files of other systems. `form` is the one that was asked for, if any."""

    located: Located
    forms: Sequence[Form]
    form: Form | None = None
    progress: Progress = lambda _: None

    @property
    def shown(self) -> str:
        """What messages call it."""
        return self.located.place.shown

    def records(
        self, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[Record | Unreadable]:
        """Yield the requests of the window as they become whole; halves that stay alone last."""
        for one in self._joined(since, until, None):
            if isinstance(one, Unreadable) or _inside(one, since, until):
                yield one

    def find(self, request: str, around: datetime | None = None) -> Iterator[Record | Unreadable]:
        """Yield every record that has this id among its ids: from files that are dated near it, then from
        all. Of halves, only those of this id are told."""
        near = around or time_of(request)
        if near is not None:
            hit = False
            for one in self._joined(near - _SLACK, near + _SLACK, request):
                if (
                    isinstance(one, Record)
                    and around is not None
                    and not _inside(one, around - _AROUND, around + _AROUND)
                ):
                    continue
                hit = hit or isinstance(one, Record)
                yield one
            if hit or not any(map(_dated, self._names())):
                return
        if around is None:
            yield from self._joined(None, None, request)

    def _joined(
        self, since: datetime | None, until: datetime | None, request: str | None
    ) -> Iterator[Record | Unreadable]:
        with Halves() as halves:
            for one in self._pieces(since, until):
                if isinstance(one, Unreadable):
                    yield one
                    continue
                piece, form, value, path = one
                if request is not None and request not in piece.ids:
                    continue
                if piece.side is None:
                    yield piece.record
                    continue
                half = Half(piece.side, value, path, piece.record.place)
                other = halves.meet(piece.record.id, half)
                if other is None:
                    continue
                if other.side == piece.side:
                    yield _alone(piece.record.id, other)
                    continue
                told = form.piece(other.value, other.path, other.place)
                if isinstance(told, Unreadable):
                    yield told
                elif piece.side == "response":
                    yield joined(told.record, piece.record)
                else:
                    yield joined(piece.record, told.record)
            for name, half in halves.alone():
                yield _alone(name, half)

    def _pieces(
        self, since: datetime | None, until: datetime | None
    ) -> Iterator[tuple[Piece, Form, Mapping[str, Any], str] | Unreadable]:
        for path in self._paths():
            if isinstance(path, Unreadable):
                yield path
                continue
            name, constant = (path.path, path.values) if isinstance(path, Live) else (path, {})
            if not _near(name, since, until):
                continue
            shown = visible(name, 200)
            try:
                stream = self.located.place.open(name)
            except OSError as error:
                yield Unreadable(shown, f"it can't be read: {visible(str(error), 100)}")
                continue
            form: Form | None = None
            for found in objects(stream, shown):
                if isinstance(found, Unreadable):
                    yield found
                    continue
                place, value = found
                value = {**value, **constant} if constant else value
                if form is None or not form.knows(value):
                    form = self.form or self._form_of(value) or form
                if form is None:
                    keys = ", ".join(visible(str(key), 20) for key in list(value)[:5])
                    yield Unreadable(place, f"no system that is known here writes such an object: {keys}")
                    continue
                told = form.piece(value, name, place)
                yield told if isinstance(told, Unreadable) else (told, form, value, name)
            self.progress(1)

    def _names(self) -> Iterator[str]:
        for path in self._paths():
            if not isinstance(path, Unreadable):
                yield path.path if isinstance(path, Live) else path

    def _form_of(self, value: Mapping[str, Any]) -> Form | None:
        return next((form for form in self.forms if form.knows(value)), None)

    def _paths(self) -> Iterator[str | Live | Unreadable]:
        if self.located.only is None and any(
            child.name == DELTA and child.is_folder for child in self.located.place.children("")
        ):
            yield from live(self.located.place)
        else:
            yield from self.located.walk()


def _alone(request: str, half: Half) -> Unreadable:
    # The id is part of the place: whoever counts by reason has one for all of them.
    return Unreadable(f"{half.place}: {visible(request)}", f"its {_OTHER[half.side]} is missing")


def _inside(record: Record, since: datetime | None, until: datetime | None) -> bool:
    """Whether a record's time is in the window; one that has none is in every."""
    return record.time is None or (
        (since is None or record.time >= since) and (until is None or record.time <= until)
    )


def _dated(path: str) -> tuple[datetime, datetime] | None:
    """Return the first instant and the one after the last of the hour or day in a path, or None."""
    for pattern, length in ((_HOUR, timedelta(hours=1)), (_DAY, timedelta(days=1))):
        match = pattern.search(path)
        if match is not None:
            try:
                start = datetime(*map(int, match.groups()), tzinfo=UTC)  # type: ignore[arg-type,misc]
            except ValueError:
                return None
            return start, start + length
    return None


def _near(path: str, since: datetime | None, until: datetime | None) -> bool:
    dated = _dated(path)
    return dated is None or (
        (since is None or dated[1] + _SLACK > since) and (until is None or dated[0] - _SLACK <= until)
    )
