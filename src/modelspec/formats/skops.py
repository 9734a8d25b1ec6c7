"""What a skops file says of its model: the schema beside its arrays, which is JSON. Nothing is made of it."""

from __future__ import annotations

import re
import zipfile
from typing import Any, Final

from modelspec.formats.foreign import Unreadable
from modelspec.formats.strictjson import read_json
from modelspec.tree.data import Data

SCHEMA: Final = "schema.json"
_LIMIT: Final = 2 * 1024 * 1024
"""The most bytes of a schema that is read: one of thousands of trees takes ten times its size in memory."""
_COUNT: Final = re.compile(r"[0-9]{1,9}")
_RELEASE: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+-]{0,63}")


def observed(archive: zipfile.ZipFile) -> dict[str, Data]:
    """Return what a version file keeps of it; what is longer, or of another shape, tells nothing."""
    with archive.open(SCHEMA) as stream:
        source = stream.read(_LIMIT + 1)
    try:
        schema: Any = read_json(source) if len(source) <= _LIMIT else None
    except Unreadable:
        return {}
    release = schema.get("_skops_version") if isinstance(schema, dict) else None
    if not isinstance(release, str) or not _RELEASE.fullmatch(release):
        return {}
    found: dict[str, Data] = {"producer": f"skops {release}"}
    first = _first(schema)
    width = _plain(first.get("n_features_in_"))
    if width is not None and _COUNT.fullmatch(width):
        found["width"] = int(width)
    named = first.get("feature_names_in_")
    names = [_plain(one) for one in _items(named)]
    if names and all(one is not None and len(one) > 2 and one[0] == '"' for one in names):
        found["names"] = [_text(one) for one in names if one is not None]
    return found


def _first(node: Any) -> dict[str, Any]:
    """Return the attributes of the object that is given the rows: of a pipeline, those of its first step."""
    for _ in range(8):
        state = node.get("content") if isinstance(node, dict) else None
        own = state.get("content") if isinstance(state, dict) else None
        if not isinstance(own, dict):
            return {}
        if node.get("__class__") != "Pipeline":
            return own
        step = next(iter(_items(own.get("steps"))), None)
        node = next(iter(_items(step)[1:]), None)
    return {}


def _items(node: Any) -> list[Any]:
    found = node.get("content") if isinstance(node, dict) else None
    return found if isinstance(found, list) else []


def _plain(node: Any) -> str | None:
    """Return the JSON text of a number or a text, as skops keeps both."""
    found = node.get("content") if isinstance(node, dict) and node.get("__loader__") == "JsonNode" else None
    return found if isinstance(found, str) else None


def _text(source: str) -> str:
    found = read_json(source.encode())
    return found if isinstance(found, str) else ""
