"""A folder of receipts that somebody kept: JSON files, and files with one receipt a line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from modelspec.spec.receipt import LIMIT
from modelspec.tree.finding import Refusal
from modelspec.tree.text import visible
from modelspec.world.foreign import foreign

MAX_RECEIPTS: Final = 1_000_000


def saved_receipts(folder: str) -> Iterator[tuple[str, bytes]]:
    """Yield (place, JSON) of every receipt below a folder, by path; links are not followed.

    Raises Refusal when there is none, or far too many.
    """
    root = Path(folder)
    files = sorted(
        path for path in root.rglob("*") if path.suffix in (".json", ".jsonl") and not path.is_dir()
    )
    if not files:
        raise Refusal(f"{visible(folder, 200)} holds no *.json and no *.jsonl", "name the folder of receipts")
    count = 0
    for path in files:
        for place, data in _lines(path, visible(path.relative_to(root).as_posix(), 200)):
            count += 1
            if count > MAX_RECEIPTS:
                raise Refusal(f"{visible(folder, 200)} holds more than {MAX_RECEIPTS:,} receipts")
            yield place, data


def _lines(path: Path, shown: str) -> Iterator[tuple[str, bytes]]:
    with foreign(path) as stream:
        if path.suffix == ".json":
            yield shown, stream.read(LIMIT + 1)
            return
        number = 0
        while line := stream.readline(LIMIT + 2):
            number += 1
            if line.strip():
                yield f"{shown}:{number}", line
