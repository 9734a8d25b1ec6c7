"""A new file laid out as people do it: components as blocks, small maps on a line, quotes where needed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from modelspec.tree.data import Data
from modelspec.tree.serialise import Unfit, serialise
from modelspec.tree.yaml import read

_WIDTH: Final = 130
"""The longest line of a map: one with a path, a size and a digest fits."""
_LIST: Final = 100
_BLOCKS: Final = frozenset(
    ["artifact", "code", "dataset", "runtime", "config", "signature", "observed", "files", "inputs",
     "outputs", "request", "features", "thresholds", "needs"]
)  # fmt: skip
_SCALAR: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./+@-]*(?::(?:/{2})?[A-Za-z0-9_./+@-]+)*")
_PLAIN: Final = re.compile(r"sha256:[0-9a-f]{64}|[A-Za-z0-9][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_.-]+)+")
"""Texts of `_SCALAR` that no reader takes for anything else: a digest, and what has a slash in it."""


def laid_out(data: dict[str, Data]) -> bytes:
    """Return the file of a document; raises ValueError for a value that no file can hold, and says which."""
    try:
        return "".join(f"{line}\n" for line in _map(data, "")).encode()
    except ValueError:
        # Found in one value by itself: of the whole document it is said where that is.
        done = serialise(data, "yaml")
        if isinstance(done, Unfit):
            raise ValueError(done.message) from None
        raise


def flow(node: Data) -> str:
    """Return data on one line; a text is quoted wherever any reader could take it for something else."""
    if isinstance(node, dict):
        return "{" + ", ".join(f"{flow(key)}: {flow(value)}" for key, value in node.items()) + "}"
    if isinstance(node, list):
        return "[" + ", ".join(flow(one) for one in node) + "]"
    if isinstance(node, str) and (_PLAIN.fullmatch(node) or (_SCALAR.fullmatch(node) and _same(node))):
        return node
    done = serialise(node, "yaml")
    if isinstance(done, Unfit):
        raise ValueError(done.message)
    return done.decode().removesuffix("\n")


@lru_cache(maxsize=256)
def _same(text: str) -> bool:
    data, faults = read(f"[{text}]\n".encode())
    return not faults and data == [text]


def _map(data: dict[str, Data], indent: str) -> Iterator[str]:
    for key, node in data.items():
        head = f"{indent}{flow(key)}:"
        if key == "description" and not indent and isinstance(node, str) and "\n" not in node:
            yield f"{head} {_prose(node)}"
        elif isinstance(node, dict) and node and not _short(key, node, indent):
            yield head
            yield from _map(node, indent + "  ")
        elif isinstance(node, list) and node and not _short(key, node, indent):
            yield head
            for one in node:
                yield from _item(one, indent + "  ")
        else:
            yield f"{head} {flow(node)}"


def _prose(text: str) -> str:
    """Return a sentence without quotes where it reads as itself, as people write it."""
    data, faults = read(f"text: {text}\n".encode("utf-8", "surrogatepass"))
    return text if not faults and data == {"text": text} and text[0].isalnum() else flow(text)


def _item(node: Data, indent: str) -> Iterator[str]:
    line = f"{indent}- {flow(node)}"
    if len(line) <= _WIDTH or not isinstance(node, dict) or not node:
        yield line
        return
    first, *rest = _map(node, indent + "  ")
    yield f"{indent}- {first.lstrip()}"
    yield from rest


def _short(key: str, node: Data, indent: str) -> bool:
    """Whether it stands on the line of its key."""
    if key in _BLOCKS and not (isinstance(node, dict) and "unknown" in node):
        return False
    limit = _LIST if isinstance(node, list) else _WIDTH
    return len(indent) + len(key) + 2 + len(flow(node)) <= limit
