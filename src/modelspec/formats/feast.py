"""A Feast feature view: from the registry's protobuf, from the view's own, or from a dump of either.

Both forms become the same few values first. Field numbers and names are those of Feast's public .proto
files (feast/core: Registry, FeatureView, StreamFeatureView, OnDemandFeatureView, Feature, Entity).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final

from modelspec.formats.choose import choose
from modelspec.formats.foreign import Draft, Imported, Unreadable, words
from modelspec.formats.protobuf import VARINT, Part, Wire, signed
from modelspec.tree.data import Data
from modelspec.tree.digest import sha256
from modelspec.tree.text import visible

_SCALARS: Final = {
    "BYTES": "bytes", "STRING": "string", "INT32": "int32", "INT64": "int64", "DOUBLE": "float64",
    "FLOAT": "float32", "BOOL": "bool", "UNIX_TIMESTAMP": "timestamp", "UUID": "string",
    "TIME_UUID": "string",
}  # fmt: skip
_TYPES: Final = dict(
    enumerate(
        [
            "INVALID",
            "BYTES",
            "STRING",
            "INT32",
            "INT64",
            "DOUBLE",
            "FLOAT",
            "BOOL",
            "UNIX_TIMESTAMP",
            "",
            "",
            "BYTES_LIST",
            "STRING_LIST",
            "INT32_LIST",
            "INT64_LIST",
            "DOUBLE_LIST",
            "FLOAT_LIST",
            "BOOL_LIST",
            "UNIX_TIMESTAMP_LIST",
            "NULL",
            "MAP",
            "MAP_LIST",
            "BYTES_SET",
            "STRING_SET",
            "INT32_SET",
            "INT64_SET",
            "DOUBLE_SET",
            "FLOAT_SET",
            "BOOL_SET",
            "UNIX_TIMESTAMP_SET",
            "",
            "",
            "JSON",
            "JSON_LIST",
            "STRUCT",
            "STRUCT_LIST",
            "UUID",
            "TIME_UUID",
            "UUID_LIST",
            "TIME_UUID_LIST",
            "UUID_SET",
            "TIME_UUID_SET",
            "VALUE_LIST",
            "VALUE_SET",
            "DECIMAL",
            "DECIMAL_LIST",
            "DECIMAL_SET",
            "SCALAR_MAP",
            "ZONED_TIMESTAMP",
        ]
    )
)
"""ValueType.Enum: number -> name."""
_KINDS: Final = {6: "feature view", 14: "stream feature view", 8: "on demand feature view"}
"""Registry: field number -> what is in it."""
LISTS: Final = {
    "entities": "entity",
    "featureViews": "feature view", "feature_views": "feature view",
    "streamFeatureViews": "stream feature view", "stream_feature_views": "stream feature view",
    "onDemandFeatureViews": "on demand feature view", "on_demand_feature_views": "on demand feature view",
}  # fmt: skip
"""A dump: key -> what is listed under it."""
_ONLY_REGISTRY: Final = frozenset([3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19])


@dataclass(slots=True)
class _Column:
    """A FeatureSpecV2."""

    name: str = ""
    kind: str = "INVALID"
    description: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    length: int = 0
    index: bool = False


@dataclass(slots=True)
class _View:
    """What is read of a view's spec, whatever its kind."""

    kind: str
    name: str = ""
    description: str = ""
    owner: str = ""
    entities: list[str] = field(default_factory=list)
    keys: list[_Column] = field(default_factory=list)
    features: list[_Column] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    seconds: int = 0
    code: str = ""
    transformed: bool = False
    aggregations: int = 0


@dataclass(frozen=True, slots=True)
class _Layout:
    """The field numbers of a spec, which differ with the kind of view."""

    features: int
    entities: int
    keys: int
    tags: int
    description: int
    owner: int
    ttl: int
    aggregations: int
    code: tuple[int, ...]


_LAYOUTS: Final = {
    "feature view": _Layout(4, 3, 12, 5, 10, 11, 6, -1, (15,)),
    "stream feature view": _Layout(4, 3, 5, 7, 6, 8, 9, 15, (13, 17)),
    "on demand feature view": _Layout(3, 13, 14, 7, 6, 8, -1, 16, (5, 10)),
}


# The protobuf


