"""Data to bytes in the formats that serving systems read: the same data gives the same bytes.

Each writer refuses what its format, or one of its common readers, can't hold; nothing is bent to fit.
Keys keep the order of the data.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal, TypeAlias, get_args

from modelspec.tree.data import Data, spelled
from modelspec.tree.place import Route, dotted
from modelspec.tree.scalars import MAX_INTEGER, plain
from modelspec.tree.text import INVISIBLE, visible
from modelspec.tree.yaml import MAX_DEPTH, MAX_NODES, MAX_SCALAR

Format = Literal["yaml", "json", "env", "toml", "textproto"]
FORMATS: Final = get_args(Format)
_Map: TypeAlias = dict[str, Data]


@dataclass(frozen=True, slots=True)
class Unfit:
    """Why a format can't hold the data: the node at `route`, and how to mend it."""

    route: Route
    message: str
    fix: str | None = None


class _Unfit(Exception):
    """The node at `route` does not fit the format; `said` goes on from its name."""

    def __init__(self, route: Route, said: str, fix: str | None = None) -> None:
        super().__init__(said)
        self.route, self.said, self.fix = route, said, fix


def serialise(data: Data, form: Format) -> bytes | Unfit:
    """Return the bytes of the data in a format, with a line feed at the end; or why it can't hold them."""
    try:
        try:
            nodes = _nodes(data, 0)
        except _Doubt:
            nodes = MAX_NODES + 1
        if nodes > MAX_NODES:
            _judge(data)
        return _WRITERS[form](data).encode()
    except _Unfit as unfit:
        where = visible(dotted(unfit.route)) or "the output"
        return Unfit(unfit.route, f"{form} can't hold this: {where} {unfit.said}", unfit.fix)


class _Doubt(Exception):
    """Something may not fit: `_judge` says what, and where."""


def _nodes(node: Any, depth: int) -> int:
    """Count the nodes of data that any format can hold; the quick way, without saying where trouble is."""
    kind = type(node)
    if kind is str:
        if not node.isascii() and _HALF.search(node):
            raise _Doubt
        return 1
    if kind is dict or kind is list:
        if depth >= MAX_DEPTH:
            raise _Doubt
        count, below = 1, depth + 1
        if kind is list:
            for item in node:
                count += _nodes(item, below)
            return count
        for key, item in node.items():
            if not key.isascii() and _HALF.search(key):
                raise _Doubt
            count += _nodes(item, below)
        return count
    if kind is bool or node is None:
        return 1
    if (kind is int and -MAX_INTEGER <= node <= MAX_INTEGER) or (kind is float and math.isfinite(node)):
        return 1
    raise _Doubt


def _judge(data: Data) -> None:
    """Refuse what no format holds: numbers without a canonical form, half a character, no end of depth."""
    stack: list[tuple[Route, Data]] = [((), data)]
    count = 0
    while stack:
        route, node = stack.pop()
        count += 1
        if count > MAX_NODES:
            raise _Unfit((), f"has more than {MAX_NODES:,} values", "split it")
        if isinstance(node, str):
            if not node.isascii() and _HALF.search(node):
                raise _Unfit(route, "has half a surrogate pair in it")
        elif isinstance(node, dict | list):
            if len(route) >= MAX_DEPTH:
                raise _Unfit(route, f"is nested deeper than {MAX_DEPTH} levels", "flatten it")
            if isinstance(node, list):
                stack.extend(((*route, index), child) for index, child in enumerate(node))
                continue
            for key, child in node.items():
                if not key.isascii() and _HALF.search(key):
                    raise _Unfit((*route, key), "has half a surrogate pair in its key")
                stack.append(((*route, key), child))
        elif isinstance(node, int):
            if abs(node) > MAX_INTEGER:
                raise _Unfit(
                    route, f"is beyond ±{MAX_INTEGER}, where numbers are no longer exact", "write text"
                )
        elif isinstance(node, float) and not math.isfinite(node):
            raise _Unfit(route, "is no finite number")


_HALF: Final = re.compile("[\ud800-\udfff]")


# JSON


def pretty(data: Data) -> str:
    """Return data of ours, which is known to be sound, as JSON."""
    out: list[str] = []
    _json_node(data, "\n", out)
    return "".join(out) + "\n"


