"""The request log of a runtime: a request hands its record over and never waits, a thread writes the files.

Nothing here may slow or fail a request. What can't be kept is counted, and said in metrics: a queue that is
full, a disk that is full, a request whose tensors no column holds.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
import zlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol

import pyarrow as pa

from modelspec.runtimes.requestlog_file import clean, write
from modelspec.runtimes.requestlog_rows import Entry, batch_of, layout_for, schema_of
from modelspec.runtimes.served import Log, Served
from modelspec.runtimes.tensors import Array
from modelspec.tree.requestlog import bucket_of, folder_of

KEY: Final = "MODELSPEC_RECORDS_KEY"
"""The environment variable with the key of the hashes that stand for sensitive values."""
ROOT: Final = "MODELSPEC_RECORDS"
"""The environment variable with the log's root; it comes before what the config says."""
MEMORY: Final = 64 * 1024 * 1024
"""Bytes that wait to be written; beyond them records are lost, and counted."""
ROWS: Final = 100_000
"""Rows that wait; then files are written before their time."""
_TURN_SECONDS: Final = 0.2
_STEP: Final = 128
"""Requests that become columns without a pause: the interpreter is the server's."""
_QUIET_SECONDS: Final = 60
_PARTS: Final = 1_000_000
_LOGGER: Final = logging.getLogger("modelspec.records")


class Meter(Protocol):
    """Counts what became of records."""

    def written(self, rows: int) -> None:
        """So many rows are in files that stay."""
        ...

    def lost(self, reason: str, rows: int) -> None:
        """So many were not: `memory`, `disk` or `form`."""
        ...


class RequestLog:
    """One slot's log. `append` is called by requests, from any thread; the rest is the writer's."""

    def __init__(self, served: Served, root: Path, settings: Log, key: bytes | None, meter: Meter) -> None:
        self._layout = layout_for(served, keyed=key is not None)
        self._schema = schema_of(self._layout)
        self._root, self._settings, self._key, self._meter = root, settings, key, meter
        self._share = round(settings.sample / 100 * _PARTS)
        self._lock = threading.Lock()
        self._late = threading.Lock()
        self._waiting: list[Entry] = []
        self._bytes = 0
        self._dropped = 0
        self._wake = threading.Event()
        self._ended = False
        self._held: dict[str, list[pa.RecordBatch]] = {}
        self._held_rows = 0
        self._told = -float("inf")
        self._thread = threading.Thread(target=self._run, name="modelspec-records", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def append(self, request: str, inputs: Mapping[str, Array], outputs: Mapping[str, Array]) -> None:
        """Take over one answered request if it is in the sample; returns at once, whatever happens."""
        try:
            if zlib.crc32(request.encode("utf-8", "replace")) % _PARTS >= self._share:
                return
            entry = Entry(request, time.time_ns() // 1000, inputs, outputs)
            size = entry.size
            with self._lock:
                if self._bytes + size > MEMORY:
                    self._dropped += 1
                    return
                self._bytes += size
                late = self._ended
                if not late:
                    self._waiting.append(entry)
            if late:
                # It was under way while its version was unloaded.
                threading.Thread(target=self._write_late, args=(entry,), name="modelspec-late").start()
        except Exception:
            # The request was answered: whatever is wrong with its record is no trouble of its caller.
            with self._lock:
                self._dropped += 1

    def close(self, seconds: float = 20) -> None:
        """Write what waits, and stop."""
        with self._lock:
            self._ended = True
        self._wake.set()
        self._thread.join(seconds)
        atexit.unregister(self.close)

    def _write_late(self, entry: Entry) -> None:
        """Write a request that came when the log was closed, in a file of its own."""
        self._thread.join()
        with self._late:
            self._safely("take a request over", lambda: self._take([entry]))
            self._flush()

    def _run(self) -> None:
        self._safely("clean", lambda: clean(self._root))
        due = time.monotonic() + self._settings.flush_seconds
        while True:
            self._wake.wait(_TURN_SECONDS)
            with self._lock:
                taken, self._waiting = self._waiting, []
                dropped, self._dropped = self._dropped, 0
                ended = self._ended
            if dropped:
                self._lose("memory", dropped, "more requests than the writer keeps up with")
            for start in range(0, len(taken), _STEP):
                some = taken[start : start + _STEP]
                self._safely("take requests over", lambda some=some: self._take(some))
                if not ended:
                    time.sleep(0.001)
            if ended or self._held_rows >= ROWS or time.monotonic() >= due or self._bytes > MEMORY // 2:
                self._flush()
                due = time.monotonic() + self._settings.flush_seconds
            if ended:
                return

    def _take(self, entries: Sequence[Entry]) -> None:
        """Turn requests into columns, by the folder that they belong in."""
        freed = sum(one.size for one in entries)
        by_folder: dict[str, list[Entry]] = {}
        for one in entries:
            hour = datetime.fromtimestamp(one.time / 1e6, UTC)
            buckets = self._settings.buckets
            by_folder.setdefault(folder_of(hour, bucket_of(one.id, buckets), buckets), []).append(one)
        kept = sum(self._hold(folder, some) for folder, some in by_folder.items())
        with self._lock:
            self._bytes += kept - freed

    def _hold(self, folder: str, entries: Sequence[Entry]) -> int:
        try:
            batch = batch_of(entries, self._layout, self._schema, self._key)
        except Exception as error:
            if len(entries) > 1:
                return sum(self._hold(folder, [one]) for one in entries)
            self._lose("form", 1, str(error))
            return 0
        self._held.setdefault(folder, []).append(batch)
        self._held_rows += batch.num_rows
        return int(batch.nbytes)

    def _flush(self) -> None:
        """Write what is held, a file for each folder; what fails is lost, and counted."""
        held, self._held, self._held_rows = self._held, {}, 0
        for folder, batches in held.items():
            table = pa.Table.from_batches(batches, self._schema)
            try:
                write(self._root, folder, f"{self._layout.environment}~{self._layout.model}", table)
            except Exception as error:
                self._lose("disk", table.num_rows, str(error))
            else:
                self._safely("count", lambda rows=table.num_rows: self._meter.written(rows))
        freed = sum(batch.nbytes for batches in held.values() for batch in batches)
        with self._lock:
            self._bytes -= freed

    def _lose(self, reason: str, rows: int, why: str) -> None:
        self._safely("count", lambda: self._meter.lost(reason, rows))
        now = time.monotonic()
        if now - self._told >= _QUIET_SECONDS:
            self._told = now
            _LOGGER.error("%s records of %s are lost: %s", rows, self._layout.model, why)

    def _safely(self, what: str, act: object) -> None:
        try:
            act()  # type: ignore[operator]
        except Exception:
            _LOGGER.exception("the request log could not %s", what)


def request_log(served: Served, meter: Meter) -> RequestLog | None:
    """Return the log that a slot's config asks for, or None; the environment may say its root and its key."""
    settings = served.log
    if settings is None or settings.sample == 0:
        return None
    root = os.environ.get(ROOT) or settings.folder
    if not root:
        _LOGGER.error("no request log: the config names no folder for it, and %s is not set", ROOT)
        return None
    key = os.environ.get(KEY)
    return RequestLog(served, Path(root), settings, key.encode() if key else None, meter)