def from_registry(stream: BinaryIO, wanted: str) -> Imported:
    """Return a view of a registry's protobuf, or of a FeatureView's own; raises Unreadable."""
    wire = Wire(stream)
    parts = list(_bounded(wire))
    views: dict[str, _View] = {}
    entities: dict[str, str] = {}
    if any(part.number in _ONLY_REGISTRY for part in parts):
        for part in parts:
            if part.number in _KINDS:
                view = _proto_view(wire, part, _KINDS[part.number])
                views[view.name] = view
            elif part.number == 1:
                name, key = _entity(wire, part)
                entities[name] = key
    else:
        view = _proto_view(wire, Part(0, 2, 0, 0, wire.size), "feature view")
        if not view.features:
            raise Unreadable("it is no registry of Feast and no feature view")
        views[view.name] = view
    return _imported(choose(views, wanted, "feature view"), entities)


def _bounded(wire: Wire) -> Iterator[Part]:
    for count, part in enumerate(wire.parts()):
        if count > 100_000:
            raise Unreadable("it has more than 100,000 objects")
        yield part


def _proto_view(wire: Wire, message: Part, kind: str) -> _View:
    layout, view = _LAYOUTS[kind], _View(kind)
    for spec in (one for one in wire.inside(message) if one.number == 1):
        for part in wire.inside(spec):
            if part.number == 1:
                view.name = wire.text(part)
            elif part.number == layout.features:
                view.features.append(_proto_column(wire, part))
            elif part.number == layout.keys:
                view.keys.append(_proto_column(wire, part))
            elif part.number == layout.entities:
                view.entities.append(wire.text(part))
            elif part.number == layout.tags:
                view.tags.update([_pair(wire, part)])
            elif part.number == layout.description:
                view.description = wire.text(part)
            elif part.number == layout.owner:
                view.owner = wire.text(part)
            elif part.number == layout.ttl:
                view.seconds = next((signed(one.value) for one in wire.inside(part) if one.number == 1), 0)
            elif part.number == layout.aggregations:
                view.aggregations += 1
            elif part.number in layout.code:
                view.transformed = True
                view.code = _code(wire, part, wrapped=part.number != layout.code[0] or kind == "feature view")
    return view


def _proto_column(wire: Wire, message: Part) -> _Column:
    column = _Column()
    for part in wire.inside(message):
        if part.number == 1:
            column.name = wire.text(part)
        elif part.number == 2 and part.wire == VARINT:
            column.kind = _TYPES.get(part.value) or f"type {part.value}"
        elif part.number == 3:
            column.tags.update([_pair(wire, part)])
        elif part.number == 4:
            column.description = wire.text(part)
        elif part.number == 5:
            column.index = bool(part.value)
        elif part.number == 7:
            column.length = signed(part.value)
    return column


def _pair(wire: Wire, message: Part) -> tuple[str, str]:
    found = {1: "", 2: ""}
    for part in wire.inside(message):
        if part.number in found:
            found[part.number] = wire.text(part)
    return found[1], found[2]


def _code(wire: Wire, message: Part, *, wrapped: bool) -> str:
    """Return the source text of a user-defined function, where Feast kept it."""
    if wrapped:
        return next((_code(wire, one, wrapped=False) for one in wire.inside(message) if one.number == 1), "")
    return next((wire.text(one) for one in wire.inside(message) if one.number == 3), "")


def _entity(wire: Wire, message: Part) -> tuple[str, str]:
    name = key = ""
    for spec in (one for one in wire.inside(message) if one.number == 1):
        for part in wire.inside(spec):
            if part.number == 1:
                name = wire.text(part)
            elif part.number == 4:
                key = wire.text(part)
    return name, key


# The dump: protobuf's JSON form, as JSON or as YAML


def from_dump(data: Any, wanted: str) -> Imported:
    """Return a view of a dump (`feast registry-dump`, `feature-views describe`); raises Unreadable."""
    views: dict[str, _View] = {}
    entities: dict[str, str] = {}
    for kind, one in _dumped(data):
        spec = one.get("spec", one)
        if not isinstance(spec, dict):
            raise Unreadable(f"the spec of a {kind} is no map")
        if kind == "entity":
            entities[_text(spec, "name")] = _text(spec, "joinKey", "join_key")
        else:
            view = _dumped_view(kind, spec)
            views[view.name] = view
    return _imported(choose(views, wanted, "feature view"), entities)


