"""A window through DuckDB: the counts are those of the contract, value by value; drift, units, and the lock."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterable

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logged import columns, features, record, version
from modelspec.formats.bins import deciles
from modelspec.runtimes.rows import Skipped, rows_of
from modelspec.runtimes.skew import _LOCKED, Feed, Found, measure
from modelspec.spec.feature import Feature, Transform
from modelspec.trace.bins import Bins
from modelspec.trace.columns import Column
from modelspec.trace.contract import violations
from modelspec.trace.measures import measured
from modelspec.tree.record import Record, Unreadable

NAMES = [one.name for one in columns()]


def bins_of(values: Iterable[float], missing: int = 0) -> Bins:
    edges, counts = deciles(list(values))
    return Bins(tuple(counts), missing, tuple(edges))


def found(
    records: list[Record | Unreadable], bins: dict[str, Bins | None] | None = None,
    skipped: Skipped | None = None, sample: dict[str, np.ndarray] | None = None,
) -> Found:  # fmt: skip
    table = measured(columns(), bins or {})
    feed = Feed(version(), columns(), table, skipped or Skipped())
    return measure(table, feed.records(records), feed, sample)


VALUE = st.one_of(
    st.none(),
    st.sampled_from([0.0, 1.0, 2.0, 3.0, 23.0, 80.0, 0.1, -0.0, math.nan, math.inf, -math.inf, "text"]),
    st.floats(-200, 200, width=32),
    st.integers(-5, 100),
)


@settings(max_examples=60)
@given(st.lists(st.tuples(VALUE, VALUE, VALUE, VALUE), min_size=1, max_size=30))
def test_sql_counts_what_the_contract_says(rows: list[tuple[float | None, ...]]) -> None:
    told = found([record(row, id=f"r{index}") for index, row in enumerate(rows)])
    for index, (column, one) in enumerate(zip(columns(), told.features, strict=True)):
        assert column.feature is not None
        expected = Counter(v.kind for row in rows for v in violations([row[index]], column.feature))
        assert dict(one.violations) == dict(expected), one.name
    assert told.rows == len(rows)


@settings(max_examples=60)
@given(
    st.lists(st.floats(-50, 50, width=32), min_size=10, max_size=80),
    st.lists(st.floats(-60, 60, width=32), min_size=1, max_size=80),
)
def test_bins_count_as_the_sample_was_counted(sample: list[float], served: list[float]) -> None:
    bins = bins_of(sample)
    told = found([record((value, 0, 0, 0)) for value in served], {NAMES[0]: bins})
    inner = bins.edges[1:-1]
    expected = Counter(sum(value >= edge for edge in inner) for value in served)
    assert told.features[0].stats.counts == tuple(expected[k] for k in range(len(bins.counts)))


def test_the_same_distribution_does_not_drift_and_another_does() -> None:
    draw = random.Random(1)
    sample = [draw.gauss(0.5, 0.1) for _ in range(4000)]
    same = [record((draw.gauss(0.5, 0.1), 0, 8, 0)) for _ in range(2000)]
    moved = [record((draw.gauss(0.7, 0.1), 0, 8, 0)) for _ in range(2000)]
    bins = {NAMES[0]: bins_of(sample)}
    training = {NAMES[0]: np.array(sample)}
    calm, drifted = (found(one, bins, sample=training).features[0].drift for one in (same, moved))
    assert calm is not None and drifted is not None
    assert calm.word == "none beyond chance" and calm.ks_chance is not None and calm.ks_chance > 0.001
    assert drifted.word == "large" and drifted.psi > 1 and drifted.ks is not None and drifted.ks > 0.5
    assert drifted.ks_chance == pytest.approx(0.0, abs=1e-9)
    assert sum(drifted.sample) == pytest.approx(1) and sum(drifted.served) == pytest.approx(1)


def test_the_exact_ks_distance() -> None:
    served, sample = [0.1, 0.2, 0.2, 0.9], [0.2, 0.5, 0.6]
    told = found([record((value, 0, 8, 0)) for value in served], {NAMES[0]: bins_of(sample)},
                 sample={NAMES[0]: np.array(sample)})  # fmt: skip
    drift = told.features[0].drift
    points = sorted({*served, *sample})
    exact = max(
        abs(sum(v <= p for v in served) / len(served) - sum(v <= p for v in sample) / len(sample))
        for p in points
    )
    assert drift is not None and drift.ks == pytest.approx(exact)


def test_nulls_where_the_sample_had_none_are_drift() -> None:
    bins = {NAMES[0]: bins_of([index / 100 for index in range(100)])}
    told = found([record((None if index % 2 else index / 100, 0, 8, 0)) for index in range(100)], bins)
    drift = told.features[0].drift
    assert drift is not None and drift.labels[-1] == "missing" and drift.served[-1] == 0.5
    assert drift.word == "large"


@pytest.mark.parametrize(
    ("scale", "term", "word"),
    [(1000.0, 0.0, "1000 times too large"), (0.001, 0.0, "1000 times too small"), (1.609344, 0.0, "1.60934"),
     (1.8, 32.0, "Fahrenheit"), (1.0, 0.0, "")],
)  # fmt: skip
def test_another_unit_shows_in_the_deciles(scale: float, term: float, word: str) -> None:
    draw = random.Random(2)
    sample = [draw.gauss(20, 4) for _ in range(3000)]
    served = [record((draw.gauss(20, 4) * scale + term, 0, 8, 0)) for _ in range(1000)]
    told = found(served, {NAMES[0]: bins_of(sample)})
    assert (word in told.features[0].unit) if word else (told.features[0].unit == "")


def test_without_bins_the_range_tells_another_unit() -> None:
    told = found([record((0.1, 0, 8, 1000 * (index % 70 + 1))) for index in range(100)])
    assert "1000 times too large" in told.features[3].unit
    assert told.features[1].unit == ""


def test_the_worst_rows_have_most_violations_and_say_which() -> None:
    rows = [record(id=f"good{index}") for index in range(50)]
    rows += [record((5.0, 9, 8, 0), id="bad"), record((5.0, 1, 8, 0), id="half")]
    told = found(rows)
    assert [one.id for one in told.worst] == ["bad", "half"]
    assert [name for name, _ in told.worst[0].violations] == NAMES[:2]


def test_what_does_not_fit_is_counted() -> None:
    skipped = Skipped()
    given = [record(), record(inputs=(features(1, 2),)), Unreadable("f:3", "cut off")]
    told = found(given, skipped=skipped)
    assert told.rows == 1 and skipped.total == 2


def test_no_rows_at_all() -> None:
    told = found([])
    assert told.rows == 0 and told.worst == ()
    assert all(not one.violations and one.stats.mean is None for one in told.features)


def test_columns_of_arrays_count_the_same() -> None:
    rows = [record((index / 10, index % 5, 8, 0), id=f"r{index}") for index in range(20)]
    table = measured(columns(), {})
    feed = Feed(version(), columns(), table, Skipped())
    by_array = measure(table, feed.rows(rows_of(rows, version(), columns(), Skipped())), feed)
    by_record = found(list(rows))
    assert [one.violations for one in by_array.features] == [one.violations for one in by_record.features]
    assert {one.id for one in by_array.worst} == {one.id for one in by_record.worst}


def test_texts_of_a_registry_are_no_sql() -> None:
    name = "x'); DROP TABLE served; --"
    field = Feature(name="city", dtype="string", categories=(name, "b"), transform=Transform(kind="identity"))
    column = Column("v.city", "features", 0, 1, field)
    table = measured([column], {"v.city": Bins((3, 2), 0, categories=(name, "b"), other=0)})
    feed = Feed(version(), [column], table, Skipped())
    one = version()
    assert one.signature is not None
    tensor = one.signature.inputs[0].model_copy(update={"dtype": "string", "shape": (-1, 1), "sources": ()})
    feed.version = one.model_copy(
        update={"signature": one.signature.model_copy(update={"inputs": (tensor,)})}
    )
    from modelspec.tree.record import Values

    rows = [
        record(inputs=(Values("features", "string", (1, 1), (text,)),)) for text in (name, "b", "c", None)
    ]
    told = measure(table, feed.records(rows), feed)
    assert told.features[0].violations == {"category": 1}
    assert told.features[0].stats.counts == (1, 1, 1)


def test_the_connection_opens_no_file_and_stays_locked(tmp_path: object) -> None:
    with duckdb.connect(":memory:", config=_LOCKED) as connection:
        for said in ("SELECT * FROM read_csv('/etc/passwd')", "SET enable_external_access = true",
                     "INSTALL httpfs", f"COPY (SELECT 1) TO '{tmp_path}/x.csv'", f"ATTACH '{tmp_path}/x.db'"):  # fmt: skip
            with pytest.raises(duckdb.Error):
                connection.execute(said)
