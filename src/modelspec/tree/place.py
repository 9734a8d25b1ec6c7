"""Where something is: symbolically (path and route of keys), and as line and column."""

from __future__ import annotations

from dataclasses import dataclass

Route = tuple[str | int, ...]
"""Keys and indices from the root of a document to one of its nodes."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A stretch of one line; line and columns count from 1, `end` is exclusive."""

    line: int
    column: int
    end: int


@dataclass(frozen=True, slots=True)
class Place:
    """A node of a file: `path` from the root, `route` within it.

    `mark` is set only where the text has no structure that a route could follow (a file that does not
    parse, a template); `key` says that the key itself is meant, not its value.
    """

    path: str
    route: Route = ()
    mark: Mark | None = None
    key: bool = False


def pointer(route: Route) -> str:
    """Return the route as a JSON pointer (RFC 6901): `/stable/version`."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in route)


def dotted(route: Route) -> str:
    """Return the route as people write it: `artifact.files[0].path`."""
    text = ""
    for part in route:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
