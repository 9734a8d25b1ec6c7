"""The JSON Schemas accept what the reader accepts and refuse what it refuses, leaf by leaf."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from modelspec.spec.kinds import KINDS, Kind, classify
from modelspec.spec.model import COMPONENTS
from modelspec.spec.reader import Broken, Reader
from modelspec.spec.schemas import DIALECT, json_schema
from modelspec.tree.data import Data
from modelspec.tree.place import Route
from modelspec.tree.snapshot import REGULAR, Blob
from modelspec.tree.yaml import read

ROOT = Path(__file__).parents[2]
NAMES = [kind.name for kind in KINDS.values()]
FREE = ("hyperparameters", "serve", "captured", "tokenizer", "image", "calibration")
OTHERS: tuple[Data, ...] = ("", "x y", "\u00e9", 3, -3, 1.5, True, [], ["x"], {}, {"x": 1}, [{}])


@cache
def validator(name: str) -> Any:
    return jsonschema_rs.validator_for(json_schema(name))


def documents() -> list[tuple[str, Data]]:
    """Every file of the example and of the registry that the rules' cases edit."""
    found = []
    for root in (ROOT, ROOT / "tests" / "valid"):
        for top in ("registry", "templates"):
            for path in sorted((root / top).rglob("*.yaml")):
                data, faults = read(path.read_bytes())
                assert not faults
                found.append((path.relative_to(root).as_posix(), data))
    return found


def accepted(kind: Kind[Any], name: tuple[str, ...], path: str, data: Data) -> bool:
    """Whether the reader takes the data for a value of the kind; names in the path do not count here."""
    source = json.dumps(data).encode()
    entry = Reader().read(kind, name, path, Blob(REGULAR, lambda: source))
    return not isinstance(entry, Broken) or {fault.rule for fault in entry.faults} == {"name-matches-path"}


def changed(data: Data) -> Iterator[tuple[Route, Data]]:
    """Yield the data with one node gone, another key beside it, or another value in its place."""
    for route in nodes(data):
        yield route, edited(data, route, None, delete=True)
        for other in OTHERS:
            yield route, edited(data, route, other)
    for route in [(), *nodes(data)]:
        inside = data
        for part in route:
            inside = inside[part]  # type: ignore[index,call-overload]
        if isinstance(inside, dict):
            yield (*route, "unknown_key"), edited(data, (*route, "unknown_key"), "x")


def nodes(node: Data, route: Route = ()) -> Iterator[Route]:
    if route:
        yield route
    if isinstance(node, dict):
        for key, child in node.items():
            yield from nodes(child, (*route, key))
    elif isinstance(node, list) and node:
        yield from nodes(node[0], (*route, 0))


def edited(data: Data, route: Route, value: Data, *, delete: bool = False) -> Data:
    made: Any = copy.deepcopy(data)
    inside = made
    for part in route[:-1]:
        inside = inside[part]
    if delete:
        del inside[route[-1]]
    else:
        inside[route[-1]] = value
    return made  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_is_one_and_says_what_keys_are_for(name: str) -> None:
    schema = json_schema(name)
    assert schema["$schema"] == DIALECT
    jsonschema_rs.meta.validate(schema)
    assert schema["additionalProperties"] is False
    for one in (schema, *schema.get("$defs", {}).values()):
        assert one["description"]
        for key, part in one["properties"].items():
            assert part.get("description"), f"{name}: {key} says nothing"
    assert '"null"' not in json.dumps(schema), "the reader refuses it"


def test_there_is_no_schema_of_another_name() -> None:
    with pytest.raises(KeyError):
        json_schema("Nothing")


@pytest.mark.parametrize(("path", "data"), documents(), ids=[path for path, _ in documents()])
def test_a_file_of_the_example_fits(path: str, data: Data) -> None:
    found = classify(path)
    assert found is not None
    assert validator(found[0].name).is_valid(data)


def differs_on_purpose(kind: Kind[Any], route: Route, data: Any) -> bool:
    """Where the schema is stricter (components), or where keys are the author's own."""
    lacks = kind.name == "ModelVersion" and any(one not in data for one in COMPONENTS)
    return lacks or any(part in FREE for part in route[:-1])


KINDS_ONCE = {found[0].name: (path, data) for path, data in documents() if (found := classify(path))}


@pytest.mark.parametrize("name", NAMES)
def test_editor_and_reader_agree_on_every_change_of_a_file(name: str) -> None:
    if name == "Waiver":
        path, data = WAIVER
    else:
        path, data = KINDS_ONCE[name]
    found = classify(path)
    assert found is not None
    kind, names = found
    verdicts = set()
    for route, other in changed(data):
        if differs_on_purpose(kind, route, other):
            continue
        mine, theirs = accepted(kind, names, path, other), validator(name).is_valid(other)
        assert mine == theirs, f"{path} {route}: reader {mine}, schema {theirs}: {other}"
        verdicts.add(mine)
    assert accepted(kind, names, path, data)
    assert False in verdicts


WAIVER: tuple[str, Data] = (
    "registry/waivers/a.yaml",
    {
        "apiVersion": "modelspec/v1", "kind": "Waiver", "rule": "MS501",
        "finding": {"path": "registry/x.yaml", "route": "/a/0", "value": "1"},
        "by": "ada", "reason": "why", "link": "https://tracker.example.com/1",
        "from": "2026-10-01T00:00:00Z", "until": "2026-11-01T00:00:00+02:00",
    },
)  # fmt: skip
