"""Edits of a few lines: they replace a scalar, or put in, replace or take out one top-level key.

Every other byte stays, comments included. The result is read again and compared with what was meant, so
that an edit that would say anything else is refused and never written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from modelspec.tree.data import Data, at
from modelspec.tree.locate import locate
from modelspec.tree.place import Mark, Route, dotted
from modelspec.tree.yaml import read


@dataclass(frozen=True, slots=True)
class Unedited:
    """Why an edit was not made, and what to do by hand."""

    message: str
    fix: str


def set_scalar(source: bytes, route: Route, text: str) -> bytes | Unedited:
    """Replace the scalar at `route`, which is there, by `text` as it is to stand in the file."""
    mark = locate(source, route)
    lines = source.decode().split("\n")
    line = lines[mark.line - 1]
    lines[mark.line - 1] = line[: mark.column - 1] + text + line[mark.end - 1 :]
    return _judged(source, "\n".join(lines).encode(), route, _value(text))


def set_key(source: bytes, key: str, block: Sequence[str], order: Sequence[str]) -> bytes | Unedited:
    """Put a top-level key in its place by `order`, replace it, or with no lines take it out."""
    data, faults = read(source)
    if faults or not isinstance(data, dict):
        return Unedited("the file can't be read", "mend what `modelspec check` says first")
    lines = source.decode().split("\n")
    starts = {name: locate(source, (name,), key=True) for name in data}
    if any(mark.column != 1 for mark in starts.values()):
        return Unedited("the file is written in flow style", "write one key a line, without braces")
    if key in data:
        first = starts[key].line - 1
        lines[first : _end(lines, first, [mark.line - 1 for mark in starts.values()])] = block
    elif block:
        lines[(first := _insertion(lines, key, starts, order)) : first] = block
    wanted = _value("\n".join(block)) if block else None
    inner = wanted.get(key) if isinstance(wanted, dict) else None
    return _judged(source, "\n".join(lines).encode(), (key,), inner)


def block_of(source: bytes, key: str) -> tuple[str, ...]:
    """Return the lines of a top-level key of a file that can be read; none when it is not there.

    They are what `set_key` takes; blank lines and comments at their end belong to the next key.
    """
    data, _ = read(source)
    if not isinstance(data, dict) or key not in data:
        return ()
    lines = source.decode().split("\n")
    starts = [locate(source, (name,), key=True).line - 1 for name in data]
    first = locate(source, (key,), key=True).line - 1
    return tuple(lines[first : max(_end(lines, first, starts), first + 1)])


def put_line(source: bytes, key: str, line: str, order: Sequence[str]) -> bytes | Unedited:
    """Add an entry, one line without its indent, at the end of a top-level map or list.

    What is there keeps its bytes; a collection in flow style is written anew, as a block.
    """
    data, faults = read(source)
    node = data.get(key) if isinstance(data, dict) else None
    if faults or not isinstance(data, dict) or not isinstance(node, dict | list | None):
        return Unedited(f"{key} can't be read", "mend what `modelspec check` says first")
    block = list(block_of(source, key))
    if not node:
        block = [f"{key}:"]
    elif block[0].rstrip() != f"{key}:" and not block[0].startswith(f"{key}:  #"):
        return Unedited(f"{key} is written in flow style", "write one entry a line, without brackets")
    first = next((one for one in block[1:] if one.strip() and not one.lstrip().startswith("#")), "  x")
    indent = first[: len(first) - len(first.lstrip())]
    return set_key(source, key, [*block, indent + line], order)


def drop_line(source: bytes, key: str, name: str, order: Sequence[str]) -> bytes | Unedited:
    """Take an entry out of a top-level map; the map goes with its last one."""
    data, _ = read(source)
    node = data.get(key) if isinstance(data, dict) else None
    if not isinstance(node, dict) or name not in node:
        return source
    if len(node) == 1:
        return set_key(source, key, [], order)
    starts = sorted(locate(source, (key, one), key=True).line - 1 for one in node)
    first = locate(source, (key, name), key=True).line - 1
    if len(set(starts)) < len(starts):
        return Unedited(f"{key} is written in flow style", "write one entry a line, without brackets")
    top = locate(source, (key,), key=True).line - 1
    block = list(block_of(source, key))
    following = [start for start in starts if start > first]
    last = min(following) if following else top + len(block)
    return set_key(source, key, block[: first - top] + block[last - top :], order)


def _insertion(lines: list[str], key: str, starts: dict[str, Mark], order: Sequence[str]) -> int:
    """Return the line before which a new key goes: before the first one that comes after it in the order."""
    rank = {name: index for index, name in enumerate(order)}
    later = [
        mark.line - 1
        for name, mark in starts.items()
        if rank.get(name, len(order)) > rank.get(key, len(order))
    ]
    if later:
        return _above_comments(lines, min(later))
    # At the end, in front of the empty text behind the last line feed.
    return len(lines) - 1 if lines and not lines[-1] else len(lines)


def _end(lines: list[str], first: int, starts: list[int]) -> int:
    """Return the line after the block that begins at `first`; the comments above the next key are not its."""
    later = [start for start in starts if start > first]
    if later:
        return _above_comments(lines, min(later))
    return len(lines) - 1 if not lines[-1] else len(lines)


def _above_comments(lines: list[str], line: int) -> int:
    while line > 0 and (not lines[line - 1].strip() or lines[line - 1].startswith("#")):
        line -= 1
    return line


def _value(text: str) -> Data:
    data, faults = read(text.encode())
    if faults:
        raise AssertionError(f"an edit wrote what can't be read: {text!r}")
    return data


def _judged(before: bytes, after: bytes, route: Route, value: Data) -> bytes | Unedited:
    """Return the edited text when it says what was meant and nothing else changed."""
    was, _ = read(before)
    now, faults = read(after)
    if faults or at(now, route) != value or _without(was, route) != _without(now, route):
        return Unedited(f"{dotted(route)} can't be edited in this layout", "edit the file by hand")
    return after


def _without(data: Data, route: Route) -> Data:
    """Return the data without the node at `route`."""
    if not route or not isinstance(data, dict | list):
        return None if not route else data
    head, rest = route[0], route[1:]
    if isinstance(data, dict):
        return {
            key: _without(node, rest) if key == head else node
            for key, node in data.items()
            if key != head or rest
        }
    return [
        _without(node, rest) if index == head else node
        for index, node in enumerate(data)
        if index != head or rest
    ]
