"""One file of a request log: it gets its name when all of it is on the disk."""

from __future__ import annotations

import os
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pyarrow.parquet as pq

from modelspec.runtimes.ids import request_id
from modelspec.world.durable import CREATE, flush

ROW_GROUP: Final = 65_536
"""What a look-up unpacks at once."""
UNFINISHED: Final = ".writing"
"""The folder, below the root, of files without their names; a killed server leaves them, the next removes
them when they are an hour old."""
_OLD_SECONDS: Final = 3600
_FALSE_POSITIVES: Final = 0.01
_WORDS: Final = ("stamp", "model", "environment", "version", "slot")


def write(root: Path, folder: str, prefix: str, table: Any) -> Path:
    """Write a table of records as `<root>/<folder>/<prefix>~<uuid>.parquet`, flushed, in one step.

    Raises OSError, and leaves nothing behind, when the disk does not take it.
    """
    name = f"{prefix}~{request_id()}.parquet"
    aside, final = root / UNFINISHED, root / folder
    aside.mkdir(parents=True, exist_ok=True)
    final.mkdir(parents=True, exist_ok=True)
    unfinished = aside / f".{uuid.uuid4()}"
    descriptor = os.open(unfinished, CREATE, 0o640)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            _parquet(table, stream)
            stream.flush()
            flush(stream.fileno())
        unfinished.rename(final / name)
    except BaseException:
        with suppress(OSError):
            unfinished.unlink()
        raise
    at = os.open(final, os.O_RDONLY | os.O_DIRECTORY)
    try:
        flush(at)
    finally:
        os.close(at)
    return final / name


def _parquet(table: Any, stream: Any) -> None:
    # The id must not be in a dictionary: its Bloom filter is what a look-up reads.
    pq.write_table(
        table,
        stream,
        row_group_size=ROW_GROUP,
        compression="zstd",
        use_dictionary=list(_WORDS),
        bloom_filter_options={
            "request_id": {"ndv": min(max(table.num_rows, 1), ROW_GROUP), "fpp": _FALSE_POSITIVES}
        },
    )


def clean(root: Path) -> None:
    """Remove what a killed server left unfinished."""
    with suppress(FileNotFoundError):
        for left in (root / UNFINISHED).iterdir():
            with suppress(OSError):
                if time.time() - left.stat().st_mtime > _OLD_SECONDS:
                    left.unlink()
