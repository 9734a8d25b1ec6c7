"""What a commit object says of itself."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from modelspec.tree.finding import Refusal


def told_time(commit: str, data: bytes) -> datetime:
    """Return the committer's time that a commit object holds; in UTC."""
    match = re.search(rb"^committer .*> (\d{1,12}) [-+]\d{4}$", data, re.MULTILINE)
    try:
        if match is None:
            raise ValueError
        return datetime.fromtimestamp(int(match[1]), UTC)
    except (ValueError, OverflowError):
        raise Refusal(
            f"commit {commit} has no time that can be read",
            "judge it at an instant of your own: --now TIME; `git fsck` says what else is wrong with it",
        ) from None


def parents(data: bytes) -> list[str]:
    """Return the full ids of the parents that a commit object names."""
    head = data.partition(b"\n\n")[0]
    return [line[7:].decode("ascii", "replace") for line in head.split(b"\n") if line.startswith(b"parent ")]
