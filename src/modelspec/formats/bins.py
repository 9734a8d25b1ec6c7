"""Bins of a training sample, for drift: decile edges and counts of numbers, counts of categories.

Bins that hold fewer than `LEAST` rows are merged with their neighbour: a rate of so few says nothing.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice, pairwise
from typing import Any, BinaryIO, Final

from modelspec.formats import arrow
from modelspec.formats.foreign import Unreadable
from modelspec.formats.sample import NULLS, csv_rows, table_batches
from modelspec.tree.data import Data
from modelspec.tree.serialise import pretty
from modelspec.tree.text import visible

LEAST: Final = 5
"""The fewest rows of a bin (Cochran's rule for expected counts)."""
MAX_ROWS: Final = 1_000_000
MAX_VALUES: Final = 20_000_000
MAX_CATEGORIES: Final = 100
_NUMBER: Final = re.compile(
    r" *[-+]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|(?i:inf(?:inity)?)) *", re.ASCII
)
"""What pandas takes for a number: `2024_01`, which Python does, is none."""


def reference(stream: BinaryIO) -> tuple[bytes, tuple[str, ...]]:
    """Return the bins of a CSV, Parquet or Arrow sample as JSON, and notes; raises Unreadable.

    Shape `modelspec/reference/1`: `rows`, `least`, and for each of `features` `missing` with `edges` (one
    more than `counts`; a bin holds its lower edge, the last one both), or with `categories` and `other`.
    """
    stream.seek(0)
    head = stream.read(8)
    table = head.startswith((arrow.PARQUET, arrow.ARROW, arrow.STREAM))
    names, rows = _table(stream) if table else _csv(stream)
    columns: list[_Column] = [_Column() for _ in names]
    most = min(MAX_ROWS, MAX_VALUES // max(1, len(names)))
    count = 0
    for row in rows:
        if count == most:
            break
        count += 1
        for column, value in zip(columns, row, strict=True):
            column.take(value)
    if not count:
        raise Unreadable("it has no rows")
    features: dict[str, Data] = {}
    notes: list[str] = []
    for name, column in zip(names, columns, strict=True):
        told = column.bins()
        if isinstance(told, str):
            notes.append(f"no bins of {visible(name)}: {told}")
        else:
            features[name] = told
    if not features:
        raise Unreadable(f"no column of it can be counted in bins: {'; '.join(notes[:3])}")
    if count == most:
        notes.append(f"the bins are those of the first {count:,} rows")
    whole: dict[str, Data] = {
        "format": "modelspec/reference/1",
        "rows": count,
        "least": LEAST,
        "features": {name: features[name] for name in sorted(features)},
    }
    return pretty(whole).encode(), tuple(notes)


def columns_of_sample(stream: BinaryIO) -> dict[str, list[float]]:
    """Return the finite numbers of each column of a sample, as many rows as `reference` counts."""
    head = stream.read(8)
    stream.seek(0)
    names, rows = (
        _table(stream) if head.startswith((arrow.PARQUET, arrow.ARROW, arrow.STREAM)) else _csv(stream)
    )
    found: list[list[float]] = [[] for _ in names]
    most = min(MAX_ROWS, MAX_VALUES // max(1, len(names)))
    for row in islice(rows, most):
        for column, value in zip(found, row, strict=True):
            if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
                column.append(float(value))
    return dict(zip(names, found, strict=True))


def deciles(values: Sequence[float], least: int = LEAST) -> tuple[list[float], list[int]]:
    """Return the edges of the bins and their counts; every value is in one, and no bin but a sole one has
    fewer than `least`. The values are finite and at least one.

    A value that is two deciles at once has a bin of its own: else all of a column of zeros and ones, or one
    that is nearly always 0, would be one bin. The greatest stands there twice.
    """
    ordered = sorted(values)
    last = len(ordered) - 1
    points = [ordered[round(last * tenth / 10)] for tenth in range(11)]
    if points[0] == points[-1]:
        return [points[0], points[0]], [len(ordered)]
    often = {value for value, following in pairwise(points) if value == following}
    after = {ordered[place] for value in often if (place := bisect_right(ordered, value)) <= last}
    edges = sorted({*points, *after})
    edges += edges[-1:] if edges[-1] in often | after else []
    counts = [0] * (len(edges) - 1)
    place = 0
    for value in ordered:
        while place < len(counts) - 1 and value >= edges[place + 1]:
            place += 1
        counts[place] += 1
    return _merged(edges, counts, least)


def _merged(edges: list[float], counts: list[int], least: int) -> tuple[list[float], list[int]]:
    kept, sums, held = [edges[0]], list[int](), 0
    for edge, count in zip(edges[1:], counts, strict=True):
        held += count
        if held >= least:
            kept.append(edge)
            sums.append(held)
            held = 0
    if held and sums:
        kept[-1] = edges[-1]
        sums[-1] += held
    elif held:
        kept.append(edges[-1])
        sums.append(held)
    else:
        kept[-1] = edges[-1]
    return kept, sums


class _Column:
    """The values of one column."""

    def __init__(self) -> None:
        self.numbers: list[float] = []
        self.texts: Counter[str] | None = Counter()
        self.missing = 0
        self.odd: str | None = None
        """The type of a value that is neither a number nor a text."""

    def take(self, value: Any) -> None:
        """Take in one value."""
        if value is None or (isinstance(value, float) and not math.isfinite(value)):
            self.missing += 1
        elif isinstance(value, bool | str):
            if self.texts is not None:
                self.texts[str(value)] += 1
                if len(self.texts) > MAX_CATEGORIES:
                    self.texts = None
        elif isinstance(value, int | float):
            self.numbers.append(float(value))
        else:
            self.odd = type(value).__name__

    def bins(self) -> dict[str, Data] | str:
        """Return its bins, or why it has none."""
        if self.odd is not None:
            return f"a value is a {self.odd}, neither a number nor a text"
        if self.texts is None:
            return f"it has more than {MAX_CATEGORIES} different texts"
        if self.texts and self.numbers:
            return "some values are numbers, and some are texts"
        if self.numbers:
            edges, counts = deciles(self.numbers)
            return {"missing": self.missing, "edges": list[Data](edges), "counts": list[Data](counts)}
        if not self.texts:
            return "it has no value"
        kept = {text: count for text, count in sorted(self.texts.items()) if count >= LEAST}
        other = self.texts.total() - sum(kept.values())
        return {"missing": self.missing, "categories": dict[str, Data](kept), "other": other}


def _csv(stream: BinaryIO) -> tuple[list[str], Iterator[Sequence[Any]]]:
    rows = csv_rows(stream)
    header = next((row for row in rows if row), None)
    if header is None or len(set(header)) != len(header):
        raise Unreadable("it has no header, or one with a column twice")

    def typed() -> Iterator[Sequence[Any]]:
        for number, row in enumerate(rows, 2):
            if row and len(row) != len(header):
                raise Unreadable(f"row {number:,} has {len(row)} values, the header has {len(header)}")
            if row:
                yield [_value(text) for text in row]

    return header, typed()


def _value(text: str) -> Any:
    if text in NULLS:
        return None
    return float(text) if _NUMBER.fullmatch(text) else text


def _table(stream: BinaryIO) -> tuple[list[str], Iterator[Sequence[Any]]]:
    schema, what = arrow.read_schema(stream)
    if len(set(schema.names)) != len(schema.names):
        raise Unreadable("it has a column twice")

    def rows() -> Iterator[Sequence[Any]]:
        for batch in table_batches(arrow.pyarrow(), stream, what, MAX_ROWS):
            batch.validate(full=True)
            yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)

    return list(schema.names), rows()
