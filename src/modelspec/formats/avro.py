"""An Avro record schema: the JSON of an .avsc file, or of the header of a container file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO, Final

from modelspec.formats.choose import choose
from modelspec.formats.foreign import Draft, Imported, Unreadable, words
from modelspec.formats.strictjson import LIMIT, read_json
from modelspec.tree.data import Data
from modelspec.tree.text import visible

MAGIC: Final = b"Obj\x01"
_PRIMITIVES: Final = {
    "boolean": "bool", "int": "int32", "long": "int64", "float": "float32", "double": "float64",
    "bytes": "bytes", "string": "string",
}  # fmt: skip
_TIMES: Final = {"time-millis": "ms", "time-micros": "us"}
_STAMPS: Final = ("timestamp-millis", "timestamp-micros", "timestamp-nanos")
_KNOWN: Final = frozenset(["name", "type", "doc", "default", "aliases", "order"])
_MAX_STEPS: Final = 50_000
_MAX_ENTRIES: Final = 1_000

Map = dict[str, Data]


def from_avsc(source: bytes, wanted: str) -> Imported:
    """Return the fields of the record that a schema describes; of several, the one called as wanted."""
    schema = read_json(source)
    if isinstance(schema, list):
        records = {_fullname(one, ""): one for one in schema if isinstance(one, dict) and _is_record(one)}
        return _Reading(schema).run(choose(records, wanted, "record"))
    if not isinstance(schema, dict) or not _is_record(schema):
        raise Unreadable("the schema is no record", "a view is imported from `type: record`")
    return _Reading([schema]).run(schema)


def from_container(stream: BinaryIO, wanted: str) -> Imported:
    """Return the fields of the schema in the header of a container file; its blocks are not read."""
    header = _Header(stream)
    return from_avsc(header.schema(), wanted)


class _Header:
    """The header of a container file: a map of metadata."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._stream.seek(len(MAGIC))

    def schema(self) -> bytes:
        """Return the value of `avro.schema`."""
        entries = 0
        found: bytes | None = None
        while (count := self._long()) != 0:
            if count < 0:
                count = -count
                self._long()
            entries += count
            if entries > _MAX_ENTRIES:
                raise Unreadable(f"its header announces more than {_MAX_ENTRIES:,} entries")
            for _ in range(count):
                key, value = self._bytes(), self._bytes()
                if key == b"avro.schema":
                    found = value
        if found is None:
            raise Unreadable("its header has no schema")
        return found

    def _long(self) -> int:
        value = shift = 0
        while True:
            byte = self._stream.read(1)
            if not byte or shift > 63:
                raise Unreadable("its header is cut" if not byte else "its header has a number without end")
            value |= (byte[0] & 0x7F) << shift
            if byte[0] < 0x80:
                return value >> 1 ^ -(value & 1)
            shift += 7

    def _bytes(self) -> bytes:
        length = self._long()
        if not 0 <= length <= LIMIT:
            raise Unreadable(f"its header announces a text of {length:,} bytes")
        data = self._stream.read(length)
        if len(data) != length:
            raise Unreadable("its header is cut")
        return data


@dataclass(frozen=True, slots=True)
class _Field:
    """A field of a record on its way to one of ours."""

    name: str
    nullable: bool
    keys: Map
    shape: tuple[int, ...] = ()