def _json_node(node: Data, start: str, out: list[str]) -> None:
    """Write a node as `json.dumps(..., indent=2)` does, in a third of its time; `start` begins its lines."""
    if type(node) is str:
        out.append(_quoted(node))
    elif type(node) is dict and node:
        inner, lead = start + "  ", "{"
        for key, value in node.items():
            out.append(f"{lead}{inner}{_quoted(key)}: ")
            _json_node(value, inner, out)
            lead = ","
        out.append(start + "}")
    elif type(node) is list and node:
        inner, lead = start + "  ", "["
        for value in node:
            out.append(lead + inner)
            _json_node(value, inner, out)
            lead = ","
        out.append(start + "]")
    else:
        out.append(json.dumps(node))


_quoted: Final = json.encoder.encode_basestring
"""A text in quotes, as `json.dumps(..., ensure_ascii=False)` writes it."""


# YAML: block style, one line a scalar, quoted wherever any reader could take it for something else.

_BARE: Final = re.compile(
    r"[A-Za-z_][A-Za-z0-9_./+@-]*(?::(?![\s:])[A-Za-z0-9_./+@-]+)*(?: [A-Za-z0-9_./+@-]+)*"
)
_UNSEEN: Final = re.compile(f"[{INVISIBLE}]")
_MAX_KEY: Final = 1000
"""libyaml finds a key only within 1,024 characters."""


def _yaml(data: Data) -> str:
    out: list[str] = []
    if type(data) is dict and data:
        _yaml_map(data, "", "", (), out)
    elif type(data) is list and data:
        _yaml_list(data, "", "", (), out)
    else:
        out.append(_yaml_leaf(data, ()) + "\n")
    return "".join(out)


def _yaml_map(data: _Map, first: str, indent: str, route: Route, out: list[str]) -> None:
    """Write a map; `first` begins its first line (`- ` in a list), `indent` the others."""
    for key, value in data.items():
        here = (*route, key)
        head = first + _yaml_key(key, here)
        first = indent
        if type(value) is dict and value:
            out.append(head + ":\n")
            _yaml_map(value, indent + "  ", indent + "  ", here, out)
        elif type(value) is list and value:
            out.append(head + ":\n")
            _yaml_list(value, indent + "  ", indent + "  ", here, out)
        else:
            out.append(f"{head}: {_yaml_leaf(value, here)}\n")


def _yaml_list(data: list[Data], first: str, indent: str, route: Route, out: list[str]) -> None:
    for index, value in enumerate(data):
        here = (*route, index)
        if type(value) is dict and value:
            _yaml_map(value, first + "- ", indent + "  ", here, out)
        elif type(value) is list and value:
            _yaml_list(value, first + "- ", indent + "  ", here, out)
        else:
            out.append(f"{first}- {_yaml_leaf(value, here)}\n")
        first = indent


def _yaml_leaf(value: Data, route: Route) -> str:
    if type(value) is str:
        written = _yaml_text(value)
        if not written:
            raise _Unfit(route, _trouble(value))
        return written
    if value == {} or value == []:
        return "{}" if type(value) is dict else "[]"
    if type(value) is float:
        text = repr(value)
        return text if "." in text else text.replace("e", ".0e")
    return "null" if value is None else spelled(value)


def _yaml_key(key: str, route: Route) -> str:
    written = _yaml_text(key)
    if not written:
        raise _Unfit(route, f"as a key {_trouble(key)}")
    if len(written) > _MAX_KEY:
        raise _Unfit(route, f"as a key has {len(key):,} characters; the limit is {_MAX_KEY:,}")
    return written


@lru_cache(maxsize=4096)
def _yaml_text(text: str) -> str:
    """Return a text as a YAML scalar on one line; "" when there is none (see `_trouble`)."""
    if len(text) > MAX_SCALAR:
        return ""
    if _BARE.fullmatch(text) and plain(text) == text:
        return text
    if _UNSEEN.search(text):
        return ""
    if "\t" not in text:
        return json.dumps(text, ensure_ascii=False)
    return "" if "\n" in text else "'" + text.replace("'", "''") + "'"


def _trouble(text: str) -> str:
    """Say why there is no YAML scalar for a text."""
    unseen = _UNSEEN.search(text)
    if unseen is not None:
        return f"has the invisible character {visible(unseen.group())}, which the reader refuses"
    if len(text) > MAX_SCALAR:
        return f"has {len(text):,} characters; the limit is {MAX_SCALAR:,}"
    return "has both a tab and a line feed, which readers of YAML do not agree on"


# env: the part that docker, systemd and dotenv read alike.

_ENV_KEY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ENV_DISPUTED: Final = re.compile(r"""[\x00-\x1f\x7f"'\\$`#]|^\s|\s$""")


