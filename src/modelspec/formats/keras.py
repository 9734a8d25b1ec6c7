"""Whether what Keras wrote brings code along: lambda layers, and names of functions that are not Keras's."""

from __future__ import annotations

import json
import re
from typing import Any, BinaryIO, Final

_STEP: Final = 1024 * 1024
_LONGEST: Final = 128
_DEPTH: Final = 200
_OWN: Final = re.compile(r"(?:tensorflow\.(?:python\.)?|tf_)?keras(?:\..*)?")


def _escaped(word: str) -> str:
    return "".join(rf"(?:{one}|\\u00(?i:{ord(one):02x}))" for one in word)


_LAMBDA: Final = re.compile(f"{_escaped('Lambda')}|{_escaped('__lambda__')}".encode())


def has_lambda(stream: BinaryIO) -> bool:
    """Whether the rest of an HDF5 file speaks of a lambda, also in the escapes of JSON."""
    tail = b""
    while chunk := stream.read(_STEP):
        both = tail + chunk
        # A search for plain bytes is ten times as fast as one for a pattern.
        plain = b"Lambda" in both or b"__lambda__" in both
        if plain or (b"\\u00" in both and _LAMBDA.search(both)):
            return True
        tail = chunk[-_LONGEST:]
    return False


def code_in(config: bytes) -> str | None:
    """Say what code a `config.json` brings along; None for a model of Keras's own layers."""
    try:
        return _code(json.loads(config), 0)
    except (ValueError, RecursionError):
        return "a configuration that can't be read"


def _code(node: Any, depth: int) -> str | None:
    if depth > _DEPTH:
        return "a configuration that is too deep to look at"
    if isinstance(node, list):
        return next((told for one in node if (told := _code(one, depth + 1)) is not None), None)
    if not isinstance(node, dict):
        return None
    if node.get("class_name") in ("Lambda", "__lambda__"):
        return "a lambda layer, which is code"
    module = node.get("module")
    if isinstance(module, str) and "class_name" in node and _OWN.fullmatch(module) is None:
        return "a layer or function that is not Keras's own, whose module is imported"
    return next((told for one in node.values() if (told := _code(one, depth + 1)) is not None), None)
