"""JSON that others wrote: within limits, no key twice, no number that JSON has not."""

from __future__ import annotations

import json
import math
from typing import Any, Final, NoReturn

from modelspec.formats.foreign import Unreadable
from modelspec.tree.data import Data
from modelspec.tree.text import visible

LIMIT: Final = 8 * 1024 * 1024
"""The most bytes of a foreign schema that is text."""
MAX_DEPTH: Final = 64


def text_of(source: bytes) -> str:
    """Return the text of a foreign file of text; raises Unreadable for one that is too large or no UTF-8."""
    if len(source) > LIMIT:
        raise Unreadable(f"it has more than {LIMIT:,} bytes, which no schema needs", "import a smaller file")
    try:
        return source.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable(f"byte 0x{source[error.start]:02x} at {error.start:,} is not UTF-8") from None


def read_json(source: bytes) -> Data:
    """Return the data of a JSON text; raises Unreadable."""
    text = text_of(source)
    try:
        data: Data = json.loads(text, object_pairs_hook=_object, parse_constant=_constant, parse_float=_float)
    except RecursionError:
        raise _too_deep() from None
    except json.JSONDecodeError as error:
        raise Unreadable(f"line {error.lineno}, column {error.colno}: {error.msg}") from None
    except ValueError as error:
        # Integers of thousands of digits.
        raise Unreadable(f"it is no JSON: {visible(str(error), 120)}") from None
    _shallow(data)
    return data


def _shallow(data: Data) -> None:
    """Refuse deep nesting here, so that whoever walks the data may recurse."""
    level: list[Any] = [data]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for node in level
            if isinstance(node, list | dict)
            for child in (node.values() if isinstance(node, dict) else node)
        ]
        if not level:
            return
    raise _too_deep()


def _too_deep() -> Unreadable:
    return Unreadable(f"it is nested deeper than {MAX_DEPTH} levels")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise Unreadable(f"the key {visible(twice)} stands twice in one object", "keep one of the two")
    return found


def _constant(name: str) -> NoReturn:
    raise Unreadable(f"{name} is no JSON")


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise Unreadable(f"the number {visible(text, 40)} is more than a double can hold")
    return number
