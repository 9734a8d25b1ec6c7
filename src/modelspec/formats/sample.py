"""A sample of data: types, and ranges and categories as they were observed, marked so.

CSV is read row by row in constant memory; Parquet and Arrow in batches. Only the first rows are looked
at: what was seen in a sample is no proof, and more of it is none either.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO, Final

from modelspec.formats import arrow
from modelspec.formats.foreign import Draft, Imported, Unreadable
from modelspec.tree.data import Data
from modelspec.tree.text import visible

MAX_ROWS: Final = 100_000
MAX_COLUMNS: Final = 5_000
MAX_VALUES: Final = 3_000_000
"""Values that are looked at: wide files are looked at in fewer rows."""
MAX_LISTED: Final = 50
"""A column of texts with more different values than this is no category."""
MAX_LINE: Final = 4 * 1024 * 1024
NULLS: Final = frozenset(
    ["", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A",
    "NA", "NULL", "NaN", "None", "n/a", "nan", "null"]
)  # fmt: skip
"""What pandas takes for a missing value."""
_INTEGER: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,18})")
_FLOAT: Final = re.compile(r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_STAMP: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?(Z|[-+][0-9]{2}:?[0-9]{2})?"
)
_BOOLS: Final = frozenset(["true", "false", "True", "False", "TRUE", "FALSE"])


class _Column:
    """What was seen of one column of texts."""

    def __init__(self) -> None:
        self.kinds: set[str] = set()
        self.nulls = self.values = 0
        self.low = math.inf
        self.high = -math.inf
        self.listed: dict[str, None] | None = {}
        self.zones: set[str] = set()

    def look(self, text: str) -> None:
        """Take in one value."""
        if text in NULLS:
            self.nulls += 1
            return
        self.values += 1
        kind = self._kind(text)
        self.kinds.add(kind)
        if self.listed is not None:
            self.listed[text] = None
            if len(self.listed) > MAX_LISTED:
                self.listed = None

    def _kind(self, text: str) -> str:
        if _INTEGER.fullmatch(text):
            number = int(text)
            self.low, self.high = min(self.low, number), max(self.high, number)
            return "int64" if -(2**63) <= number < 2**63 else "float64"
        if _FLOAT.fullmatch(text):
            value = float(text)
            self.low, self.high = min(self.low, value), max(self.high, value)
            return "float64"
        if text in _BOOLS:
            return "bool"
        if _DATE.fullmatch(text):
            return "date"
        stamp = _STAMP.fullmatch(text)
        if stamp is not None:
            self.zones.add(stamp.group(1) or "")
            return "timestamp"
        return "string"

    @property
    def dtype(self) -> str:
        """The type that holds every value that was seen."""
        kinds = self.kinds
        if len(kinds) == 1:
            return next(iter(kinds))
        if kinds and kinds <= {"int64", "float64"}:
            return "float64"
        return "timestamp" if kinds and kinds <= {"date", "timestamp"} else "string"


def from_csv(stream: BinaryIO) -> Imported:
    """Return the columns of a CSV file with a header as fields; raises Unreadable."""
    rows = csv_rows(stream)
    header = next((row for row in rows if row), None)
    if header is None:
        raise Unreadable("it has no header")
    if len(header) > MAX_COLUMNS:
        raise Unreadable(f"it has {len(header):,} columns; the limit is {MAX_COLUMNS:,}")
    if len(set(header)) != len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise Unreadable(f"line 1: the column {visible(twice)} stands there twice", "rename one of them")
    columns = [_Column() for _ in header]
    most = min(MAX_ROWS, MAX_VALUES // len(header))
    count = 0
    for number, row in enumerate(rows, 2):
        if count == most:
            break
        if not row:
            continue
        if len(row) != len(header):
            raise Unreadable(f"row {number:,} has {len(row)} values, the header has {len(header)}")
        count += 1
        for column, text in zip(columns, row, strict=True):
            column.look(text)
    if not count:
        raise Unreadable("it has a header and no rows")
    draft = Draft("a sample")
    for name, column in zip(header, columns, strict=True):
        _add_text(draft, name, column)
    return _finished(draft, count, more=count == most)


def csv_rows(stream: BinaryIO) -> Iterator[list[str]]:
    """Yield the rows of a CSV text, in the dialect that its first line shows."""
    stream.seek(0)
    first = stream.readline(MAX_LINE)
    if len(first) == MAX_LINE:
        raise Unreadable(f"its first line has more than {MAX_LINE:,} bytes: this is no CSV")
    delimiter = max(",;\t|", key=lambda sign: first.count(sign.encode()))
    stream.seek(0)
    try:
        yield from csv.reader(_lines(stream), delimiter=delimiter, strict=True)
    except csv.Error as error:
        raise Unreadable(f"it is no CSV: {visible(str(error), 120)}") from None


def _lines(stream: BinaryIO) -> Iterator[str]:
    number = 0
    while line := stream.readline(MAX_LINE):
        number += 1
        if len(line) == MAX_LINE:
            raise Unreadable(f"line {number:,} has more than {MAX_LINE:,} bytes")
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise Unreadable(f"line {number:,}: byte 0x{line[error.start]:02x} is not UTF-8") from None
        if "\0" in text:
            raise Unreadable(f"line {number:,} has a NUL byte: this is no text")
        yield text


def _add_text(draft: Draft, name: str, column: _Column) -> None:
    if not column.values:
        draft.lost(name, "it has no value in the sample")
        return
    dtype = column.dtype
    numeric = dtype in ("int64", "float64")
    categories = list(column.listed) if column.listed is not None and dtype == "string" else None
    zones = column.zones - {""}
    utc = bool(zones) and zones <= {"Z", "+00:00", "+0000"} and "" not in column.zones
    _add(
        draft, name, dtype, (column.low, column.high) if numeric else None,
        categories, nulls=column.nulls, values=column.values,
        keys={"tz": "UTC"} if utc and dtype == "timestamp" else {},
    )  # fmt: skip
    if dtype == "timestamp" and column.zones and not utc and column.zones != {""}:
        draft.note(name, "its times have several offsets, or only some have one: `tz` is left out")


def _add(
    draft: Draft, name: str, dtype: str, ends: tuple[float, float] | None, categories: Sequence[str] | None,
    *, nulls: int, values: int, keys: dict[str, Data], shape: list[Data] | None = None,
) -> None:  # fmt: skip
    """Add a column as it was seen. Few texts that come again are categories, others are texts."""
    again = categories is not None and values >= 2 * len(categories)
    called = draft.add(
        name, dtype, shape=shape, origin="observed", range=list(ends) if ends is not None else None,
        categories=[*sorted(categories)] if categories is not None and again else None,
        nullable=True if nulls else None, **keys,
    )  # fmt: skip
    if dtype == "string" and not again:
        draft.note(called, "too many different values to take them for categories")


def _finished(draft: Draft, count: int, *, more: bool) -> Imported:
    which = f"the first {count:,} rows" if more else f"all {count:,} rows"
    draft.note(None, f"ranges and categories are those of {which}: seen, not promised (`origin: observed`)")
    return draft.finish()


def from_table(stream: BinaryIO) -> Imported:
    """Return the columns of a Parquet or Arrow file, with what its first rows show; raises Unreadable."""
    schema, what = arrow.read_schema(stream)
    return arrow.read(lambda pa: _table(pa, stream, schema, what))


def _table(pa: Any, stream: BinaryIO, schema: Any, what: str) -> Imported:
    draft = Draft("a sample")
    if len(schema) > MAX_COLUMNS:
        raise Unreadable(f"it has {len(schema):,} columns; the limit is {MAX_COLUMNS:,}")
    seen = [_Seen(field) for field in schema]
    most = min(MAX_ROWS, MAX_VALUES // max(1, len(schema)))
    count = _look(pa, stream, what, seen, most)
    if not count:
        raise Unreadable("it has no rows")
    for one in seen:
        one.add(draft)
    return _finished(draft, count, more=count >= most)


def _look(pa: Any, stream: BinaryIO, what: str, seen: Sequence[_Seen], most: int) -> int:
    count = 0
    import pyarrow.compute as pc

    for batch in table_batches(pa, stream, what, most):
        # A library that trusts the offsets of a broken file reads where nothing is.
        batch.validate(full=True)
        part = batch.slice(0, most - count)
        for one, column in zip(seen, part.columns, strict=True):
            one.look(pc, column)
        count += part.num_rows
        if count >= most:
            break
    return count


def table_batches(pa: Any, stream: BinaryIO, what: str, most: int) -> Iterable[Any]:
    stream.seek(0)
    if what == "a Parquet file":
        yield from arrow.parquet(pa, stream).iter_batches(batch_size=min(most, 8192), use_threads=False)
        return
    source = pa.PythonFile(stream, mode="r")
    if what == "an Arrow stream":
        yield from pa.ipc.open_stream(source)
        return
    reader = pa.ipc.open_file(source)
    for number in range(reader.num_record_batches):
        yield reader.get_batch(number)


class _Seen:
    """What was seen of one column of an Arrow table."""

    def __init__(self, field: Any) -> None:
        self.field = field
        self.nulls = self.values = 0
        self.low = math.inf
        self.high = -math.inf
        self.nan = False
        self.listed: dict[str, None] | None = {}
        inner = arrow.item(field.type)
        self.shape: list[Data] = [] if inner is None else [inner[0]]
        self.found = arrow.dtype_of(field.type if inner is None else inner[1].type)

    def look(self, pc: Any, column: Any) -> None:
        """Take in one batch of the column."""
        self.nulls += column.null_count
        self.values += len(column) - column.null_count
        if self.found is None or self.shape or self.values == 0:
            return
        if str(column.type).startswith("dictionary<"):
            column = column.dictionary_decode()
        dtype = self.found[0]
        if dtype.startswith(("int", "uint", "float")) and str(column.type)[:4] not in ("time", "dura"):
            self._number(pc, column, dtype)
        elif dtype == "string" and self.listed is not None:
            for value in column.unique().to_pylist()[: MAX_LISTED * 2]:
                if value is not None:
                    self.listed[value] = None
            if len(self.listed) > MAX_LISTED:
                self.listed = None

    def _number(self, pc: Any, column: Any, dtype: str) -> None:
        if dtype.startswith("float"):
            finite = pc.is_finite(column)
            if pc.any(pc.invert(finite)).as_py():
                self.nan = True
                column = column.filter(finite)
        ends = pc.min_max(column).as_py()
        if ends["min"] is not None:
            self.low, self.high = min(self.low, ends["min"]), max(self.high, ends["max"])

    def add(self, draft: Draft) -> None:
        """Add the column to the draft, or say why it can't be a field."""
        name = self.field.name
        if self.found is None:
            draft.lost(name, f"no field is {visible(str(self.field.type).split('<')[0], 60)}")
            return
        if not self.values:
            draft.lost(name, "it has no value in the sample")
            return
        dtype, keys, told = self.found
        ends = (self.low, self.high) if math.isfinite(self.low) and math.isfinite(self.high) else None
        listed = list(self.listed) if self.listed is not None and dtype == "string" else None
        _add(
            draft, name, dtype, ends, listed, nulls=self.nulls, values=self.values, shape=self.shape,
            keys={**keys, "nan": True} if self.nan else keys,
        )  # fmt: skip
        if told and "--from sample" not in told:
            draft.note(name, told)
