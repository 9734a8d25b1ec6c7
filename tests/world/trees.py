"""Files for tests to read."""

from __future__ import annotations

from pathlib import Path


def put(root: Path, path: str, data: bytes | str = b"x") -> Path:
    """Write a file below a root, with its folders; return it."""
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data.encode() if isinstance(data, str) else data)
    return file
