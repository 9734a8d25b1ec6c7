"""One file of our own Parquet: its layout, its rows in a window, the rows of one id."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from modelspec.tree.finding import Refusal
from modelspec.tree.record import Record, Unreadable
from modelspec.tree.requestlog import FIXED, KEY, Layout, layout_of
from modelspec.tree.text import visible
from modelspec.world.records.own_rows import needed, records_in
from modelspec.world.records.own_types import misfits


@dataclass(frozen=True, slots=True)
class OwnFile:
    """One file of the log, open to its metadata. `address` is its local path, None when it is elsewhere."""

    path: str
    address: str | None
    layout: Layout
    rows: int
    parquet: Any = field(repr=False)
    """The pyarrow ParquetFile."""


def open_own(path: str, address: str | None, opened: Callable[[], Any]) -> OwnFile | Unreadable:
    """Open one file to its metadata and judge its layout against its columns."""
    shown = visible(path, 200)
    try:
        import pyarrow.parquet as pq
    except ImportError:
        raise Refusal(
            "our own request log is Parquet, and nothing is installed that reads it",
            'pip install "modelspec-gitops[trace]"',
        ) from None
    try:
        parquet = pq.ParquetFile(opened())
    except OSError as error:
        return Unreadable(shown, said(error))
    except Exception as error:
        # pyarrow raises classes of its own, and its C++ errors as others.
        return Unreadable(shown, f"it is no whole Parquet file: {said(error)}")
    layout = told_layout((parquet.schema_arrow.metadata or {}).get(KEY.encode()))
    if isinstance(layout, str):
        return Unreadable(shown, layout)
    names = parquet.schema_arrow.names
    lacking = sorted({*needed(layout), *FIXED} - set(names))
    if lacking or len(set(names)) != len(names):
        return Unreadable(shown, f"its columns are not as its layout says: {visible(', '.join(lacking))}")
    other = misfits(parquet.schema_arrow, layout)
    if other:
        return Unreadable(shown, f"its columns are not as its layout says: {visible('; '.join(other), 200)}")
    return OwnFile(path, address, layout, parquet.metadata.num_rows, parquet)


def told_layout(raw: bytes | None) -> Layout | str:
    """Return the layout in a file's metadata, or what is wrong with it."""
    if raw is None:
        return "its metadata has no layout of modelspec/records"
    try:
        data = json.loads(raw)
    except UnicodeDecodeError:
        return "its layout is not UTF-8"
    except json.JSONDecodeError as error:
        return f"its layout is no JSON: {error.msg} at {error.pos:,}"
    except RecursionError:
        return "its layout is nested too deep"
    except ValueError as error:
        return f"its layout is no JSON: {visible(str(error), 80)}"
    try:
        return layout_of(data)
    except ValueError as error:
        return visible(str(error), 120)


def whole(file: OwnFile, since: datetime | None, until: datetime | None, rows: int) -> Iterator[Any]:
    """Yield batches that cut no request in two, of rows in the window."""
    import pyarrow as pa
    import pyarrow.compute as pc

    groups = _groups(file.parquet, since, until)
    columns = list(dict.fromkeys(needed(file.layout)))
    left = None
    for batch in file.parquet.iter_batches(rows, row_groups=groups, columns=columns, use_threads=False):
        table = pa.Table.from_batches([batch] if left is None else [left, batch])
        [joined] = table.combine_chunks().to_batches() or [batch]
        zeros = pc.indices_nonzero(pc.equal(joined["row"], 0))
        last = zeros[-1].as_py() if len(zeros) else 0
        if last == 0:
            left = joined
            continue
        yield _within_window(joined.slice(0, last), since, until)
        left = joined.slice(last)
    if left is not None and left.num_rows:
        yield _within_window(left, since, until)


def requests_in(batch: Any) -> int:
    """Return how many requests begin in an Arrow batch."""
    import pyarrow.compute as pc

    return int(pc.sum(pc.equal(batch["row"], 0)).as_py() or 0)


def _within_window(batch: Any, since: datetime | None, until: datetime | None) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    if since is None and until is None:
        return batch
    time = batch["time"]
    keep = pc.is_valid(time)
    if since is not None:
        keep = pc.and_(keep, pc.greater_equal(time, pa.scalar(since, time.type)))
    if until is not None:
        keep = pc.and_(keep, pc.less_equal(time, pa.scalar(until, time.type)))
    return batch.filter(keep)


def _groups(parquet: Any, since: datetime | None, until: datetime | None) -> list[int]:
    """Return the row groups whose times may lie in the window, by their statistics."""
    groups = range(parquet.metadata.num_row_groups)
    if since is None and until is None:
        return list(groups)
    column = parquet.schema_arrow.get_field_index("time")
    kept = []
    for at in groups:
        told = parquet.metadata.row_group(at).column(column).statistics
        if told is not None and told.has_min_max:
            low, high = told.min, told.max
            if isinstance(low, datetime) and (
                (since is not None and high < since) or (until is not None and low > until)
            ):
                continue
        kept.append(at)
    return kept


def matching(file: OwnFile, request: str) -> Iterator[Record | Unreadable]:
    """Yield the records of one id, by reading the ids of each row group first."""
    import pyarrow.compute as pc

    for group in range(file.parquet.metadata.num_row_groups):
        ids = file.parquet.read_row_group(group, columns=["request_id"])["request_id"]
        if not pc.any(pc.equal(ids, request)).as_py():
            continue
        table = file.parquet.read_row_group(group, columns=list(dict.fromkeys(needed(file.layout))))
        [batch] = table.filter(pc.equal(table["request_id"], request)).combine_chunks().to_batches()
        yield from records_in(file.layout, lists(batch), visible(file.path, 200))


def lists(batch: Any) -> dict[str, list[Any]]:
    """Return the columns of an Arrow batch as lists; `time` in microseconds since 1970."""
    import pyarrow as pa

    found = {}
    for name in batch.schema.names:
        column = batch[name]
        if name == "time":
            # A finer clock is cut to ours, as other readers of Parquet do.
            column = column.cast(pa.timestamp("us", tz="UTC"), safe=False).cast(pa.int64())
        found[name] = column.to_pylist()
    return found


def said(error: Exception) -> str:
    """Return what an error says, on one line."""
    return visible(str(error).partition("\n")[0] or type(error).__name__, 160)
