"""The generated feature views: a pool that models share, each with a few schemas that evolved."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final

from chance import commit
from emit import Map, document

from modelspec.tree.digest import spec_digest

_TOPICS: Final = (
    "trip", "payment", "customer", "merchant", "basket", "session", "device", "route", "driver", "order",
    "product", "search", "listing", "claim", "account", "sensor", "flight", "booking", "ticket", "delivery",
)  # fmt: skip
_MEASURES: Final = (
    ("distance", "km", 0, 120), ("duration", "min", 0, 240), ("amount", "eur", 0, 5000), ("age", "d", 0, 999),
    ("weight", "kg", 0, 40), ("speed", "km/h", 0, 160), ("temperature", "degC", -40, 60),
    ("share", "1", 0, 1), ("latency", "ms", 0, 8000), ("hour", "h", 0, 23),
)  # fmt: skip
_WINDOWS: Final = ("", "_1h", "_24h", "_7d", "_30d")
_GROUPS: Final = (
    ("city", ("ams", "ber", "lis", "mad", "par")), ("channel", ("app", "web", "partner")),
    ("tier", ("basic", "plus", "business")), ("daypart", ("night", "morning", "midday", "evening")),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Schema:
    """One written schema: how versions refer to it, and the fields that they may read."""

    ref: str
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class View:
    """A view and its schemas, the oldest first."""

    name: str
    schemas: tuple[Schema, ...]
    files: tuple[tuple[str, bytes], ...]


def views(seed: int, count: int) -> list[View]:
    """Return `count` views with one to four schemas of 10 to 20 fields."""
    return [_view(seed, index) for index in range(count)]


def _view(seed: int, index: int) -> View:
    random = Random(f"{seed}/view/{index}")
    name = f"{_TOPICS[index % len(_TOPICS)]}_features_{index // len(_TOPICS)}"
    folder = f"registry/features/{name}"
    head: Map = {
        "apiVersion": "modelspec/v1",
        "kind": "FeatureView",
        "view": name,
        "owner": f"@data-{_TOPICS[index % len(_TOPICS)]}",
        "description": f"What is known of a {_TOPICS[index % len(_TOPICS)]} when it is scored",
        "compatibility": "NONE",
    }
    files = [(f"{folder}/view.yaml", document(head))]
    fields = _fields(random)
    schemas = []
    for number in range(1, random.randint(1, 4) + 1):
        if number > 1:
            fields = _evolved(random, fields)
        data: Map = {
            "apiVersion": "modelspec/v1",
            "kind": "FeatureSchema",
            "view": name,
            "number": number,
            "entity": f"{_TOPICS[index % len(_TOPICS)]}_id",
            "freshness": random.choice(("5m", "15m", "1h", "24h")),
            "code": {
                "repository": "https://git.example.com/data/features",
                "commit": commit(random),
                "path": f"{name}.py",
            },
            "fields": list(fields),
        }
        files.append((f"{folder}/{number}.yaml", document(data)))
        names = tuple(str(field["name"]) for field in fields)
        schemas.append(Schema(f"{number}@{spec_digest(data)}", names))
    return View(name, tuple(schemas), tuple(files))


def _fields(random: Random) -> list[Map]:
    names = [(measure, window) for measure in _MEASURES for window in _WINDOWS]
    chosen = random.sample(names, random.randint(8, 15))
    numbers = [_number(random, *measure, window) for measure, window in chosen]
    groups = [_category(*group) for group in random.sample(_GROUPS, random.randint(2, 4))]
    return numbers + groups


def _number(random: Random, name: str, unit: str, least: int, greatest: int, window: str) -> Map:
    kind = random.choice(("identity", "minmax", "zscore"))
    middle, quarter = _whole((least + greatest) / 2), _whole((greatest - least) / 4)
    served: dict[str, Map] = {
        "identity": {"unit": unit, "range": [least, greatest]},
        "minmax": {"unit": "1", "range": [0, 1]},
        "zscore": {"unit": "1", "range": [-2, 2]},
    }
    transforms: dict[str, Map] = {
        "identity": {"kind": "identity"},
        "minmax": {"kind": "minmax", "min": least, "max": greatest, "clip": True},
        "zscore": {"kind": "zscore", "mean": middle, "std": quarter},
    }
    return {
        "name": f"{name}{window}",
        "source": {"dtype": "float64", "unit": unit, "range": [least, greatest]},
        "dtype": "float32",
        **served[kind],
        "nullable": False,
        "transform": transforms[kind],
    }


def _category(name: str, words: tuple[str, ...]) -> Map:
    return {
        "name": name,
        "source": {"dtype": "string", "categories": list(words)},
        "dtype": "float32",
        "range": [0, len(words)],
        "nullable": False,
        "missing": {"policy": "category", "value": "other"},
        "transform": {
            "kind": "ordinal",
            "codes": {word: code for code, word in enumerate((*words, "other"))},
        },
    }


def _evolved(random: Random, fields: list[Map]) -> list[Map]:
    """Return the next schema's fields: another transformation of one field, sometimes one field more."""
    found = list(fields)
    numbers = [index for index, field in enumerate(found) if field["source"]["dtype"] == "float64"]
    index = random.choice(numbers)
    measure, _, window = str(found[index]["name"]).partition("_")
    spec = next(spec for spec in _MEASURES if spec[0] == measure)
    while found[index] == fields[index]:
        found[index] = _number(random, *spec, f"_{window}" if window else "")
    known = {field["name"] for field in found}
    fresh = [(spec, window) for spec in _MEASURES for window in _WINDOWS if spec[0] + window not in known]
    if random.random() < 0.5:
        spec, window = random.choice(fresh)
        found.append(_number(random, *spec, window))
    return found


def _whole(value: float) -> int | float:
    return int(value) if value == int(value) else value
