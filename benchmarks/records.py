"""Looking up one request in our own Parquet: whole processes, over logs that the real writer wrote.

Each request is looked up by itself, and then traced: `modelspec trace` in a registry with the version that
answered, its pin and its history.

    python benchmarks/records.py [--millions 20] [--features 20] [--flat 1 10 100] [--folder DIR]

A file holds the requests of an hour (833,333, as 20 million in a day give); more records are more days. The
same seed gives the same requests. `--flat` measures logs of several sizes, with three features each.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from answering import ENVIRONMENT, MODEL, VERSION, registry, wide
from measure import Figures, measure

START = datetime(2026, 11, 2, tzinfo=UTC)
HOURLY = 833_333
FIND = """
import sys
from datetime import datetime
from modelspec.cli.records import open_records
folder, request, around = sys.argv[1:]
[found] = open_records(folder).find(request, datetime.fromisoformat(around) if around else None)
assert found.id == request and len(found.outputs[0].data) == 1
"""
"""The look-up: the record must be there once, with its values."""
MODELSPEC = str(Path(sys.executable).with_name("modelspec"))
AT = 0.37
"""Which of an hour's requests are asked for."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Generate, look up, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--millions", type=float, default=20)
    parser.add_argument("--features", type=int, default=20)
    parser.add_argument("--flat", type=float, nargs="*", default=[], metavar="MILLIONS")
    parser.add_argument("--hourly", type=int, default=HOURLY)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--write", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.write:
        root, *numbers = given.write
        asked = generate(Path(root), *map(int, numbers))
        request, random, when = asked[len(asked) // 2]
        told = {"asked": [request, random, when.isoformat()], "seconds": time.process_time()}
        print(json.dumps(told))
        return
    with tempfile.TemporaryDirectory(dir=given.folder) as work:
        root = Path(work) / "log"
        measured(root, round(given.millions * 1e6), given.features, given.hourly, given.repeat)
        for millions in given.flat:
            flat = Path(work) / "flat"
            measured(flat, round(millions * 1e6), 3, given.hourly, given.repeat)
            for folder in (flat, flat.with_name(f"{flat.name}-registry")):
                shutil.rmtree(folder)


def measured(root: Path, records: int, features: int, hourly: int, repeat: int) -> None:
    """Write a log and print what its look-ups cost."""
    # A child writes: what it needs in memory would count as that of every process that comes after.
    writing = [sys.executable, __file__, "--write", str(root), str(records), str(features), str(hourly)]
    told = json.loads(subprocess.run(writing, check=True, capture_output=True, text=True).stdout)
    asked, wrote = told["asked"], told["seconds"]
    files = list(root.rglob("*.parquet"))
    size = sum(path.stat().st_size for path in files)
    print(
        f"{records:,} records of {features} features in {len(files)} files, {size / records:.0f} bytes each"
    )
    print(f"  written in {wrote:.0f} s of processor")
    home = root.with_name(f"{root.name}-registry")
    registry(home, features)
    # The middle of the log.
    request, random, when = asked
    for what, id_, around in (
        ("by an id that tells its time", request, ""),
        ("by a random id, within two minutes", random, when),
        ("by a random id, everywhere", random, ""),
    ):
        command = [sys.executable, "-c", FIND, str(root), id_, around]
        print(f"  {what}: {_shown(measure(command, repeat, lambda: None))}", flush=True)
        tracing = [MODELSPEC, "trace", id_, "--log", str(root), "--root", str(home)]
        tracing += ["--around", around] if around else []
        _named(tracing, wide(features)[0].digest)
        print(f"    modelspec trace: {_shown(measure(tracing, repeat, lambda: None))}", flush=True)
    empty = measure([sys.executable, "-c", "pass"], repeat, lambda: None)
    print(f"  an empty process of Python: {_shown(empty)}")


def _named(tracing: Sequence[str], digest: str) -> None:
    """Stop unless a trace names the version that answered, its pin, and fields that keep their contract."""
    done = subprocess.run([*tracing, "--format", "json"], check=True, capture_output=True, text=True)
    [one] = json.loads(done.stdout)["traces"]
    held = all(not field["violations"] for field in one["fields"])
    if (one["version"]["digest"], one["known_by"], len(one["pins"]), held) != (digest, "stamp", 1, True):
        sys.exit(f"{' '.join(tracing)} said:\n{done.stdout}")


def _shown(figures: Figures) -> str:
    return (
        f"{figures.wall:.3f} s ({figures.least:.3f} at least), processor {figures.cpu:.3f} s, "
        f"{figures.memory:.0f} MB"
    )


def generate(root: Path, records: int, features: int, hourly: int) -> list[tuple[str, str, datetime]]:
    """Write so many requests of a row each; return (an id, a random id, the instant of that) of each hour."""
    import numpy as np

    asked = []
    generator = np.random.default_rng(7)
    for number, first in enumerate(range(0, records, hourly)):
        count = min(hourly, records - first)
        asked.append(_hour(root, START + timedelta(hours=number), count, features, generator))
    return asked


def _hour(root: Path, hour: datetime, count: int, features: int, generator: Any) -> tuple[str, str, datetime]:
    import numpy as np
    import pyarrow as pa

    from modelspec.runtimes.requestlog_file import write
    from modelspec.runtimes.requestlog_rows import layout_for, schema_of
    from modelspec.runtimes.served import read_served
    from modelspec.tree.requestlog import folder_of

    answering, _ = wide(features)
    digest, names = answering.digest, answering.fields
    served = read_served(
        {
            "model": MODEL, "version": VERSION, "digest": digest, "stamp": digest.replace(":", "-"),
            "environment": ENVIRONMENT, "slot": "stable", "threads": 1,
            "artifact": {"digest": digest, "files": []},
            "inputs": [{"name": "features", "dtype": "float32", "shape": [-1, features]}],
            "outputs": [{"name": "minutes", "dtype": "float32", "shape": [-1, 1]}],
            "fields": [
                {"input": "features", "field": name, "width": 1, "sensitive": False} for name in names
            ],
        }
    )  # fmt: skip
    layout = layout_for(served, keyed=False)
    milliseconds = round(hour.timestamp() * 1000) + np.sort(generator.integers(0, 3_600_000, count))
    ids = _ids(milliseconds, generator)
    words = (layout.stamp, layout.model, layout.environment, layout.version, layout.slot)
    zeros = pa.array(np.zeros(count, np.int8))
    columns = [
        ids,
        pa.array(np.zeros(count, np.int32)),
        pa.array(np.ones(count, np.int32)),
        # The answer comes some milliseconds after the id.
        pa.array((milliseconds + 4) * 1000).cast(pa.timestamp("us", tz="UTC")),
        *(pa.DictionaryArray.from_arrays(zeros, pa.array([word])) for word in words),
        *(pa.array(_values(number, count, generator)) for number in range(features)),
        pa.array(generator.gamma(2, 8, count).astype(np.float32)),
    ]
    schema = schema_of(layout)
    write(root, folder_of(hour, 0, 1), "production~eta", pa.table(columns, schema=schema))
    at = int(count * AT)
    random = at - at % 10
    when = datetime.fromtimestamp(int(milliseconds[random]) / 1000, UTC)
    return ids[at - at % 10 + 1].as_py(), ids[random].as_py(), when


def _values(number: int, count: int, generator: Any) -> Any:
    """Return a feature: every third is continuous, rounded, or one of a few categories."""
    import numpy as np

    if number % 3 == 0:
        return generator.random(count, dtype=np.float32)
    if number % 3 == 1:
        return np.round(generator.random(count), 3).astype(np.float32)
    return generator.integers(0, 12, count).astype(np.float32)


def _ids(milliseconds: Any, generator: Any) -> Any:
    """Return an id for each: UUIDv7, and every tenth a random one."""
    import numpy as np
    import pyarrow as pa

    count = len(milliseconds)
    raw = generator.integers(0, 256, (count, 16), dtype=np.uint8)
    told = milliseconds.astype(">u8").view(np.uint8).reshape(count, 8)[:, 2:]
    timed = np.arange(count) % 10 != 0
    raw[timed, :6] = told[timed]
    raw[:, 6] = raw[:, 6] & 0x0F | np.where(timed, 0x70, 0x40)
    raw[:, 8] = raw[:, 8] & 0x3F | 0x80
    digits = np.frombuffer(b"0123456789abcdef", np.uint8)
    hexed = np.empty((count, 32), np.uint8)
    hexed[:, 0::2], hexed[:, 1::2] = digits[raw >> 4], digits[raw & 15]
    text = np.full((count, 36), ord("-"), np.uint8)
    for into, start, stop in ((0, 0, 8), (9, 8, 12), (14, 12, 16), (19, 16, 20), (24, 20, 32)):
        text[:, into : into + stop - start] = hexed[:, start:stop]
    offsets = pa.py_buffer((np.arange(count + 1, dtype=np.int32) * 36).tobytes())
    return pa.StringArray.from_buffers(count, offsets, pa.py_buffer(text.tobytes()))


if __name__ == "__main__":
    main()
