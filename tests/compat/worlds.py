"""Hypothesis strategies for contracts, schemas and small registries, as data."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from modelspec.compat.world import World
from modelspec.spec.feature import FeatureSchema
from modelspec.spec.kinds import FEATURE_PIN, MODEL, PIN, SCHEMA, VERSION, VIEW, Kind
from modelspec.spec.registry import Registry
from modelspec.tree.snapshot import DictSnapshot

from .cases import schema

Keys = dict[str, Any]

NUMBERS = ("int8", "int32", "int64", "uint8", "float32", "float64", "bfloat16")
bounds = st.tuples(st.integers(-40, 40), st.integers(0, 60)).map(lambda ends: [ends[0], ends[0] + ends[1]])
categories = st.lists(st.sampled_from("abcde"), min_size=1, max_size=5, unique=True)
codes = st.permutations("abcde").flatmap(
    lambda order: st.integers(1, 5).map(lambda size: {name: code for code, name in enumerate(order[:size])})
)
transforms: st.SearchStrategy[Keys] = st.one_of(
    st.just({"kind": "identity"}),
    st.tuples(st.integers(-5, 5), st.integers(1, 200), st.booleans()).map(
        lambda t: {"kind": "minmax", "min": t[0], "max": t[0] + t[1], "clip": t[2]}
    ),
    st.tuples(st.integers(-5, 5), st.integers(1, 9)).map(
        lambda t: {"kind": "zscore", "mean": t[0], "std": t[1]}
    ),
    st.tuples(st.integers(1, 5), st.integers(-5, 5)).map(
        lambda t: {"kind": "linear", "slope": t[0], "intercept": t[1]}
    ),
    codes.map(lambda known: {"kind": "ordinal", "codes": known}),
    codes.map(lambda known: {"kind": "onehot", "codes": known}),
    st.integers(2, 9).map(lambda buckets: {"kind": "hash", "buckets": buckets}),
    st.sampled_from("01").map(lambda digit: {"kind": "code", "digest": "sha256:" + digit * 64}),
)


def _some(
    required: dict[str, st.SearchStrategy[Any]], **optional: st.SearchStrategy[Any]
) -> st.SearchStrategy[Keys]:
    return st.fixed_dictionaries(required, optional=optional)


shared = {
    "nullable": st.booleans(),
    "unit": st.sampled_from(["km", "mi"]),
    "aggregation": st.sampled_from(
        [{"function": "sum", "length": "1d"}, {"function": "sum", "length": "7d"}]
    ),
    "description": st.sampled_from(["one", "two"]),
}
numbers = _some(
    {"dtype": st.sampled_from(NUMBERS)},
    range=bounds,
    nan=st.booleans(),
    transform=transforms,
    default=st.integers(0, 2),
    missing=st.sampled_from(
        [{"policy": "mean", "value": 3}, {"policy": "mean", "value": 9}, {"policy": "error"}]
    ),
    origin=st.just("observed"),
    **shared,
)
strings = _some(
    {"dtype": st.just("string")},
    categories=categories,
    missing=st.sampled_from([{"policy": "category", "value": "a"}, {"policy": "error"}]),
    **shared,
)
vectors = _some(
    {"dtype": st.just("float32"), "shape": st.sampled_from([[3], [4], [-1], ["n", 3]])},
    embedding=st.sampled_from([{"model": "e", "dimension": 3}, {"model": "f", "dimension": 3}]),
    nullable=st.booleans(),
)
contracts: st.SearchStrategy[Keys] = st.one_of(numbers, numbers, strings, vectors)
"""The keys of one field without its name."""


@st.composite
def contents(draw: st.DrawFn, names: str = "wxyz") -> Keys:
    """Draw the content of a schema: some fields, an entity, a freshness."""
    present = draw(st.lists(st.sampled_from(names), max_size=len(names), unique=True))
    content: Keys = {"fields": [{"name": name} | draw(contracts) for name in present]}
    for key, values in (("entity", ["a", "b"]), ("freshness", ["1h", "1d"])):
        chosen = draw(st.sampled_from([None, *values]))
        if chosen is not None:
            content[key] = chosen
    return content


@st.composite
def changed(draw: st.DrawFn, content: Keys) -> Keys:
    """Draw a schema that differs from another one in a few keys of a few fields."""
    fields = []
    for one in content["fields"]:
        what = draw(st.sampled_from(["keep", "keep", "change", "drop", "new"]))
        if what == "new":
            fields.append({"name": one["name"]} | draw(contracts))
        elif what != "drop":
            other = dict(one)
            if what == "change":
                fresh = draw(contracts)
                for key in draw(st.lists(st.sampled_from(sorted({*one, *fresh})), max_size=2)):
                    if key not in ("name", "dtype", "shape"):
                        other.pop(key, None)
                        other.update({key: fresh[key]} if key in fresh else {})
            fields.append(other)
    return content | {"fields": draw(st.permutations(fields))}


@st.composite
def pairs(draw: st.DrawFn) -> tuple[FeatureSchema, FeatureSchema]:
    """Draw two schemas of a view, mostly alike."""
    first = draw(contents())
    second = draw(st.one_of(changed(first), changed(first), contents()))
    return schema(1, first), schema(2, second)


@dataclass
class Small:
    """A registry as data, put together file by file, because references carry digests."""

    files: dict[str, bytes] = field(default_factory=dict)
    refs: dict[tuple[str, str], str] = field(default_factory=dict)
    """(view, number) or (model, version) -> the reference with its digest."""
    withdrawn: set[tuple[str, str]] = field(default_factory=set)
    """(view, reference) of the schemas that a view withdrew."""

    def add(self, kind: Kind[Any], name: tuple[str, ...], content: Keys) -> None:
        """Add a file, and remember its digest."""
        path = kind.locate(*name)
        self.files[path] = json.dumps({"apiVersion": "modelspec/v1", "kind": kind.name} | content).encode()
        entry = Registry(DictSnapshot({path: self.files[path]})).value(kind, *name)
        assert entry is not None, self.files[path]
        if kind in (SCHEMA, VERSION):
            self.refs[name[0], name[1]] = f"{name[1]}@{entry.digest}"

    @property
    def world(self) -> World:
        """The one environment, `e`."""
        return World.of(Registry(DictSnapshot(self.files)), "e")


FIELD = {"dtype": "float32"}
UNITS = ({"unit": "km"}, {"unit": "mi"}, {"range": [0, 1]}, {"range": [0, 1.5]})
"""What tells the schemas of small worlds apart: breaking, breaking, and safe in one direction."""


@st.composite
def worlds(draw: st.DrawFn) -> Small:
    """Draw an environment `e` with two views, up to three models, and `needs` between them."""
    small = Small()
    for view in ("u", "v"):
        for number in range(1, draw(st.integers(1, 3)) + 1):
            fields = [{"name": name} | FIELD | draw(st.sampled_from(UNITS)) for name in ("x", "y")]
            small.add(SCHEMA, (view, str(number)), {"view": view, "number": number, "fields": fields})
        numbers = [number for name, number in small.refs if name == view]
        gone = draw(st.sampled_from([*numbers, *("-" * len(numbers))]))
        lines = [{"schema": small.refs[view, gone], "reason": "bad"}] if gone != "-" else []
        small.withdrawn |= {(view, small.refs[view, gone]) for _ in lines}
        small.add(VIEW, (view,), {"view": view, "owner": "o", "withdrawn": lines})
        access = draw(st.sampled_from(["current", "numbered"]))
        serves = draw(st.lists(st.sampled_from(numbers), min_size=1, max_size=2, unique=True))
        if draw(st.integers(0, 9)):
            content = {"environment": "e", "view": view, "access": access, "closes": []}
            refs = [small.refs[view, number] for number in sorted(serves)]
            small.add(FEATURE_PIN, ("e", view), content | {"serves": refs})
    models = ["a", "b", "c"][: draw(st.integers(1, 3))]
    for place, model in enumerate(models):
        small.add(MODEL, (model,), {"model": model, "owner": "o"})
        for minor in range(draw(st.integers(1, 3))):
            small.add(
                VERSION, (model, f"1.{minor}.0"), _version(draw, small, model, f"1.{minor}.0", models[:place])
            )
        pinned = draw(st.sampled_from([version for name, version in small.refs if name == model]))
        if place == 0 or draw(st.integers(0, 5)):
            stable = {"version": small.refs[model, pinned]}
            small.add(PIN, ("e", model), {"environment": "e", "model": model, "stable": stable})
    return small


def _version(draw: st.DrawFn, small: Small, model: str, number: str, earlier: list[str]) -> Keys:
    views = draw(st.lists(st.sampled_from(["u", "v"]), min_size=1, max_size=2, unique=True))
    reads, features = [], []
    for view in views:
        fields = draw(st.lists(st.sampled_from(["x", "y"]), min_size=1, max_size=2, unique=True))
        reads += [f"{view}.{name}" for name in fields]
        trained = draw(st.sampled_from([ref for (name, _), ref in small.refs.items() if name == view]))
        features.append({"view": view, "schema": trained})
    needs = []
    if earlier and draw(st.booleans()):
        other = draw(st.sampled_from(earlier))
        needed = draw(st.sampled_from([ref for (name, _), ref in small.refs.items() if name == other]))
        needs.append({"model": other, "version": needed})
    inputs = [{"name": "t", "dtype": "float32", "shape": [-1, len(reads)], "from": reads}]
    return {
        "model": model, "version": number, "features": features, "needs": needs, "signature": {"inputs": inputs},
    }  # fmt: skip