def _dumped(data: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(data, list):
        for one in data:
            if isinstance(one, dict):
                yield "feature view", one
        return
    if not isinstance(data, dict):
        raise Unreadable("it is no dump of Feast: neither a map nor a list")
    if "spec" in data or "features" in data:
        yield "feature view", data
        return
    for key, kind in LISTS.items():
        listed = data.get(key)
        for one in listed if isinstance(listed, list) else ():
            if isinstance(one, dict):
                yield kind, one


def _dumped_view(kind: str, spec: Mapping[str, Any]) -> _View:
    sources = _first(spec, "userDefinedFunction", "user_defined_function") or _first(
        spec, "featureTransformation", "feature_transformation"
    )
    view = _View(kind, _text(spec, "name"), _text(spec, "description"), _text(spec, "owner"))
    entities = _first(spec, "entities")
    view.entities = [str(one) for one in entities] if isinstance(entities, list) else []
    view.keys = _columns(_first(spec, "entityColumns", "entity_columns"))
    view.features = _columns(_first(spec, "features"))
    view.tags = _tags(spec)
    ttl = re.fullmatch(r"([0-9]{1,12})(?:\.[0-9]+)?s", _text(spec, "ttl"))
    view.seconds = int(ttl.group(1)) if ttl is not None else 0
    view.transformed = bool(sources)
    if isinstance(sources, dict):
        inner = _first(sources, "userDefinedFunction", "user_defined_function")
        view.code = _text(inner if isinstance(inner, dict) else sources, "bodyText", "body_text")
    aggregations = _first(spec, "aggregations")
    view.aggregations = len(aggregations) if isinstance(aggregations, list) else 0
    return view


def _columns(listed: Any) -> list[_Column]:
    found = []
    for one in listed if isinstance(listed, list) else ():
        if not isinstance(one, dict):
            raise Unreadable("a feature in it is no map")
        length = str(_first(one, "vectorLength", "vector_length") or "0")
        column = _Column(_text(one, "name"), description=_text(one, "description"), tags=_tags(one))
        column.kind = _text(one, "valueType", "value_type") or "INVALID"
        column.length = int(length) if re.fullmatch("[0-9]{1,9}", length) else 0
        column.index = str(_first(one, "vectorIndex", "vector_index")).lower() == "true"
        found.append(column)
    return found


def _tags(node: Mapping[str, Any]) -> dict[str, str]:
    tags = node.get("tags")
    return {str(key): str(value) for key, value in tags.items()} if isinstance(tags, dict) else {}


def _text(node: Mapping[str, Any], *keys: str) -> str:
    found = _first(node, *keys)
    return found if isinstance(found, str) else ""


def _first(node: Mapping[str, Any], *keys: str) -> Any:
    return next((node[key] for key in keys if node.get(key) not in (None, "")), None)


# Both


def _imported(view: _View, entities: Mapping[str, str]) -> Imported:
    draft = Draft(f"a Feast {view.kind}")
    draft.description, draft.owner = view.description or None, view.owner or None
    keys = [column.name for column in view.keys] or [
        entities.get(name) or name for name in view.entities if name != "__dummy"
    ]
    keys = [key for key in keys if key not in ("__dummy_id", "__dummy")]
    if len(keys) == 1 and re.fullmatch("[A-Za-z_][A-Za-z0-9_]{0,62}", keys[0]):
        draft.entity = keys[0]
    elif keys:
        draft.note(None, f"its join keys ({words(keys)}) are left out: a schema has one `entity`")
    draft.freshness = _duration(view.seconds)
    if view.seconds and draft.freshness is None:
        draft.note(None, f"its ttl of {view.seconds:,} seconds is left out: no duration holds it")
    if view.tags:
        draft.note(None, f"the view's tags ({words(view.tags)}) are left out")
    if view.aggregations:
        draft.note(
            None, f"its {view.aggregations} aggregations are left out: add `aggregation` to the fields"
        )
    for column in view.features:
        _field(draft, column, view)
    return draft.finish()


def _field(draft: Draft, column: _Column, view: _View) -> None:
    kind, shape = column.kind, list[Data]()
    if kind.endswith("_LIST"):
        kind, shape = kind.removesuffix("_LIST"), [column.length if column.length > 0 else -1]
    dtype = _SCALARS.get(kind)
    if dtype is None:
        draft.lost(column.name, f"no field is {visible(column.kind, 40)}")
        return
    tags: list[Data] = [f"{key}={value}" if value else key for key, value in sorted(column.tags.items())]
    transform: Data = None
    if view.transformed and view.code:
        transform = {"kind": "code", "digest": sha256(view.code.encode())}
    name = draft.add(
        column.name, dtype, shape=shape, description=column.description, tags=tags, transform=transform,
        tz="UTC" if dtype == "timestamp" else None,
    )  # fmt: skip
    if view.transformed and not view.code:
        draft.note(name, "is computed by a function whose source Feast did not keep: `transform` is left out")
    if column.index:
        draft.note(name, "is indexed as a vector: name the model that makes it in `embedding`")


def _duration(seconds: int) -> str | None:
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        if seconds > 0 and seconds % length == 0 and seconds // length < 1_000_000:
            return f"{seconds // length}{unit}"
    return None
