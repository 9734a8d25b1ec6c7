"""What a renderer in another process is asked and answers: one JSON object a line, UTF-8, on its stdin and
stdout, in turn.

Request: `{"source": TEMPLATE, "context": {...}}`.
Reply: `{"data": DATA, "holes": [[route, source, line, key], ...]}`, or
`{"fault": {"rule": ..., "message": ..., "line": 3 or null, "fix": ... or null}}`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from modelspec.tree.data import Data
from modelspec.tree.place import Route
from modelspec.tree.protocols import Hole, Rendered, RenderFault


class FrameError(Exception):
    """The line is no frame."""


def write_request(source: str, context: Mapping[str, Data]) -> bytes:
    """Return the line that asks for one template over a context."""
    return _line({"source": source, "context": context})


def read_request(line: bytes) -> tuple[str, dict[str, Data]]:
    """Return (source, context) of a request."""
    match _object(line):
        case {"source": str(source), "context": dict(context)}:
            return source, context
    raise FrameError("this is no request")


def write_reply(result: Rendered | RenderFault) -> bytes:
    """Return the line that answers with a result."""
    if isinstance(result, RenderFault):
        fault = {"rule": result.rule, "message": result.message, "line": result.line, "fix": result.fix}
        return _line({"fault": fault})
    holes = [[hole.route, hole.source, hole.line, hole.key] for hole in result.holes]
    return _line({"data": result.data, "holes": holes})


def read_reply(line: bytes) -> Rendered | RenderFault:
    """Return the result in a reply. Whoever wrote it is not trusted: another shape is a FrameError."""
    match _object(line):
        case {"data": data, "holes": list(holes)}:
            return Rendered(data, tuple(_hole(hole) for hole in holes))
        case {
            "fault": {
                "rule": str(rule),
                "message": str(message),
                "line": int() | None as at,
                "fix": str() | None as fix,
            }
        }:
            return RenderFault(rule, message, at, fix)
    raise FrameError("this is no reply")


def _hole(hole: Any) -> Hole:
    match hole:
        case [list(route), list(source), int(line), bool(key)]:
            return Hole(_route(route), _route(source), line, key)
    raise FrameError("this is no hole")


def _route(parts: list[Any]) -> Route:
    if not all(type(part) in (str, int) for part in parts):
        raise FrameError("this is no route")
    return tuple(parts)


def _line(frame: Any) -> bytes:
    # ASCII, so that half a surrogate pair or a line separator in a value can't break the frame.
    return json.dumps(frame, separators=(",", ":")).encode("ascii") + b"\n"


def _object(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise FrameError("this is no JSON") from error
