"""A JSON Schema of an object: each property is a field."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from modelspec.formats.foreign import MAX_CATEGORIES, Draft, Imported, Unreadable, words
from modelspec.formats.strictjson import read_json
from modelspec.tree.data import Data
from modelspec.tree.text import visible

Map = dict[str, Data]
_TYPES: Final = {"integer": "int64", "number": "float64", "string": "string", "boolean": "bool"}
_FORMATS: Final = {
    ("integer", "int32"): "int32", ("integer", "int64"): "int64", ("integer", "uint32"): "uint32",
    ("integer", "uint64"): "uint64", ("number", "float"): "float32", ("number", "double"): "float64",
    ("string", "date"): "date", ("string", "date-time"): "timestamp", ("string", "byte"): "bytes",
    ("string", "binary"): "bytes",
}  # fmt: skip
_READ: Final = frozenset(
    ["$ref", "type", "format", "title", "description", "enum", "const", "default", "minimum", "maximum",
    "exclusiveMinimum", "exclusiveMaximum", "items", "minItems", "maxItems", "anyOf", "oneOf", "allOf",
    "nullable", "properties", "required", "$schema", "$id", "id", "$defs", "definitions", "$comment",
    "additionalProperties", "examples", "deprecated", "readOnly", "writeOnly", "prefixItems"]
)  # fmt: skip
_MAX_STEPS: Final = 50_000
_MAX_DEPTH: Final = 32


@dataclass(frozen=True, slots=True)
class _Property:
    """A property on its way to a field. `seen`: the references that led to it."""

    name: str
    nullable: bool
    shape: tuple[int, ...] = ()
    seen: frozenset[str] = frozenset()
    depth: int = 0


def from_json_schema(source: bytes) -> Imported:
    """Return the properties of an object as fields; raises Unreadable."""
    schema = read_json(source)
    if not isinstance(schema, dict):
        raise Unreadable("a JSON Schema is a map")
    return _Reading(schema).run()


class _Reading:
    """One schema, its references and the draft that is made of it."""

    def __init__(self, root: Map) -> None:
        self._root = root
        self._draft = Draft("a JSON Schema")
        self._steps = 0

    def run(self) -> Imported:
        start = _Property("", nullable=False)
        here, schema = self._resolved(start, self._root)
        if schema is None or not isinstance(schema.get("properties"), dict):
            raise Unreadable("it describes no object with `properties`", "a view is imported from an object")
        described = schema.get("description") or schema.get("title")
        self._draft.description = described if isinstance(described, str) else None
        self._object(here, schema)
        return self._draft.finish()

    def _object(self, here: _Property, schema: Map) -> None:
        properties, required = schema["properties"], schema.get("required")
        if not isinstance(properties, dict):
            raise Unreadable(f"the properties of {visible(here.name) or 'the schema'} are no map")
        listed = required if isinstance(required, list) else []
        for name, one in properties.items():
            whole = f"{here.name}.{name}" if here.name else name
            step = replace(
                here, name=whole, nullable=here.nullable or name not in listed, depth=here.depth + 1
            )
            self._property(step, one)
        others = sorted(schema.keys() - _READ)
        if others:
            told = f"{visible(here.name) or 'the schema'}: {words(others)} is not read"
            self._draft.note(None, told)

    def _property(self, here: _Property, schema: Data) -> None:
        self._steps += 1
        if self._steps > _MAX_STEPS:
            raise Unreadable(f"its references unfold to more than {_MAX_STEPS:,} properties")
        if here.depth > _MAX_DEPTH:
            raise Unreadable(f"its objects are nested deeper than {_MAX_DEPTH} levels")
        found, resolved = self._resolved(here, schema)
        if resolved is None:
            return
        kinds = _kinds(resolved)
        if "null" in kinds or resolved.get("nullable") is True:
            found = replace(found, nullable=True)
        rest = [kind for kind in kinds if kind != "null"]
        if not rest:
            self._draft.lost(here.name, "it has no type" if not kinds else "it is only ever null")
        elif len(rest) > 1:
            self._draft.lost(here.name, f"it is {words(rest)}, and a field has one type")
        elif rest[0] == "object":
            self._nested(found, resolved)
        elif rest[0] == "array":
            self._array(found, resolved)
        elif rest[0] in _TYPES:
            self._add(found, rest[0], resolved)
        else:
            raise Unreadable(f"{visible(here.name)} has the type {visible(rest[0])}, which JSON has not")

    def _resolved(self, here: _Property, schema: Data) -> tuple[_Property, Map | None]:
        """Follow references and choices of one, down to a map with a type; None: a note tells why."""
        for _ in range(_MAX_DEPTH):
            if not isinstance(schema, dict):
                self._draft.lost(here.name, "nothing is said of it")
                return here, None
            ref = schema.get("$ref")
            if isinstance(ref, str):
                if ref in here.seen:
                    self._draft.lost(here.name, f"it holds itself, through {visible(ref)}")
                    return here, None
                here = replace(here, seen=here.seen | {ref})
                target = self._pointed(here.name, ref)
                # Copying costs what the target is long: a long one behind many references must not add up.
                self._steps += len(target or ()) // 64
                if self._steps > _MAX_STEPS:
                    raise Unreadable("its references unfold without end")
                beside = {key: value for key, value in schema.items() if key != "$ref"}
                schema = {**target, **beside} if target is not None else None
                if schema is None:
                    return here, None
                continue
            choice = next((key for key in ("anyOf", "oneOf", "allOf") if key in schema), None)
            if choice is None:
                return here, schema
            branches = schema[choice]
            listed = branches if isinstance(branches, list) else []
            rest = [one for one in listed if not _only_null(one)]
            if len(rest) < len(listed):
                here = replace(here, nullable=True)
            if len(rest) != 1 or not isinstance(rest[0], dict):
                self._draft.lost(here.name, f"it is {choice} of {len(rest)}, and a field has one type")
                return here, None
            schema = {**rest[0], **{key: value for key, value in schema.items() if key != choice}}
        self._draft.lost(here.name, "its references do not come to an end")
        return here, None

    def _pointed(self, name: str, ref: str) -> Map | None:
        if not ref.startswith("#"):
            self._draft.lost(name, f"it stands elsewhere ({visible(ref)}), and nothing is fetched")
            return None
        node: Data = self._root
        for part in ref[1:].split("/")[1:]:
            key = part.replace("~1", "/").replace("~0", "~")
            if isinstance(node, list):
                node = node[int(key)] if key.isdecimal() and len(key) < 6 and int(key) < len(node) else None
            else:
                node = node.get(key) if isinstance(node, dict) else None
        if not isinstance(node, dict):
            raise Unreadable(f"{visible(name) or 'the schema'} refers to {visible(ref)}, which is not there")
        return node

    def _nested(self, here: _Property, schema: Map) -> None:
        if here.shape:
            self._draft.lost(here.name, "it is a list of objects")
        elif not isinstance(schema.get("properties"), dict):
            self._draft.lost(here.name, "it is an object whose keys are data")
        else:
            self._draft.note(None, f"the properties of {visible(here.name)} are fields of their own here")
            self._object(here, schema)

    def _array(self, here: _Property, schema: Map) -> None:
        if "prefixItems" in schema or isinstance(schema.get("items"), list):
            self._draft.lost(here.name, "it is a tuple of several types")
            return
        least, most = schema.get("minItems"), schema.get("maxItems")
        size = least if type(least) is int and least == most and least > 0 else -1
        if size == -1 and (least is not None or most is not None):
            told = f"{visible(here.name)} has between {least or 0} and {most or 'any number of'} items"
            self._draft.note(None, f"{told}: its shape says only that it varies")
        inner = replace(here, shape=(*here.shape, size), depth=here.depth + 1, nullable=False)
        items = schema.get("items")
        step, resolved = self._resolved(inner, items)
        if resolved is None:
            return
        kinds = _kinds(resolved)
        if step.nullable or "null" in kinds:
            self._draft.note(None, f"an item of {visible(here.name)} may be null, which nothing here can say")
        # What is said of the list as a whole (description, default) stands beside what its items are.
        said: Map = {key: schema[key] for key in ("description", "title") if key in schema}
        self._property(replace(step, nullable=here.nullable), {**resolved, "type": _first(kinds), **said})
        if "default" in schema:
            self._draft.note(None, f"the default of {visible(here.name)} is left out: no key holds a list")

    def _add(self, here: _Property, kind: str, schema: Map) -> None:
        form = schema.get("format")
        dtype = _FORMATS.get((kind, form), _TYPES[kind]) if isinstance(form, str) else _TYPES[kind]
        described = schema.get("description") or schema.get("title")
        low, notes = _end(schema, kind, "minimum", "exclusiveMinimum", 1)
        high, more = _end(schema, kind, "maximum", "exclusiveMaximum", -1)
        notes += more
        default = schema.get("default")
        if default is not None and (here.shape or dtype in ("bytes", "date", "timestamp")):
            notes.append(f"its default {visible(str(default), 40)} is left out: no key holds it")
            default = None
        name = self._draft.add(
            here.name, dtype, description=described if isinstance(described, str) else None,
            shape=list(here.shape), range=[low, high] if low is not None and high is not None else None,
            categories=self._categories(schema, kind, notes), nullable=here.nullable, default=default,
        )  # fmt: skip
        if (low is None) != (high is None):
            notes.append(f"has one bound only ({low if high is None else high}): a range has two")
        if isinstance(form, str) and (kind, form) not in _FORMATS:
            notes.append(f"its format {visible(form)} is not checked by anything here")
        others = sorted(schema.keys() - _READ)
        if others:
            notes.append(f"what the source says under {words(others)} is not read")
        for told in notes:
            self._draft.note(name, told)

    def _categories(self, schema: Map, kind: str, notes: list[str]) -> Data:
        listed = schema.get("enum") if "enum" in schema else [schema["const"]] if "const" in schema else None
        if not isinstance(listed, list):
            return None
        values: list[Data] = [one for one in listed if one is not None]
        if kind == "string":
            return values
        notes.append(f"its values ({words(str(one) for one in values)}) are left out: categories are texts")
        return None


def _kinds(schema: Map) -> list[str]:
    """Return the types that a schema allows; those of its values when it names none."""
    named = schema.get("type")
    if isinstance(named, str):
        return [named]
    if isinstance(named, list):
        return [str(one) for one in named]
    listed = schema.get("enum")
    values: list[Data] = (
        listed if isinstance(listed, list) else [schema["const"]] if "const" in schema else []
    )
    found = [
        "null" if one is None else "boolean" if isinstance(one, bool) else "string" if isinstance(one, str)
        else "integer" if isinstance(one, int) else "number" if isinstance(one, float) else "object"
        for one in values[:MAX_CATEGORIES]
    ]  # fmt: skip
    if not found and "properties" in schema:
        return ["object"]
    if not found and "items" in schema:
        return ["array"]
    return list(dict.fromkeys(found))


def _first(kinds: list[str]) -> Data:
    rest = [kind for kind in kinds if kind != "null"]
    if len(rest) == 1:
        return rest[0]
    return [*rest]


def _only_null(schema: Data) -> bool:
    return isinstance(schema, dict) and _kinds(schema) == ["null"]


def _end(schema: Map, kind: str, inclusive: str, exclusive: str, step: int) -> tuple[float | None, list[str]]:
    """Return one end of the range, and what can't be said of it: a range includes its ends."""
    found, without = schema.get(inclusive), schema.get(exclusive)
    end = _number(found)
    if without is True:
        without, end = found, None
    open_end = _number(without)
    if open_end is None or (end is not None and (end - open_end) * step > 0):
        return end, []
    if kind == "integer" and isinstance(open_end, int):
        return open_end + step, []
    return open_end, [f"does not include its end {open_end:g}; a range does"]


def _number(value: Data) -> float | None:
    """Return a number of JSON, or None for what is none."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
