"""Words that several reports of history share: instants, versions, reasons."""

from __future__ import annotations

from datetime import datetime

from modelspec.tree.data import Data


def stamp(time: datetime) -> str:
    """Return an instant in UTC as it is written everywhere: `2026-10-01T00:00:00Z`."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def version(ref: str | None) -> str:
    """Return the version of a reference, "nothing" for none."""
    return "nothing" if ref is None else ref.partition("@")[0]


def why_data(why: object) -> Data:
    """Return a reason as a map, or None."""
    text, link = getattr(why, "text", None), getattr(why, "link", None)
    return None if why is None else {"text": text, "link": link}
