"""One request among many files, by DuckDB: it reads Bloom filters, and starts sooner than pyarrow does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from operator import itemgetter
from typing import Any, Final

from modelspec.tree.requestlog import FIXED, KEY, Layout
from modelspec.tree.text import visible
from modelspec.world.records.own_rows import Columns, needed, spans

_MEMORY: Final = "200MB"


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of one id in one file."""

    layout: Layout
    columns: Columns

    def spans(self) -> Iterator[tuple[int, int]]:
        """Yield (start, stop) of each request: an id may have been used twice."""
        yield from spans(self.columns["row"])


def holding(request: str, addresses: Sequence[str]) -> Mapping[str, Rows | Failed] | None:
    """Return the rows of an id by file, and for a file that DuckDB can't read why; None without DuckDB."""
    duckdb = _duckdb()
    if duckdb is None:
        return None
    if not addresses:
        return {}
    connection = duckdb.connect(
        config={
            "memory_limit": _MEMORY,
            "autoinstall_known_extensions": False,
            "allow_community_extensions": False,
        }
    )
    try:
        return _holding(duckdb, connection, request, addresses)
    finally:
        connection.close()


@dataclass(frozen=True, slots=True)
class Failed:
    """Why DuckDB could not read a file; it says so of damaged files, and of types that it knows otherwise."""

    why: str


def _duckdb() -> Any:
    """Return DuckDB, None when it is not installed.

    Of its package only the compiled half is imported where that is one by itself (1.4 and later): the other,
    in Python, takes a third of the whole look-up and is not needed to ask in SQL.
    """
    for name in ("_duckdb", "duckdb"):
        try:
            module = import_module(name)
        except ImportError:
            continue
        if hasattr(module, "connect") and hasattr(module, "Error"):
            return module
    return None


def _holding(
    duckdb: Any, connection: Any, request: str, addresses: Sequence[str]
) -> Mapping[str, Rows | Failed]:
    found: dict[str, Rows | Failed] = {}
    connection.execute("SET parquet_metadata_cache = true")
    try:
        hits = _hits(connection, request, addresses) if len(addresses) > 1 else addresses
    except duckdb.Error:
        # One bad file fails the query: each is asked by itself, so that it is named.
        hits = []
        for address in addresses:
            try:
                hits += _hits(connection, request, [address])
            except duckdb.Error as error:
                found[address] = _failed(error)
    for address in hits:
        try:
            told = _rows(connection, request, address)
            if told is not None:
                found[address] = told
        except duckdb.Error as error:
            found[address] = _failed(error)
    return found


def _hits(connection: Any, request: str, addresses: Sequence[str]) -> list[str]:
    rows = connection.execute(
        "SELECT DISTINCT filename FROM read_parquet(?, filename = true, hive_partitioning = false)"
        " WHERE request_id = ?",
        [list(addresses), request],
    ).fetchall()
    return sorted(row[0] for row in rows)


def _failed(error: Exception) -> Failed:
    return Failed(f"it can't be read: {visible(str(error).partition(chr(10))[0], 160)}")


def _rows(connection: Any, request: str, address: str) -> Rows | Failed | None:
    from modelspec.world.records.own_file import told_layout

    told = connection.execute(
        "SELECT value FROM parquet_kv_metadata(?) WHERE key = ?", [address, KEY.encode()]
    ).fetchall()
    layout = told_layout(bytes(told[0][0]) if told else None)
    if isinstance(layout, str):
        return Failed(layout)
    names = [name for name in needed(layout) if name not in FIXED]
    quoted = ", ".join('"' + name.replace('"', '""') + '"' for name in names)
    rows = connection.execute(
        f'SELECT file_row_number, request_id, "row", batch, epoch_us("time"){", " * bool(quoted)}{quoted}'  # noqa: S608
        " FROM read_parquet(?, hive_partitioning = false, file_row_number = true)"
        " WHERE request_id = ?",
        [[address], request],
    ).fetchall()
    if not rows:
        return None
    columns = [list(column) for column in zip(*sorted(rows, key=itemgetter(0)), strict=True)]
    return Rows(layout, dict(zip([*FIXED[:4], *names], columns[1:], strict=True)))
