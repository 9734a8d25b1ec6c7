"""JSON Schemas of targets: compiled once, judged in words. No schema reaches beyond its own file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import jsonschema_rs

from modelspec.tree.data import Data, at, spelled
from modelspec.tree.place import Route, dotted
from modelspec.tree.text import did_you_mean, visible

MAX_TROUBLES: Final = 20
"""More troubles than this in one document help nobody."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Where a document does not fit its schema (`key`: it is the key that does not), and how to mend it."""

    route: Route
    message: str
    fix: str | None = None
    key: bool = False


class Schema:
    """A JSON Schema, ready to judge."""

    def __init__(self, schema: dict[str, Any], validator: jsonschema_rs.Validator) -> None:
        self._schema = schema
        self._validator = validator

    def troubles(self, data: Data) -> list[Trouble]:
        """Return what does not fit, in the order of the schema."""
        if self._validator.is_valid(data):
            return []
        found: list[Trouble] = []
        for error in self._validator.iter_errors(data):
            found += _troubles(error, self._schema)
            if len(found) >= MAX_TROUBLES:
                break
        return found[:MAX_TROUBLES]


def compiled(source: bytes) -> Schema | str:
    """Return the schema in a JSON file, or why it holds none.

    A reference out of the file is refused, not fetched; patterns run in linear time.
    """
    try:
        schema = json.loads(source, object_pairs_hook=_once)
    except RecursionError:
        return "it is nested too deep"
    except ValueError as error:
        return f"it is no JSON: {visible(str(error))}"
    if not isinstance(schema, dict):
        return "it is no map"
    outside: list[str] = []

    def refuse(uri: str, /) -> Any:
        outside.append(uri)
        raise ValueError(uri)

    try:
        validator = jsonschema_rs.validator_for(
            schema, retriever=refuse, pattern_options=jsonschema_rs.RegexOptions()
        )
    except (jsonschema_rs.ReferencingError, jsonschema_rs.ValidationError, ValueError) as error:
        if outside:
            return f"it refers to {visible(outside[0])}, which is outside of this file"
        first, _, _ = str(error).partition("\n")
        return f"it is no JSON Schema: {visible(first, limit=160)}"
    return Schema(schema, validator)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice} stands there twice")
    return found


def _troubles(error: jsonschema_rs.ValidationError, schema: dict[str, Any]) -> Iterator[Trouble]:
    route: Route = tuple(error.instance_path)
    where = visible(dotted(route)) or "the whole"
    found = f"; found {_shown(error.instance)}"
    match error.kind:
        case _Kinds.AdditionalProperties(unexpected) | _Kinds.UnevaluatedProperties(unexpected):
            known = _known_keys(schema, error.schema_path)
            inside = f" in {visible(dotted(route))}" if route else ""
            for key in unexpected:
                near = did_you_mean(key, known)
                fix = near or (f"known here: {', '.join(map(visible, known))}" if known else "remove it")
                yield Trouble((*route, key), f"the key {visible(key)}{inside} is unknown", fix, key=True)
        case _Kinds.Required(missing):
            name = visible(str(missing))
            yield Trouble(route, f"{visible(dotted((*route, str(missing))))} is missing", f"add `{name}:`")
        case _Kinds.Enum(list(options)):
            words = [str(option) for option in options]
            meant = did_you_mean(str(error.instance), words)
            yield Trouble(route, f"{where} is one of {visible(', '.join(words))}{found}", meant)
        case _Kinds.Type(types):
            text = f"; found the text {visible(error.instance)}" if isinstance(error.instance, str) else found
            yield Trouble(route, f"{where} is {' or '.join(_WORDS[one] for one in types)}{text}")
        case _Kinds.Minimum(limit):
            yield Trouble(route, f"{where} is at least {limit}{found}")
        case _Kinds.Maximum(limit):
            yield Trouble(route, f"{where} is at most {limit}{found}")
        case _Kinds.Pattern(pattern):
            yield Trouble(route, f"{where} does not match {visible(pattern)}{found}")
        case _:
            yield Trouble(route, f"{where} does not fit: {visible(error.message)}")


_Kinds: Final = jsonschema_rs.ValidationErrorKind
_WORDS: Final = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a map",
    "null": "nothing",
}


def _shown(value: Any) -> str:
    if isinstance(value, dict | list):
        return "a map" if isinstance(value, dict) else "a list"
    return visible(spelled(value)) or ("nothing" if value is None else "an empty text")


def _known_keys(schema: dict[str, Any], path: list[str | int]) -> list[str]:
    """Return the keys that the part of the schema which refused one does know."""
    node: Any = schema
    for part in path[:-1]:
        node = node.get(part) if isinstance(node, dict) else None
        if part == "$ref" and isinstance(node, str):
            node = at(schema, tuple(node.removeprefix("#/").split("/")))
    properties = node.get("properties") if isinstance(node, dict) else None
    return sorted(properties) if isinstance(properties, dict) else []
