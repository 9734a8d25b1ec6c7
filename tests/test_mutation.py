"""Change any single leaf of any file of the example registry: it is a finding, or provably harmless.

Every scalar (and every empty list or map) of every file is deleted and perturbed, one at a time, and the
rules judge the patched registry. What they let pass must be in mutation_harmless.yaml, with the reason
why it can do no harm; an entry of that table that no mutation needs is a failure too.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import cache, partial
from pathlib import Path
from typing import Any

import yaml

from modelspec.api.build import Built, build
from modelspec.api.catalogue import CATALOGUE
from modelspec.compile.render import HoleRenderer
from modelspec.rules.rule import Rule, Scene
from modelspec.rules.run import run
from modelspec.spec.reader import Reader
from modelspec.spec.registry import Registry
from modelspec.tree.data import Data, at
from modelspec.tree.place import Route, pointer
from modelspec.tree.snapshot import REGULAR, Blob, DictSnapshot, Patched, Snapshot, blob_id
from modelspec.tree.yaml import read

ROOT = Path(__file__).parent.parent
NOW = datetime(2026, 11, 24, tzinfo=UTC)
SIBLINGS = (
    ("staging", "production", "development"),
    ("current", "numbered"),
    ("lower", "higher"),
    ("float32", "float64", "int64", "string"),
    ("NONE", "FULL"),
    ("identity", "minmax", "zscore", "ordinal"),
    ("category", "constant"),
    (">=", "<="),
    ("verified", "recorded", "unknown"),
    ("eta", "fraud"),
    ("trip_features", "payment_features"),
    ("required",),
    ("archived", "withdrawn"),
)
"""Words that stand for one another: other enum values and other names of the same kind."""


@dataclass(frozen=True)
class Mutation:
    """One leaf of one file, changed in one way; `route` "" and `how` "delete" is the whole file."""

    path: str
    route: str
    how: str
    content: bytes | None

    def __str__(self) -> str:
        return f"{self.path}{self.route} {self.how}"


class Example(DictSnapshot):
    """The example in memory, with the ids of its blobs known: a mutation reads one file anew, not all."""

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(files)
        self._blobs = {
            path: Blob(REGULAR, partial(bytes, data), blob_id(data)) for path, data in files.items()
        }

    def get(self, path: str) -> Blob | None:
        return self._blobs.get(path)


@cache
def example() -> Example:
    folders = (ROOT / "registry", ROOT / "templates")
    files = sorted(path for folder in folders for path in folder.rglob("*") if path.is_file())
    return Example({path.relative_to(ROOT).as_posix(): path.read_bytes() for path in files})


def leaves(node: Data, route: Route = ()) -> Iterator[Route]:
    """Yield the routes of all scalars and of all empty lists and maps."""
    if isinstance(node, dict) and node:
        for key, child in node.items():
            yield from leaves(child, (*route, key))
    elif isinstance(node, list) and node:
        for index, child in enumerate(node):
            yield from leaves(child, (*route, index))
    else:
        yield route


def perturbed(value: Data) -> Iterator[tuple[str, Data]]:
    """Yield other values of the same type, each with what was done to it."""
    if isinstance(value, bool):
        yield "negate", not value
    elif isinstance(value, int | float):
        yield "more", value + 1
        yield "less", value - 1
    elif isinstance(value, str):
        digits = [match.start() for match in re.finditer(r"[0-9]", value.partition("@")[0])]
        if digits:
            last = digits[-1]
            yield "digit", f"{value[:last]}{(int(value[last]) + 1) % 10}{value[last + 1 :]}"
        if "sha256:" in value:
            yield "digest", value[:-1] + ("0" if value[-1] != "0" else "1")
        else:
            yield "letter", value + "x"
        for family in SIBLINGS:
            if value in family:
                yield from (("word", word) for word in family if word != value)


def mutations() -> Iterator[Mutation]:
    for path, blob in example().walk("registry"):
        source = blob.read()
        assert isinstance(source, bytes)
        data, faults = read(source)
        assert not faults
        yield Mutation(path, "", "delete", None)
        for route in leaves(data):
            yield Mutation(path, pointer(route), "delete", _without(data, route))
            for how, value in perturbed(at(data, route)):
                yield Mutation(path, pointer(route), how, _with(data, route, value))


def _with(data: Data, route: Route, value: Data) -> bytes:
    changed: Any = copy.deepcopy(data)
    at(changed, route[:-1])[route[-1]] = value  # type: ignore[index,call-overload]
    return _written(changed)


def _without(data: Data, route: Route) -> bytes:
    changed: Any = copy.deepcopy(data)
    del at(changed, route[:-1])[route[-1]]  # type: ignore[union-attr,arg-type]
    return _written(changed)


def _written(data: Data) -> bytes:
    # JSON is YAML, and keeps the order of keys.
    return json.dumps(data, ensure_ascii=False, indent=1).encode()


def _stages() -> Iterator[list[Rule]]:
    """The rules in the order of what they cost: most mutations are found by the first."""
    yield [one for one in CATALOGUE if one.family in ("MS0", "MS1")]
    yield [one for one in CATALOGUE if one.family not in ("MS0", "MS1", "MS6")]
    yield [one for one in CATALOGUE if one.family == "MS6"]


STAGES = tuple(_stages())
READER = Reader()
RENDERER = HoleRenderer()


@cache
def targets() -> dict[object, Any]:
    """What a run remembers of templates/, which no mutation touches."""
    scene = Scene(Registry(example(), READER), RENDERER, catalogue=CATALOGUE, now=NOW)
    assert run(CATALOGUE, scene) == (), "the example itself is clean"
    return {key: made for key, made in scene.memo.items() if key == "hole-renderer" or key[0] == "target"}  # type: ignore[index]


def is_found(mutation: Mutation) -> bool:
    registry = Registry(Patched(example(), {mutation.path: mutation.content}), READER)
    scene = Scene(registry, RENDERER, catalogue=CATALOGUE, now=NOW, memo=dict(targets()))
    return any(run(stage, scene) for stage in STAGES)


@cache
def table() -> list[dict[str, Any]]:
    return list(yaml.safe_load((Path(__file__).parent / "mutation_harmless.yaml").read_text("utf-8")))


def _explains(entry: dict[str, Any], mutation: Mutation) -> bool:
    return (
        fnmatchcase(mutation.path, entry["path"])
        and fnmatchcase(mutation.route, entry["route"])
        and mutation.how in entry["how"]
    )


@cache
def let_pass() -> tuple[Mutation, ...]:
    return tuple(mutation for mutation in mutations() if not is_found(mutation))


def test_every_mutation_is_found_or_provably_harmless() -> None:
    left = [str(one) for one in let_pass() if not any(_explains(entry, one) for entry in table())]
    assert left == []


def test_every_entry_of_the_table_is_needed_and_says_why() -> None:
    for index, entry in enumerate(table()):
        assert set(entry) == {"path", "route", "how", "reason"}
        assert len(entry["reason"]) > 30
        passed = [one for one in let_pass() if _explains(entry, one)]
        assert passed, f"no mutation that passes matches {entry}"
        assert {one.how for one in passed} == set(entry["how"]), f"some of this is found anyway: {entry}"
        assert not any(_explains(other, one) for one in passed for other in table()[:index]), entry


def written_over(source: bytes) -> Iterator[tuple[str, bytes | None]]:
    """Yield other contents of a file of a target: none, one line less, one byte more."""
    lines = source.splitlines(keepends=True)
    yield "delete", None
    yield "blank", source + b"\n"
    for at_line in {0, len(lines) // 2, len(lines) - 1}:
        yield f"without line {at_line}", b"".join(lines[:at_line] + lines[at_line + 1 :])


def test_a_change_of_a_target_is_found_or_shows_in_what_is_compiled() -> None:
    """Templates are no data, so there is no table: `compile --check` sees each change of each file."""

    def compiled(snapshot: Snapshot) -> Built:
        return build(Registry(snapshot, READER), renderer=RENDERER, trusted=frozenset())

    before = compiled(example()).outputs
    left = []
    for path, blob in example().walk("templates"):
        source = blob.read()
        assert isinstance(source, bytes)
        for how, content in written_over(source):
            built = compiled(Patched(example(), {path: content}))
            if not built.blocked and built.outputs == before:
                left.append(f"{path} {how}")
    assert left == []


def test_mutations_are_many_and_of_every_kind() -> None:
    """The walk itself is not empty: it reaches every file, every leaf and every way of changing one."""
    made = list(mutations())
    assert len(made) > 1000
    assert {one.path for one in made} == {path for path, _ in example().walk("registry")}
    deleted = {(one.path, one.route) for one in made if one.how == "delete" and one.route}
    changed = {(one.path, one.route) for one in made if one.how != "delete"}
    # Nothing can be put in the place of an empty list or map, or of what is not there.
    empty = {
        (path, pointer(route))
        for path, blob in example().walk("registry")
        for route in leaves(read(bytes(blob.read()))[0])  # type: ignore[arg-type]
        if at(read(bytes(blob.read()))[0], route) in ([], {})  # type: ignore[arg-type]
    }
    assert deleted == changed | empty
    assert {one.how for one in made} == {
        "delete", "digit", "digest", "letter", "less", "more", "negate", "word",
    }  # fmt: skip
