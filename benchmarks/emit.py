"""Writes data as the YAML that a person would: block maps outside, one-line maps and lists inside."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, TypeAlias

from modelspec.tree.data import Data
from modelspec.tree.scalars import plain

Map: TypeAlias = "dict[str, Any]"

_PLAIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/@%+ -]|:(?=[^ ]))*")
_WIDE = 100
"""Characters: what is longer on one line gets one line for each item."""


def document(data: Map) -> bytes:
    """Return a map as a YAML document."""
    lines: list[str] = []
    _block(data, "", lines)
    lines.append("")
    return "\n".join(lines).encode()


def _block(data: Map, indent: str, lines: list[str]) -> None:
    for key, value in data.items():
        kind = type(value)
        if kind is dict:
            _put_map(f"{indent}{key}:", value, indent, lines)
        elif kind is list:
            _put_list(f"{indent}{key}:", value, indent, lines)
        else:
            lines.append(f"{indent}{key}: {_scalar(value)}")


def _put_map(head: str, value: Map, indent: str, lines: list[str]) -> None:
    if indent and _is_flat(value) and len(line := f"{head} {_flow(value)}") <= _WIDE:
        lines.append(line)
    else:
        lines.append(head)
        _block(value, indent + "  ", lines)


def _put_list(head: str, value: list[Data], indent: str, lines: list[str]) -> None:
    inner = indent + "  "
    if _is_names(value) and len(line := f"{head} {_flow(value)}") <= _WIDE:
        lines.append(line)
        return
    lines.append(head)
    for item in value:
        if type(item) is dict and (not _is_flat(item) or len(_flow(item)) > 2 * _WIDE):
            start = len(lines)
            _block(item, inner + "  ", lines)
            lines[start] = f"{inner}- {lines[start][len(inner) + 2 :]}"
        else:
            lines.append(f"{inner}- {_flow(item)}")


def _is_flat(value: Map) -> bool:
    return dict not in map(type, value.values())


def _is_names(value: list[Data]) -> bool:
    return dict not in map(type, value)


def _flow(value: Data) -> str:
    if type(value) is dict:
        return "{" + ", ".join([f"{key}: {_flow(item)}" for key, item in value.items()]) + "}"
    if type(value) is list:
        return "[" + ", ".join([_flow(item) for item in value]) + "]"
    return _scalar(value)


def _scalar(value: Data) -> str:
    if type(value) is str:
        return _text(value)
    if type(value) is bool:
        return "true" if value else "false"
    return str(value)


@lru_cache(maxsize=8192)
def _text(value: str) -> str:
    """Only what every reader of YAML takes for text stands without quotes."""
    return value if _PLAIN.fullmatch(value) and plain(value) == value else f'"{value}"'
