"""Rows as a plain table: columns as wide as their widest cell."""

from __future__ import annotations

from collections.abc import Sequence


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return the rows with their columns aligned; the first row is the heading. No trailing spaces."""
    if not rows:
        return ""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    line = "  ".join(f"{{:<{width}}}" for width in widths)
    return "".join([f"{line.format(*row).rstrip()}\n" for row in rows])
