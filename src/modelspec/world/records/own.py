"""Our own request log, as the runtimes write it: read by its paths, hours and filters.

tree/requestlog says how it is laid out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from modelspec.tree.finding import Refusal
from modelspec.tree.protocols import Progress
from modelspec.tree.record import Record, Unreadable
from modelspec.tree.requestlog import bucket_of, file_of, hour_folder, time_of
from modelspec.tree.text import visible
from modelspec.world.records.own_file import OwnFile, lists, matching, open_own, said, whole
from modelspec.world.records.own_rows import record_of, records_in
from modelspec.world.records.places import Located, walk

EDGE: Final = timedelta(minutes=5)
"""How far from its id's instant a record's may be for its hour to be looked in: clocks differ, and an id is
made before the answer."""
AROUND: Final = timedelta(minutes=2)
_ROWS: Final = 16_384
_HOUR: Final = timedelta(hours=1)
_MANY: Final = 256
"""Files that one query reads."""


@dataclass(frozen=True, slots=True)
class OwnRecords:
    """A RecordSource over our own Parquet. `progress` is told how many files more a scan is done with."""

    located: Located
    progress: Progress = lambda _: None

    @property
    def shown(self) -> str:
        """What messages call it."""
        return self.located.place.shown

    def records(
        self, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[Record | Unreadable]:
        """Yield the requests of the window, file by file."""
        for one in self.batches(since, until):
            if isinstance(one, Unreadable):
                yield one
                continue
            file, batch = one
            yield from records_in(file.layout, lists(batch), visible(file.path, 200))

    def files(
        self,
        since: datetime | None = None,
        until: datetime | None = None,
        model: str | None = None,
        environment: str | None = None,
    ) -> Iterator[OwnFile | Unreadable]:
        """Yield the files with rows that may lie in the window; paths tell hour, environment and model.

        For reading columns in bulk: `file.layout` says which column holds what, `file.address` where DuckDB
        finds it, `file.parquet.iter_batches(...)` gives Arrow. Rows outside the window are the caller's.
        """
        for path in self._paths(since, until, model, environment):
            opened = path if isinstance(path, Unreadable) else self._open(path)
            if isinstance(opened, OwnFile) and (
                (model is not None and opened.layout.model != model)
                or (environment is not None and opened.layout.environment != environment)
            ):
                continue
            yield opened

    def batches(
        self,
        since: datetime | None = None,
        until: datetime | None = None,
        model: str | None = None,
        environment: str | None = None,
        rows: int = _ROWS,
    ) -> Iterator[tuple[OwnFile, Any] | Unreadable]:
        """Yield the rows of the window as Arrow record batches of whole requests, of about `rows` rows."""
        for file in self.files(since, until, model, environment):
            if isinstance(file, Unreadable):
                yield file
                continue
            try:
                for batch in whole(file, since, until, rows):
                    yield file, batch
            except Exception as error:
                # pyarrow raises classes of its own for what lies behind a good footer.
                yield Unreadable(visible(file.path, 200), f"it breaks off: {said(error)}")
            finally:
                file.parquet.close()

    def find(self, request: str, around: datetime | None = None) -> Iterator[Record | Unreadable]:
        """Yield every record with this id from the hours that it may lie in; from all files, when the id
        tells no time or nothing is there."""
        hit = False
        when = time_of(request)
        if when is not None:
            for one in self._look(request, self._by_hours(request, when - EDGE, when + EDGE), None):
                hit = hit or isinstance(one, Record)
                yield one
            if hit:
                return
        if around is not None:
            window = (around - AROUND, around + AROUND)
            for one in self._look(request, self._by_hours(request, *window), window):
                hit = hit or isinstance(one, Record)
                yield one
            return
        yield from self._look(request, self._by_bucket(request), None)

    def _look(
        self,
        request: str,
        paths: Iterator[str | Unreadable],
        window: tuple[datetime, datetime] | None,
    ) -> Iterator[Record | Unreadable]:
        many: list[str] = []
        for path in paths:
            if isinstance(path, Unreadable):
                yield path
                continue
            many.append(path)
            if len(many) == _MANY:
                yield from self._among(request, many, window)
                many = []
        if many:
            yield from self._among(request, many, window)

    def _among(
        self, request: str, paths: Sequence[str], window: tuple[datetime, datetime] | None
    ) -> Iterator[Record | Unreadable]:
        from modelspec.world.records.own_find import Failed, holding

        where, rest = {}, []
        for path in paths:
            address = self.located.place.address(path)
            if address is None:
                rest.append(path)
            else:
                where[address] = path
        found = holding(request, list(where))
        failed: dict[str, str] = {}
        if found is None:
            rest = list(paths)
        else:
            for address, why in found.items():
                if isinstance(why, Failed):
                    failed[where[address]] = why.why
                else:
                    yield from _in_window(
                        (
                            record_of(why.layout, why.columns, start, stop, visible(where[address], 200))
                            for start, stop in why.spans()
                        ),
                        window,
                    )
        # pyarrow says in plain words what is wrong with a file, and reads types that DuckDB does not.
        for path in [*rest, *failed]:
            try:
                opened = self._open(path)
            except Refusal:
                if path not in failed:
                    raise
                opened = Unreadable(visible(path, 200), failed[path])
            if isinstance(opened, Unreadable):
                yield opened
                continue
            try:
                yield from _in_window(matching(opened, request), window)
            except Exception as error:
                # As above: pyarrow's own classes.
                yield Unreadable(visible(path, 200), f"it breaks off: {said(error)}")
            finally:
                opened.parquet.close()
        for _ in paths:
            self.progress(1)

    def _paths(
        self, since: datetime | None, until: datetime | None, model: str | None, environment: str | None
    ) -> Iterator[str | Unreadable]:
        for path in self._within(since, until):
            told = None if isinstance(path, Unreadable) else file_of(path)
            if told is not None and (
                not told.within(since, until)
                or (model is not None and told.model != model)
                or (environment is not None and told.environment != environment)
            ):
                continue
            yield path

    def _within(self, since: datetime | None, until: datetime | None) -> Iterator[str | Unreadable]:
        """Yield the paths in the window's folders; all, where the root is not laid out by hours."""
        place = self.located.place
        if self.located.only is not None:
            yield from self.located.only
            return
        for child in place.children(""):
            if not child.is_folder or not child.name.startswith("date="):
                if not child.name.startswith((".", "_")):
                    yield from _below(self.located, child)
                continue
            day = child.name.removeprefix("date=")
            if (since is not None and day < f"{since.astimezone(UTC):%Y-%m-%d}") or (
                until is not None and day > f"{until.astimezone(UTC):%Y-%m-%d}"
            ):
                continue
            for hour in place.children(child.name):
                at = _hour(day, hour.name)
                if at is not None and (
                    (since is not None and at + _HOUR <= since) or (until is not None and at > until)
                ):
                    continue
                yield from walk(place, f"{child.name}/{hour.name}")

    def _by_hours(self, request: str, since: datetime, until: datetime) -> Iterator[str | Unreadable]:
        """Yield the files of the id's bucket in some hours; and every file that no path dates."""
        if self.located.only is not None:
            yield from self._of_bucket(request, self._paths(since, until, None, None))
            return
        place = self.located.place
        hour = since.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        while hour <= until:
            folder = hour_folder(hour)
            for child in place.children(folder):
                if child.is_folder and _other_bucket(child.name, request):
                    continue
                yield from walk(place, f"{folder}/{child.name}") if child.is_folder else ()
            hour += _HOUR
        for child in place.children(""):
            if not child.name.startswith((".", "_", "date=")):
                yield from _below(self.located, child)

    def _by_bucket(self, request: str) -> Iterator[str | Unreadable]:
        yield from self._of_bucket(request, self._within(None, None))

    def _of_bucket(self, request: str, paths: Iterator[str | Unreadable]) -> Iterator[str | Unreadable]:
        for path in paths:
            told = None if isinstance(path, Unreadable) else file_of(path)
            if told is None or told.bucket == bucket_of(request, told.buckets):
                yield path

    def _open(self, path: str) -> OwnFile | Unreadable:
        return open_own(path, self.located.place.address(path), lambda: self.located.place.open(path))


def _below(located: Located, child: Any) -> Iterator[str | Unreadable]:
    if child.kind:
        yield Unreadable(visible(child.name, 200), f"it is {child.kind}")
    elif child.is_folder:
        yield from walk(located.place, child.name)
    else:
        yield child.name


def _other_bucket(name: str, request: str) -> bool:
    """Whether a folder is a bucket, and not the id's."""
    bucket, _, buckets = name.removeprefix("bucket=").partition("of")
    if not (name.startswith("bucket=") and bucket.isdecimal() and buckets.isdecimal() and int(buckets)):
        return False
    return int(bucket) != bucket_of(request, int(buckets))


def _hour(day: str, name: str) -> datetime | None:
    try:
        return datetime.fromisoformat(f"{day}T{name.removeprefix('hour=')}:00:00+00:00")
    except ValueError:
        return None


def _in_window(
    records: Iterator[Record | Unreadable], window: tuple[datetime, datetime] | None
) -> Iterator[Record | Unreadable]:
    for one in records:
        if isinstance(one, Record) and window is not None:
            if one.time is not None and window[0] <= one.time <= window[1]:
                yield one
        else:
            yield one
