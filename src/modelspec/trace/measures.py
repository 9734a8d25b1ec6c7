"""What `skew` asks of a window of requests, as one SQL statement over one pass, and its answer as values.

The table `served` has a text column `id` and a column c0, c1, ... for each number or text of a row.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from modelspec.spec.feature import Feature
from modelspec.trace.bins import Bins
from modelspec.trace.columns import Column
from modelspec.trace.contract import ViolationKind, code_names, limits

WIDEST: Final = 64
"""A field of more numbers (an embedding) is judged by nulls and types alone."""
WORST: Final = 5
"""How many of the rows with the most violations are shown."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One column of the table: its field, which of the field's numbers, and the bins to compare with."""

    name: str
    column: Column
    part: int
    text: bool
    bins: Bins | None = None

    @property
    def feature(self) -> Feature | None:
        """The contract; None where the schema is lost."""
        return self.column.feature


@dataclass(frozen=True, slots=True)
class Stats:
    """One column in numbers. `counts` are the rows of each of its bins, in the order of their labels."""

    rows: int
    nulls: int
    infinite: int
    """NaN and infinities."""
    outside: int
    uncoded: int
    """Values that are no code or no category."""
    least: float | None = None
    greatest: float | None = None
    mean: float | None = None
    deviation: float | None = None
    counts: tuple[int, ...] = ()

    def violations(self, feature: Feature | None) -> dict[ViolationKind, int]:
        """Return how many values break the contract, by kind; kinds without any are left out."""
        if feature is None:
            return {}
        found: dict[ViolationKind, int] = {
            "null": self.nulls if feature.nullable is False else 0,
            "nan": 0 if feature.nan else self.infinite,
            "range": self.outside,
            "category": self.uncoded,
        }
        return {kind: count for kind, count in found.items() if count}


def measured(columns: Sequence[Column], bins: Mapping[str, Bins | None]) -> tuple[Measured, ...]:
    """Return the columns of the table; a field of several numbers has one for each, and no bins."""
    found: list[Measured] = []
    for column in columns:
        text = column.feature is not None and column.feature.dtype in ("string", "bytes")
        if column.size == 1:
            mine = bins.get(column.name)
            fits = mine is not None and bool(mine.categories) == text
            found.append(Measured(column.name, column, 0, text, mine if fits else None))
        elif column.size <= WIDEST:
            found += [Measured(f"{column.name}[{part}]", column, part, text) for part in range(column.size)]
    return tuple(found)


def statement(columns: Sequence[Measured], hidden: frozenset[str] = frozenset()) -> str:
    """Return the SQL: one row of answers, in the order in which `stats` reads them.

    What the log hides on purpose counts for no row's violations.
    """
    inner = ["id"]
    outer = ["count(*)"]
    broken: list[str] = []
    for index, column in enumerate(columns):
        inner.append(f"c{index}")
        inner += _values(column, index)
        outer += _answers(column, index)
        broken += _broken(column, index) if column.name not in hidden else ()
    worst = f"{' + '.join(broken)}" if broken else "0"
    row = ", ".join(["id", *(f"c{index}" for index in range(len(columns)))])
    outer.append(f"arg_max(struct_pack({row}), broken, {WORST}) FILTER (broken > 0)")
    table = f"SELECT {', '.join(inner)} FROM served"  # noqa: S608 (names are numbers, texts are quoted)
    return f"SELECT {', '.join(outer)} FROM (SELECT *, {worst} AS broken FROM ({table}))"  # noqa: S608


def stats(
    columns: Sequence[Measured], answers: Sequence[Any]
) -> tuple[int, list[Stats], list[dict[str, Any]]]:
    """Return how many rows there were, each column's numbers, and the worst rows as (id, c0, c1, ...)."""
    rest = iter(answers)
    rows = int(next(rest))
    found = [_stats(column, rows, rest) for column in columns]
    return rows, found, list(next(rest) or [])


def _values(column: Measured, index: int) -> list[str]:
    """x is the finite number (or the text), b whether it breaks its range or its codes."""
    source = f"c{index}" if column.text else f"CASE WHEN isfinite(c{index}) THEN c{index}::DOUBLE END"
    made = [f"{source} AS x{index}"]
    test = _test(
        column, "c" if column.text else f"CASE WHEN isfinite(c{index}) THEN c{index}::DOUBLE END", index
    )
    if test is not None:
        made.append(f"coalesce({test}, false)::TINYINT AS b{index}")
    return made