class _Reading:
    """One schema: the names that it defines, and the draft that is made of it."""

    def __init__(self, types: Sequence[Data]) -> None:
        self._draft = Draft("an Avro record schema")
        self._named: dict[str, tuple[Map, str]] = {}
        self._open: list[int] = []
        self._steps = 0
        for one in types:
            self._define(one, "")

    def run(self, record: Map) -> Imported:
        doc = record.get("doc")
        self._draft.description = doc if isinstance(doc, str) else None
        self._record("", record, _space(record, ""), nullable=False)
        return self._draft.finish()

    def _define(self, schema: Data, space: str) -> None:
        """Note every named type, in the namespace that it stands in."""
        if isinstance(schema, list):
            for one in schema:
                self._define(one, space)
        elif isinstance(schema, dict):
            if isinstance(schema.get("name"), str) and schema.get("type") in (
                "record",
                "enum",
                "fixed",
                "error",
            ):
                self._named.setdefault(_fullname(schema, space), (schema, space))
                space = _space(schema, space)
            for key in ("type", "items", "values"):
                if isinstance(schema.get(key), dict | list):
                    self._define(schema[key], space)
            fields = schema.get("fields")
            for field in fields if isinstance(fields, list) else ():
                if isinstance(field, dict):
                    self._define(field.get("type"), space)

    def _record(self, prefix: str, record: Map, space: str, *, nullable: bool) -> None:
        fields = record.get("fields")
        if not isinstance(fields, list):
            raise Unreadable(f"the record {visible(str(record.get('name')))} has no list of fields")
        self._open.append(id(record))
        for field in fields:
            if not isinstance(field, dict) or not isinstance(field.get("name"), str) or "type" not in field:
                raise Unreadable(
                    f"a field of the record {visible(str(record.get('name')))} has no name or no type"
                )
            name = f"{prefix}{field['name']}"
            self._type(_Field(name, nullable, field), field["type"], space)
        self._open.pop()

    def _type(self, field: _Field, schema: Data, space: str) -> None:
        self._steps += 1
        if self._steps > _MAX_STEPS:
            raise Unreadable(f"its types unfold to more than {_MAX_STEPS:,}")
        if isinstance(schema, list):
            self._union(field, schema, space)
        elif isinstance(schema, str):
            if schema in _PRIMITIVES:
                self._add(field, _PRIMITIVES[schema])
            elif schema == "null":
                self._draft.lost(field.name, "it is only ever null")
            else:
                self._reference(field, schema, space)
        elif isinstance(schema, dict):
            self._complex(field, schema, space)
        else:
            raise Unreadable(f"the type of {visible(field.name)} is no type of Avro")

    def _union(self, field: _Field, branches: list[Data], space: str) -> None:
        rest = [one for one in branches if one != "null" and not _is_null(one)]
        nullable = field.nullable or len(rest) < len(branches)
        if len(rest) == 1:
            if nullable and field.shape:
                self._draft.note(field.name, "its items may be null, which nothing here can say")
                nullable = field.nullable
            self._type(replace(field, nullable=nullable), rest[0], space)
        elif rest:
            listed = words(one if isinstance(one, str) else str(_word(one)) for one in rest)
            self._draft.lost(field.name, f"it is a union of {listed}, and a field has one type")
        else:
            self._draft.lost(field.name, "it is only ever null")

    def _reference(self, field: _Field, name: str, space: str) -> None:
        found = self._named.get(name if "." in name or not space else f"{space}.{name}") or self._named.get(
            name
        )
        if found is None:
            raise Unreadable(
                f"{visible(field.name)} is of the type {visible(name)}, which is nowhere defined"
            )
        self._complex(field, *found)

    def _complex(self, field: _Field, schema: Map, space: str) -> None:
        kind = schema.get("type")
        if isinstance(kind, dict | list):
            self._type(field, kind, space)
        elif kind in ("record", "error"):
            self._nested(field, schema, _space(schema, space))
        elif kind == "enum":
            symbols = schema.get("symbols")
            if "default" in schema:
                shown = visible(str(schema["default"]))
                told = f"a reader takes an unknown symbol for {shown}: say so in `missing`"
                self._draft.note(field.name, told)
            self._add(field, "string", categories=symbols if isinstance(symbols, list) else None)
        elif kind == "array":
            # An array in an array has two open dimensions.
            self._type(replace(field, shape=(*field.shape, -1)), schema.get("items"), space)
        elif kind == "map":
            self._draft.lost(field.name, "it is a map, whose keys are data")
        elif kind == "fixed":
            self._logical(field, schema, "bytes")
        elif isinstance(kind, str) and kind in _PRIMITIVES:
            self._logical(field, schema, _PRIMITIVES[kind])
        elif isinstance(kind, str) and kind != "null":
            self._reference(field, kind, space)
        else:
            self._draft.lost(field.name, "it is only ever null")

    def _nested(self, field: _Field, record: Map, space: str) -> None:
        if id(record) in self._open:
            self._draft.lost(field.name, "it is of a type that holds itself")
        elif field.shape:
            self._draft.lost(field.name, "it is a list of records")
        elif len(self._open) >= 32:
            raise Unreadable("records are nested deeper than 32 levels")
        else:
            self._draft.note(
                None, f"the fields of the record {visible(field.name)} are fields of their own here"
            )
            self._record(f"{field.name}.", record, space, nullable=field.nullable)

    def _logical(self, field: _Field, schema: Map, dtype: str) -> None:
        kind = schema.get("logicalType")
        if kind == "decimal" and dtype == "bytes":
            precision, scale = schema.get("precision"), schema.get("scale", 0)
            if type(precision) is int and type(scale) is int and 0 <= scale <= precision > 0:
                self._add(field, "decimal", precision=precision, scale=scale)
                return
        elif kind == "date" and dtype == "int32":
            self._add(field, "date")
            return
        elif kind in _STAMPS and dtype == "int64":
            self._add(field, "timestamp", tz="UTC")
            return
        elif isinstance(kind, str) and kind.removeprefix("local-") in _STAMPS and dtype == "int64":
            self._add(field, "timestamp")
            return
        elif isinstance(kind, str) and kind in _TIMES:
            name = self._add(field, dtype, unit=_TIMES[kind])
            self._draft.note(name, f"is a time of day, counted in {_TIMES[kind]} since midnight")
            return
        name = self._add(field, dtype)
        if kind is not None:
            self._draft.note(name, f"its logical type {visible(str(kind))} has no form here: it is {dtype}")
        if schema.get("type") == "fixed":
            self._draft.note(
                name, f"is always {visible(str(schema.get('size')))} bytes long, which nothing here says"
            )

    def _add(self, field: _Field, dtype: str, **more: Data) -> str:
        keys, draft = field.keys, self._draft
        aliases = keys.get("aliases")
        listed = [one for one in aliases if isinstance(one, str)] if isinstance(aliases, list) else []
        doc = keys.get("doc")
        nested = "." in field.name
        name = draft.add(
            field.name, dtype, description=doc if isinstance(doc, str) else None, shape=list(field.shape),
            nullable=field.nullable, default=self._default(field, dtype),
            alias=listed[0] if listed and not nested else None, **more,
        )  # fmt: skip
        if listed[0 if nested else 1 :]:
            draft.note(name, f"a field has one alias: {words(listed[0 if nested else 1 :])} is left out")
        others = sorted(keys.keys() - _KNOWN)
        if others:
            draft.note(name, f"what the source says under {words(others)} is not read")
        return name

    def _default(self, field: _Field, dtype: str) -> Data:
        """A null means that the field is nullable; a list, a date or bytes have no form as a default."""
        value = field.keys.get("default")
        if value is None:
            return None
        if (
            field.shape
            or dtype in ("bytes", "decimal", "date", "timestamp")
            or isinstance(value, list | dict)
        ):
            shown = visible(str(value), 40)
            self._draft.note(
                None, f"the default of {visible(field.name)}, {shown}, is left out: no key holds it"
            )
            return None
        return value


def _is_record(schema: Map) -> bool:
    return schema.get("type") in ("record", "error")


def _is_null(schema: Data) -> bool:
    return isinstance(schema, dict) and schema.get("type") == "null"


def _word(schema: Data) -> Data:
    return (schema.get("name") or schema.get("type")) if isinstance(schema, dict) else "?"


def _fullname(schema: Map, space: str) -> str:
    name = str(schema.get("name", ""))
    inner = _space(schema, space)
    return name if "." in name or not inner else f"{inner}.{name}"


def _space(schema: Map, space: str) -> str:
    """Return the namespace that the names inside a named type stand in."""
    name, given = schema.get("name"), schema.get("namespace")
    if isinstance(name, str) and "." in name:
        return name.rpartition(".")[0]
    return given if isinstance(given, str) else space
