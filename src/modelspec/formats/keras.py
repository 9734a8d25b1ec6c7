"""Whether what Keras wrote brings code along: lambda layers, and names of functions that are not Keras's."""

from __future__ import annotations

import json
import re
from typing import Any, BinaryIO, Final

_STEP: Final = 1024 * 1024
_LONGEST: Final = 1024
_DEPTH: Final = 200
_OWN: Final = re.compile(r"(?:tensorflow\.(?:python\.)?|tf_)?keras(?:\..*)?")


_CODE: Final = {
    "Lambda": "a lambda layer, which is code",
    "__lambda__": "a lambda layer, which is code",
    "TorchModuleWrapper": "a wrapped torch module, which is a pickle",
}
_FOREIGN: Final = "a layer or function that is not Keras's own, whose module is imported"


def _escaped(word: str) -> str:
    return "".join(rf"(?:{one}|\\u00(?i:{ord(one):02x}))" for one in word)


_LAMBDA: Final = re.compile("|".join(map(_escaped, _CODE)).encode())
_MODULE: Final = re.compile(f'"{_escaped("module")}"'.encode())
_KERAS: Final = re.compile(
    rb'\s{0,64}:\s{0,64}(?:null|"(?:tensorflow\.(?:python\.)?|tf_)?keras(?:\.[A-Za-z0-9_.]{0,200})?")'
)


def code_in_hdf5(stream: BinaryIO) -> str | None:
    """Say what code the rest of an HDF5 file brings along, by the JSON in it, also in its escapes."""
    tail = b""
    while True:
        chunk = stream.read(_STEP)
        both = tail + chunk
        # A search for plain bytes is ten times as fast as one for a pattern.
        escapes = b"\\u00" in both
        for word, why in _CODE.items():
            if word.encode() in both:
                return why
        if escapes and _LAMBDA.search(both):
            return _CODE["Lambda"]
        if (escapes or b'"module"' in both) and _module(both, chunk):
            return _FOREIGN
        if not chunk:
            return None
        tail = both[-_LONGEST:]


def _module(both: bytes, chunk: bytes) -> bool:
    """Whether a module is named that is not Keras's; one at the end is looked at with what follows."""
    whole = len(both) - _LONGEST // 2 if chunk else len(both)
    return any(
        match.start() < whole and _KERAS.match(both, match.end()) is None for match in _MODULE.finditer(both)
    )


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
    if isinstance(name := node.get("class_name"), str) and name.rpartition(">")[2] in _CODE:
        return _CODE[name.rpartition(">")[2]]
    module = node.get("module")
    if isinstance(module, str) and "class_name" in node and _OWN.fullmatch(module) is None:
        return _FOREIGN
    return next((told for one in node.values() if (told := _code(one, depth + 1)) is not None), None)