def _test(column: Measured, value: str, index: int) -> str | None:
    feature = column.feature
    if feature is None:
        return None
    if column.text:
        listed = ", ".join(map(quoted, feature.categories))
        return f"c{index} NOT IN ({listed})" if listed else None
    codes = code_names(feature)
    if codes is not None:
        return f"{value} NOT IN ({', '.join(str(int(code)) for code in codes)})"
    bounds = limits(feature)
    if bounds is None:
        return None
    return f"({value} < {number(bounds[0])} OR {value} > {number(bounds[1])})"


def _broken(column: Measured, index: int) -> Iterator[str]:
    """Yield what a row's violations are summed up of."""
    feature = column.feature
    if feature is None:
        return
    if feature.nullable is False:
        yield f"(c{index} IS NULL)::TINYINT"
    if not feature.nan and not column.text:
        yield f"(c{index} IS NOT NULL AND x{index} IS NULL)::TINYINT"
    if _test(column, "", index) is not None:
        yield f"b{index}"


def _answers(column: Measured, index: int) -> Iterator[str]:
    yield f"count(c{index})"
    if not column.text:
        yield from (f"{name}(x{index})" for name in ("count", "min", "max", "avg", "stddev_pop"))
    if _test(column, "", index) is not None:
        yield f"sum(b{index})"
    bins = column.bins
    if bins is None:
        return
    if bins.categories:
        listed = ", ".join(map(quoted, bins.categories))
        yield f"histogram(CASE WHEN x{index} IN ({listed}) THEN x{index} END)"
    elif len(bins.edges) > 2:
        # Its bins hold their upper bound, ours the lower one: what is below an edge is at most the
        # number before it.
        bounds = ", ".join(number(math.nextafter(edge, -math.inf)) for edge in bins.edges[1:-1])
        yield f"histogram(x{index}, [{bounds}]::DOUBLE[])"


def _stats(column: Measured, rows: int, rest: Iterator[Any]) -> Stats:
    there = int(next(rest))
    numbers: list[Any] = [there, None, None, None, None]
    if not column.text:
        numbers = [next(rest) for _ in range(5)]
    finite = int(numbers[0])
    least, greatest, mean, deviation = (None if one is None else float(one) for one in numbers[1:])
    broken = int(next(rest) or 0) if _test(column, "", 0) is not None else 0
    coded = column.text or (column.feature is not None and code_names(column.feature) is not None)
    return Stats(
        rows, rows - there, there - finite, 0 if coded else broken, broken if coded else 0,
        least, greatest, mean, deviation, _counts(column.bins, finite, rest),
    )  # fmt: skip


def _counts(bins: Bins | None, finite: int, rest: Iterator[Any]) -> tuple[int, ...]:
    if bins is None:
        return ()
    if bins.categories:
        told: Mapping[Any, int] = next(rest) or {}
        kept = [int(told.get(one, 0)) for one in bins.categories]
        return (*kept, finite - sum(kept))
    if len(bins.edges) <= 2:
        return (finite,)
    found: Mapping[Any, int] = next(rest) or {}
    below = [int(found.get(math.nextafter(edge, -math.inf), 0)) for edge in bins.edges[1:-1]]
    return (*below, finite - sum(below))


def number(value: float) -> str:
    """Return a number as SQL has it, to the last bit."""
    if math.isinf(value):
        return f"'{'-' if value < 0 else ''}infinity'::DOUBLE"
    return f"{float(value)!r}::DOUBLE"


def quoted(text: str) -> str:
    """Return a text as SQL has it: no text of a registry becomes a word of a statement."""
    return "'" + text.replace("\0", "").replace("'", "''") + "'"


def ks_statement(index: int) -> str:
    """Return the SQL of the exact KS distance of one column: of `served` and `sample`, with both counts."""
    return f"""
        WITH values AS (
            SELECT c{index}::DOUBLE AS x, 1 AS a, 0 AS b FROM served WHERE isfinite(c{index})
            UNION ALL
            SELECT c{index}::DOUBLE, 0, 1 FROM sample WHERE isfinite(c{index})
        ),
        steps AS (SELECT x, sum(a) AS a, sum(b) AS b FROM values GROUP BY x),
        sums AS (
            SELECT sum(a) OVER (ORDER BY x) AS a, sum(b) OVER (ORDER BY x) AS b,
                   sum(a) OVER () AS m, sum(b) OVER () AS n
            FROM steps
        )
        SELECT max(abs(a / m - b / n)), any_value(m), any_value(n) FROM sums
    """  # noqa: S608 (a number)
