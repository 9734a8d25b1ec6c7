"""A feature schema as a new file, laid out as people do it: a key a line, what is in it in flow style."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from modelspec.formats.foreign import Imported
from modelspec.tree.data import Data
from modelspec.tree.serialise import Unfit, serialise
from modelspec.tree.text import visible

_SERVER: Final = "# yaml-language-server: $schema=../../../.modelspec/schemas/{}.json"


def schema_file(
    imported: Imported, fields: Sequence[Mapping[str, Data]], view: str, number: int, comments: Sequence[str]
) -> bytes:
    """Return the file of a schema with these fields; `comments` stand above it, a line each."""
    lines = [f"# {visible(line, 400)}" for line in comments]
    lines += ["apiVersion: modelspec/v1", "kind: FeatureSchema", f"view: {_flow(view)}", f"number: {number}"]
    for key in ("description", "entity", "freshness"):
        value = getattr(imported, key)
        if value is not None:
            lines.append(f"{key}: {_flow(value)}")
    lines.append("fields:")
    for field in fields:
        lines += _field(field)
    return ("\n".join(lines) + "\n").encode()


def view_file(view: str, owner: str, description: str | None) -> bytes:
    """Return the file of a new view; it promises nothing of the next schema (`compatibility: NONE`)."""
    lines = [
        "apiVersion: modelspec/v1",
        "kind: FeatureView",
        f"view: {_flow(view)}",
        f"owner: {_flow(owner)}",
    ]
    if description is not None:
        lines.append(f"description: {_flow(description)}")
    lines.append("compatibility: NONE")
    return ("\n".join(lines) + "\n").encode()


def served_by(kind: str, text: bytes) -> bytes:
    """Return a file with the line that tells editors its JSON Schema, as `init` writes it."""
    return f"{_SERVER.format(kind)}\n".encode() + text


def _field(field: Mapping[str, Data]) -> Iterator[str]:
    start = "  - "
    for key, value in field.items():
        yield f"{start}{key}: {_flow(value)}"
        start = "    "


def _flow(node: Data) -> str:
    """Return data on one line; a text is quoted wherever any reader could take it for something else."""
    if isinstance(node, dict):
        return "{" + ", ".join(f"{_flow(key)}: {_flow(value)}" for key, value in node.items()) + "}"
    if isinstance(node, list):
        return "[" + ", ".join(_flow(one) for one in node) + "]"
    written = serialise(node, "yaml")
    if isinstance(written, Unfit):
        raise AssertionError(f"a value of an import that no file can hold: {written.message}")
    return written.decode().removesuffix("\n")
