"""Avro record schemas as hypothesis draws them, and as feature schemas: the structural part of a contract."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from modelspec.spec.feature import FeatureSchema

from .cases import schema

Keys = dict[str, Any]

DTYPES = {
    "int": "int32", "long": "int64", "float": "float32", "double": "float64",
    "boolean": "bool", "string": "string", "bytes": "bytes",
}  # fmt: skip
LOGICAL: dict[str, Keys] = {
    "date": {"type": "int", "logicalType": "date"},
    "timestamp": {"type": "long", "logicalType": "timestamp-millis"},
}
DEFAULTS: dict[str, list[Any]] = {
    "int": [0, 1], "long": [0, 1], "float": [0.0, 1.5], "double": [0.0, 1.5],
    "boolean": [True, False], "string": ["", "a"],
}  # fmt: skip
SYMBOLS = ("a", "b", "c", "d")


@st.composite
def types(draw: st.DrawFn, name: str) -> Any:
    """Draw a type of one value."""
    kind = draw(st.sampled_from([*DTYPES, *DTYPES, *LOGICAL, "enum", "enum", "decimal"]))
    if kind in LOGICAL:
        return dict(LOGICAL[kind])
    if kind == "decimal":
        digits = draw(st.sampled_from([(5, 2), (9, 2), (9, 3)]))
        return {"type": "bytes", "logicalType": "decimal", "precision": digits[0], "scale": digits[1]}
    if kind != "enum":
        return kind
    symbols = draw(st.lists(st.sampled_from(SYMBOLS), min_size=1, max_size=4, unique=True))
    found: Keys = {"type": "enum", "name": f"E_{name}", "symbols": symbols}
    if draw(st.booleans()):
        found["default"] = draw(st.sampled_from(symbols))
    return found


@st.composite
def fields(draw: st.DrawFn, name: str) -> Keys:
    """Draw a field: a type, perhaps optional, perhaps with a default, perhaps with an alias."""
    kind = draw(types(name))
    field: Keys = {"name": name, "type": kind}
    values = DEFAULTS.get(kind if isinstance(kind, str) else "", [])
    if draw(st.booleans()):
        if draw(st.booleans()):
            field["type"] = ["null", kind]
            values = [None]
        else:
            field["type"] = [kind, "null"]
    if values and draw(st.booleans()):
        field["default"] = draw(st.sampled_from(values))
    if name != "x" and draw(st.integers(0, 3)) == 0:
        field["aliases"] = ["x"]
    return field


@st.composite
def records(draw: st.DrawFn) -> Keys:
    """Draw a record with fields of w, x, y, z; at most one field has an alias."""
    names = draw(st.lists(st.sampled_from("wxyz"), min_size=1, max_size=4, unique=True))
    drawn = [draw(fields(name)) for name in names]
    renamed = [one for one in drawn if "aliases" in one]
    for one in renamed[1:] if "x" not in names else renamed:
        del one["aliases"]
    return {"type": "record", "name": "R", "fields": drawn}


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Keys, Keys]:
    """Draw a reader's and a writer's record, mostly alike."""
    reader = draw(records())
    if draw(st.integers(0, 4)) == 0:
        return reader, draw(records())
    kept = [one for one in reader["fields"] if draw(st.integers(0, 5))]
    same = [one if draw(st.booleans()) else draw(fields(one["name"])) for one in kept]
    # What the reader knows by an alias, the writer may still have under its old name.
    taken = {one["name"] for one in same}
    for place, one in enumerate(same):
        if "aliases" in one and "x" not in taken and draw(st.booleans()):
            same[place] = {key: value for key, value in one.items() if key != "aliases"} | {"name": "x"}
            taken.add("x")
    return reader, {"type": "record", "name": "R", "fields": draw(st.permutations(same))}


def converted(number: int, record: Keys) -> FeatureSchema:
    """Return the structural part as a feature schema.

    Optional: a union with null. A symbol that an enum falls back to: `missing: category`. The default null of an
    optional field is no default: it says that there is no value.
    """
    return schema(number, {"fields": [_field(one) for one in record["fields"]]})


def _field(field: Keys) -> Keys:
    kind = field["type"]
    optional = isinstance(kind, list)
    if optional:
        (kind,) = [branch for branch in kind if branch != "null"]
    found: Keys = {"name": field["name"], "nullable": optional} | _type(kind)
    if field.get("default") is not None:
        found["default"] = field["default"]
    if "aliases" in field:
        found["alias"] = field["aliases"][0]
    return found


def _type(kind: Any) -> Keys:
    if isinstance(kind, str):
        return {"dtype": DTYPES[kind]}
    if kind["type"] == "enum":
        found: Keys = {"dtype": "string", "categories": kind["symbols"]}
        if "default" in kind:
            found["missing"] = {"policy": "category", "value": kind["default"]}
        return found
    if kind["logicalType"] == "decimal":
        return {"dtype": "decimal", "precision": kind["precision"], "scale": kind["scale"]}
    return {"dtype": "date"} if kind["logicalType"] == "date" else {"dtype": "timestamp", "unit": "ms"}
