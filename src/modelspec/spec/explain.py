"""Says what is wrong with a document's shape, in words: pydantic's errors become faults with routes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from modelspec.spec.base import SCHEMA_REF, VERSION_REF, WANTED
from modelspec.tree.data import Data, at, spelled
from modelspec.tree.document import written
from modelspec.tree.finding import Fault
from modelspec.tree.locate import locate
from modelspec.tree.place import Route, dotted
from modelspec.tree.scalars import plain
from modelspec.tree.text import did_you_mean, plural, suggestion, visible
from modelspec.tree.yaml import MAX_FAULTS

_TYPES: Final = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "a map",
    "model_type": "a map",
}
_NUMBERS: Final = ("a whole number", "a number")
_RULE: Final = "value-typed"


def faults_of(model: type[BaseModel], data: Data, source: bytes, error: ValidationError) -> list[Fault]:
    """Return a fault for each place where the data does not fit the model, in the order of the file.

    `source` is the text that the data was read from: hints name what stands there (`1.10`, not 1.1).
    """
    details = error.errors(include_url=False, include_context=True)[:MAX_FAULTS]
    faults = [_fault(model, data, source, detail) for detail in details if not _echoes(data, detail)]
    return sorted(faults, key=lambda fault: _position(source, fault))


def _echoes(data: Data, detail: ErrorDetails) -> bool:
    """Whether a list is called too short only because its items are wrong, which is said of each."""
    found = at(data, _route(data, detail["loc"], last=False)) if detail["type"] == "too_short" else None
    return isinstance(found, list) and len(found) >= detail.get("ctx", {}).get("min_length", 0)


def _position(source: bytes, fault: Fault) -> tuple[int, int]:
    mark = locate(source, fault.route, key=fault.key)
    return (mark.line, mark.column)


def _fault(model: type[BaseModel], data: Data, source: bytes, detail: ErrorDetails) -> Fault:
    kind = detail["type"]
    route = _route(data, detail["loc"], last=kind in ("missing", "extra_forbidden"))
    if kind == "extra_forbidden":
        return _unknown_key(model, route)
    where = visible(dotted(route), limit=120)
    if kind == "missing":
        return Fault(_RULE, f"{where} is missing", f"add `{route[-1]}:`", route=route)
    if detail["loc"][-1] == "[key]":
        inside = _inside_of(route)
        message = f"the key {visible(str(route[-1]))}{inside} is not {_wanted(detail)}"
        return Fault(_RULE, message, None, route=route, key=True)
    value = at(data, route)
    if value is None:
        return Fault(_RULE, f"{where} has no value", "give it one, or remove the key", route=route)
    if value == "":
        return Fault(_RULE, f"{where} is empty", "give it a value, or remove the key", route=route)
    if kind == "literal_error":
        return _unlisted(where, value, detail, route)
    wanted = _wanted(detail)
    if kind == "string_type" and isinstance(value, bool | int | float):
        text = visible(written(source, locate(source, route)))
        what = "a truth value" if isinstance(value, bool) else "a number"
        return Fault(_RULE, f"{where} is text, a plain {text} is {what}", f'quote it: "{text}"', route=route)
    return Fault(
        _RULE, f"{where} is {wanted}; found {shown(value)}", _hint(detail, wanted, value), route=route
    )


def _unknown_key(model: type[BaseModel], route: Route) -> Fault:
    key = str(route[-1])
    known = _keys(model, route[:-1])
    inside = _inside_of(route)
    fix = did_you_mean(key, known) or f"known here: {', '.join(sorted(known))}"
    return Fault("keys-known", f"the key {visible(key)}{inside} is unknown", fix, route=route, key=True)


def _inside_of(route: Route) -> str:
    return f" in {visible(dotted(route[:-1]), limit=120)}" if len(route) > 1 else ""


def _unlisted(where: str, value: Data, detail: ErrorDetails, route: Route) -> Fault:
    # pydantic names them as `'a', 'b' or 'c'`.
    expected = re.findall(r"'([^']*)'", str(detail.get("ctx", {}).get("expected", "")))
    close = suggestion(value, expected) if isinstance(value, str) else None
    one_of = "" if len(expected) == 1 else "one of "
    return Fault(
        _RULE,
        f"{where} is {one_of}{', '.join(expected)}; found {shown(value)}",
        f"did you mean {close}?" if close else None,
        route=route,
    )


def _hint(detail: ErrorDetails, wanted: str, value: Data) -> str | None:
    """Say how to mend a number in quotes or with a fraction of 0, and a reference without its digest."""
    if isinstance(value, str) and wanted in _NUMBERS:
        number = plain(value)
        quoted = type(number) is int or (type(number) is float and wanted == "a number")
        return "remove the quotes" if quoted else None
    if isinstance(value, float) and value.is_integer() and wanted == "a whole number":
        return f"write {int(value)}"
    references = (VERSION_REF, SCHEMA_REF)
    if isinstance(value, str) and "@" not in value and detail.get("ctx", {}).get("pattern") in references:
        return f"write `{visible(value)}@` and its digest, which `modelspec digest PATH` prints"
    return None


def _route(data: Data, loc: tuple[int | str, ...], *, last: bool) -> Route:
    """Return the part of pydantic's location that stands in the file.

    It also names the arm of a union and `[key]`. `last`: the last part is a key that need not be there.
    """
    route: list[str | int] = []
    node: Any = data
    for index, part in enumerate(loc):
        if isinstance(node, dict) and (part in node or (last and index == len(loc) - 1)):
            node = node.get(part)
        elif isinstance(node, list) and isinstance(part, int) and part < len(node):
            node = node[part]
        else:
            continue
        route.append(part)
    return tuple(route)


def _wanted(detail: ErrorDetails) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind in _TYPES:
        return _TYPES[kind]
    if kind == "string_pattern_mismatch":
        return WANTED[context["pattern"]]
    if kind == "greater_than_equal":
        return f"at least {context['ge']:g}"
    if kind == "less_than_equal":
        return f"at most {context['le']:g}"
    if kind == "too_short":
        return f"a list of at least {plural(context['min_length'], 'item')}"
    # What base.Wanted asks for in its own words.
    return str(context.get("wanted", "of another form"))


def shown(value: Data) -> str:
    """Return what a message says was found: the scalar, quoted where its quotes matter, or its shape."""
    if isinstance(value, dict):
        return "a map"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str):
        return f'"{visible(value)}"' if type(plain(value)) is not str else visible(value)
    return spelled(value)


def _keys(model: type[BaseModel], route: Route) -> list[str]:
    """Return the keys that the map at `route` of this model may have."""
    found: list[Any] = [model]
    for part in route:
        found = [inner for annotation in found for inner in _inside(annotation, part)]
    return [
        field.alias or name
        for annotation in found
        for one in _arms(annotation)
        if _is_model(one)
        for name, field in one.model_fields.items()
    ]


def _inside(annotation: Any, part: str | int) -> Iterator[Any]:
    """Yield the annotations that a part of a route leads to."""
    for one in _arms(annotation):
        if isinstance(part, int):
            if get_origin(one) is tuple:
                yield get_args(one)[0]
        elif get_origin(one) is dict:
            yield get_args(one)[1]
        elif _is_model(one):
            yield from (
                field.annotation for name, field in one.model_fields.items() if (field.alias or name) == part
            )


def _arms(annotation: Any) -> Iterator[Any]:
    """Yield what an annotation may hold, without `Annotated` and unions around it."""
    if get_origin(annotation) in (Annotated, Union, UnionType):
        for inner in get_args(annotation):
            yield from _arms(inner)
    else:
        yield annotation


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
