"""The JSON Schema of each kind, for editors and other tools: what the models demand, with their words."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from itertools import pairwise
from typing import Any, Final

from modelspec.spec.base import API, WANTED, Value
from modelspec.spec.kinds import KINDS, Kind
from modelspec.spec.model import COMPONENTS
from modelspec.spec.trust import Signer

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]
_ORDER: Final = ("$schema", "$id", "title", "description", "type", "required", "properties")


def json_schema(name: str) -> Schema:
    """Return the JSON Schema (draft 2020-12) of the kind `name`, such as `Pin`; KeyError for no kind.

    Stricter than the reader in one point: it requires the six components of a version, whose absence is
    judged by rules of their own. Laxer in one: JSON can't tell 120.0 from 120.
    """
    kind = by_name()[name]
    made = kind.value.model_json_schema(by_alias=True)
    definitions: Schema = made.pop("$defs", {})
    root = _object(made, _docs()[made["title"]])
    root["title"] = kind.doc
    if kind.name == "ModelVersion":
        root["required"] = [key for key in root["properties"] if key in (*root["required"], *COMPONENTS)]
    schema = {"$schema": DIALECT, "$id": f"urn:{API.replace('/', ':')}:{kind.name}", **root}
    if definitions:
        schema["$defs"] = {title: _object(one, _docs()[title]) for title, one in sorted(definitions.items())}
    return {key: schema[key] for key in (*_ORDER, *schema) if key in schema}


def by_name() -> dict[str, Kind[Any]]:
    """Return the kinds by their names."""
    return {kind.name: kind for kind in KINDS.values()}


def _object(schema: Schema, docs: dict[str, str]) -> Schema:
    """Return the schema of one model, each key with what the model's source says of it."""
    clean: Schema = _clean(schema)
    for key, part in clean["properties"].items():
        form = [f"It is {part['description']}."] if "description" in part else []
        said = " ".join([*([docs[key]] if key in docs else []), *form])
        clean["properties"][key] = {"description": said, **_without(part, "description")}
    return clean


def _without(schema: Schema, *keys: str) -> Schema:
    return {key: value for key, value in schema.items() if key not in keys}


def _clean(node: Any) -> Any:
    """Drop what pydantic adds and the reader refuses (null), and say what patterns ask for in words."""
    if isinstance(node, list):
        return [_clean(item) for item in node]
    if not isinstance(node, dict):
        return node
    arms = [arm for arm in node.get("anyOf", ()) if arm != {"type": "null"}]
    if len(arms) == 1:
        return _clean({**_without(node, "anyOf"), **arms[0]})
    found: Schema = {
        key: _properties(value) if key == "properties" else _clean(value)
        for key, value in node.items()
        if not (key == "default" and value in (None, [], {})) and not (key == "title" and "type" not in node)
    }
    if arms:
        found["anyOf"] = [_clean(arm) for arm in arms]
    if "pattern" in found:
        found["description"] = WANTED[found["pattern"]]
    if "patternProperties" in found:
        found["additionalProperties"] = False
    return found


def _properties(properties: Schema) -> Schema:
    # Its titles are the keys in capitals: an editor shows the key already.
    return {key: _clean(_without(value, "title")) for key, value in properties.items()}


@cache
def _docs() -> dict[str, dict[str, str]]:
    """Return class -> key -> the text below its line in the source, for the models of all kinds."""
    said: dict[str, dict[str, str]] = {}
    # Models of base.py come first: the kinds' own inherit from them.
    shared = (Value.__module__, Signer.__module__)
    for module in dict.fromkeys([*shared, *(kind.value.__module__ for kind in KINDS.values())]):
        for node in ast.parse(inspect.getsource(import_module(module))).body:
            if isinstance(node, ast.ClassDef):
                inherited = [said.get(base.id, {}) for base in node.bases if isinstance(base, ast.Name)]
                said[node.name] = {key: text for one in inherited for key, text in one.items()}
                said[node.name] |= dict(_attribute_docs(node))
    return said


def _attribute_docs(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for line, after in pairwise(node.body):
        if not (isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name)):
            continue
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            aliases = [word.value for word in getattr(line.value, "keywords", []) if word.arg == "alias"]
            key = ast.literal_eval(aliases[0]) if aliases else line.target.id
            yield key, ast.literal_eval(after.value)
