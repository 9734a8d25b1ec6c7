"""Files for tests to read."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def put(root: Path, path: str, data: bytes | str = b"x") -> Path:
    """Write a file below a root, with its folders; return it."""
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data.encode() if isinstance(data, str) else data)
    return file


@contextmanager
def nested(folder: Path, depth: int) -> Iterator[None]:
    """Make folders in folders, `d/d/d...`, and a file at their end; Python could not remove them again."""
    at = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=at)
        inner = os.open("d", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = inner
    os.close(os.open("f", os.O_CREAT | os.O_WRONLY, dir_fd=at))
    os.close(at)
    try:
        yield
    finally:
        subprocess.run(["rm", "-rf", folder / "d"], check=True)
