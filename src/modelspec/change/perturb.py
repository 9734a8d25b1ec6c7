"""One leaf of a file, changed: to see what depends on it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from pydantic import BaseModel

from modelspec.spec.reader import Entry
from modelspec.tree.data import Data, Scalar, at
from modelspec.tree.document import Document
from modelspec.tree.paths import SEMVER
from modelspec.tree.place import Route

_HEX: Final = re.compile(r".*[0-9a-f]{64}", re.DOTALL)
_SEMVER: Final = re.compile(SEMVER)
_FAR: Final = 1_000_000
"""Beyond what a template compares a number with."""
_LAST: Final = re.compile(r"[0-9]+(?!.*[0-9])")


def leaf_routes(data: Data, route: Route = ()) -> Iterator[Route]:
    """Yield the routes of all scalars of a document."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield from leaf_routes(value, (*route, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from leaf_routes(value, (*route, index))
    elif data is not None:
        yield route


def perturbed(entry: Entry[Any], route: Route) -> Iterator[Entry[Any]]:
    """Yield the entry with other values at a leaf: of the same type and form, and not checked again.

    A digest stays a digest and a version a version, so that what is made of them can still be made.
    """
    for new in others(at(entry.document.data, route)):
        document = Document(entry.path, entry.document.source, _with(entry.document.data, route, new))
        yield replace(entry, document=document, value=_with(entry.value, route, new))


def others(value: Data) -> tuple[Scalar, ...]:
    """Return other scalars of the same type and form; of numbers some near and some far on both sides."""
    if isinstance(value, bool):
        return (not value,)
    if isinstance(value, int | float):
        return (value + 1, value + _FAR, value - _FAR)
    if not isinstance(value, str):
        return ()
    if _HEX.fullmatch(value):
        # Both ends: a short form of a digest has only its beginning.
        return (value[:-64] + _digit(value[-64]) + value[-63:-1] + _digit(value[-1]),)
    if _SEMVER.fullmatch(value):
        return (_LAST.sub(lambda match: str(int(match.group()) + 1), value),)
    return (value + "x",)


def _digit(digit: str) -> str:
    return "0" if digit != "0" else "1"


def _with(node: Any, route: Route, new: Scalar) -> Any:
    """Return a node with another leaf; what is not on the way to it is shared."""
    if not route:
        return new
    part, rest = route[0], route[1:]
    if isinstance(node, BaseModel):
        fields = type(node).model_fields
        name = next((name for name, field in fields.items() if part in (field.alias, name)), None)
        if name is None:
            return node
        return node.model_copy(update={name: _with(getattr(node, name), rest, new)})
    if isinstance(node, dict):
        return {key: _with(value, rest, new) if key == part else value for key, value in node.items()}
    if isinstance(node, list | tuple):
        return type(node)(
            _with(value, rest, new) if index == part else value for index, value in enumerate(node)
        )
    return node