def _env(data: Data) -> str:
    if type(data) is not dict:
        raise _Unfit((), "is no map", "write `KEY: value` lines")
    return "".join(_env_lines(data))


def _env_lines(data: _Map) -> Iterator[str]:
    for key, value in data.items():
        if not _ENV_KEY.fullmatch(key):
            raise _Unfit((key,), "is no name of a variable", "use letters, digits and `_`")
        if type(value) in (dict, list) or value is None:
            raise _Unfit((key,), "is no text, number or truth value")
        text = spelled(value)
        disputed = _ENV_DISPUTED.search(text)
        if disputed is not None:
            raise _Unfit(
                (key,), f"has {visible(repr(disputed.group()))}, which readers of env files take differently"
            )
        yield f"{key}={text}\n"


# TOML 1.0

_TOML_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")


def _toml(data: Data) -> str:
    if type(data) is not dict:
        raise _Unfit((), "is no map")
    return "".join(_toml_table(data, ())).lstrip("\n")


def _toml_table(data: _Map, route: Route) -> Iterator[str]:
    """Yield the lines of a table: its own values first, since what follows a header belongs to it."""
    tables: list[tuple[str, list[_Map], str]] = []
    for key, value in data.items():
        if type(value) is dict:
            tables.append((key, [value], "[{}]"))
        elif type(value) is list and value and all(type(item) is dict for item in value):
            tables.append((key, value, "[[{}]]"))  # type: ignore[arg-type]
        else:
            yield f"{_toml_key(key)} = {_toml_value(value, (*route, key))}\n"
    for key, rows, header in tables:
        name = ".".join(_toml_key(str(part)) for part in (*route, key) if type(part) is str)
        for row in rows:
            yield f"\n{header.format(name)}\n"
            yield from _toml_table(row, (*route, key))


def _toml_key(key: str) -> str:
    return key if _TOML_KEY.fullmatch(key) else _toml_text(key)


def _toml_text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _toml_value(value: Data, route: Route) -> str:
    if value is None:
        raise _Unfit(route, "is null, which TOML has not", "leave the key out")
    if type(value) is str:
        return _toml_text(value)
    if type(value) is list:
        return f"[{', '.join(_toml_value(item, (*route, index)) for index, item in enumerate(value))}]"
    if type(value) is dict:
        inner = ", ".join(
            f"{_toml_key(key)} = {_toml_value(item, (*route, key))}" for key, item in value.items()
        )
        return f"{{{inner}}}"
    return spelled(value)


# Protobuf's text format: a map is a message, a list a repeated field, `{$enum: NAME}` a name without quotes.

_PROTO_KEY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
ENUM: Final = "$enum"
"""The only key of a map that stands for the name of an enum's value."""


def _textproto(data: Data) -> str:
    if type(data) is not dict:
        raise _Unfit((), "is no map", "write the fields of a message")
    return "".join(_proto_message(data, "", ()))


def _proto_message(data: _Map, indent: str, route: Route) -> Iterator[str]:
    for key, value in data.items():
        here = (*route, key)
        if not _PROTO_KEY.fullmatch(key):
            raise _Unfit(here, "is no name of a field", "a proto map is a list of {key, value}")
        for index, item in enumerate(value) if type(value) is list else [(None, value)]:
            there = here if index is None else (*here, index)
            if type(item) is dict and ENUM not in item:
                yield f"{indent}{key} {{\n"
                yield from _proto_message(item, indent + "  ", there)
                yield f"{indent}}}\n"
            else:
                yield f"{indent}{key}: {_proto_scalar(item, there)}\n"


def _proto_scalar(value: Data, route: Route) -> str:
    if type(value) is dict:
        name = value[ENUM]
        if len(value) != 1 or type(name) is not str or not _PROTO_KEY.fullmatch(name):
            raise _Unfit(route, f"has a {ENUM} that is no name, or other keys beside it")
        return name
    if type(value) is list:
        raise _Unfit(route, "is a list in a list, which a message can't hold")
    if value is None:
        raise _Unfit(route, "is null, which a message can't hold", "leave the field out")
    return _proto_text(value) if type(value) is str else spelled(value)


def _proto_text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return '"' + re.sub(r"[\x00-\x1f\x7f]", lambda match: f"\\{ord(match.group()):03o}", escaped) + '"'


_WRITERS: Final[dict[Format, Callable[[Data], str]]] = {
    "yaml": _yaml,
    "json": pretty,
    "env": _env,
    "toml": _toml,
    "textproto": _textproto,
}
