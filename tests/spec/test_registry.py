"""The registry opens a file when it is asked for, at most once, and knows names from paths alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import pytest

from modelspec.spec.kinds import (
    ENVIRONMENT,
    FEATURE_PIN,
    MODEL,
    PIN,
    SCHEMA,
    SETTINGS,
    TARGET,
    VERSION,
    VIEW,
    WAIVER,
)
from modelspec.spec.reader import Broken, Entry
from modelspec.spec.registry import Registry
from modelspec.tree.snapshot import Blob, DictSnapshot, Snapshot, walk

ROOT = Path(__file__).parents[2]


@cache
def example() -> dict[str, bytes]:
    found = [
        path for folder in ("registry", "templates") for path in (ROOT / folder).rglob("*") if path.is_file()
    ]
    return {path.relative_to(ROOT).as_posix(): path.read_bytes() for path in found}


class Watched:
    """A tree that writes down which folders were listed and which files were opened."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self._below = DictSnapshot(files)
        self.listed: list[str] = []
        self.opened: list[str] = []

    def get(self, path: str) -> Blob | None:
        blob = self._below.get(path)
        if blob is None:
            return None

        def load() -> bytes:
            self.opened.append(path)
            data = blob.read()
            assert isinstance(data, bytes)
            return data

        return Blob(blob.mode, load)

    def ls(self, folder: str) -> Sequence[tuple[str, bool]]:
        self.listed.append(folder)
        return self._below.ls(folder)

    def walk(self, under: str) -> Iterator[tuple[str, Blob]]:
        return walk(self, under)

    def changes(self, other: Snapshot) -> Iterator[str]:
        raise AssertionError("not asked for")


@pytest.fixture
def watched() -> Watched:
    return Watched(example())


def test_nothing_is_opened_or_listed_at_construction(watched: Watched) -> None:
    Registry(watched)
    assert watched.listed == watched.opened == []


def test_names_come_from_paths_alone_and_only_of_folders_on_the_way(watched: Watched) -> None:
    registry = Registry(watched)
    assert registry.names(VERSION, "eta") == [("eta", "2.3.0"), ("eta", "2.3.1"), ("eta", "3.0.0")]
    assert watched.listed == ["registry/models/eta/versions"]
    assert registry.names(MODEL) == [("eta",), ("fraud",)]
    assert registry.names(SETTINGS) == [()]
    assert registry.names(WAIVER) == []
    assert registry.names(PIN, "production") == [("production", "eta"), ("production", "fraud")]
    assert registry.names(PIN, "production", "eta") == [("production", "eta")]
    assert registry.names(PIN, "production", "none") == registry.names(PIN, "none") == []
    assert registry.names(SCHEMA, "trip_features") == [("trip_features", "1"), ("trip_features", "2")]
    assert {name for (name,) in registry.names(TARGET)} == {"kserve", "mlserver"}
    assert watched.opened == []


def test_a_file_is_opened_once(watched: Watched) -> None:
    registry = Registry(watched)
    first = registry.get(VERSION, "eta", "2.3.0")
    assert isinstance(first, Entry)
    assert registry.get(VERSION, "eta", "2.3.0") is registry.value(VERSION, "eta", "2.3.0") is first
    assert registry.at(first.path) is first
    assert next(iter(registry.all(VERSION, "eta"))) is first
    assert watched.opened.count(first.path) == 1


def test_a_closure_opens_what_the_pin_reaches_and_no_more(watched: Watched) -> None:
    registry = Registry(watched)
    pin = registry.value(PIN, "production", "eta")
    assert pin is not None
    scope = registry.closure([pin])
    assert [entry.path for entry in scope.entries] == [
        "registry/environments/production/environment.yaml",
        "registry/environments/production/features/trip_features.yaml",
        "registry/environments/production/models/eta.yaml",
        "registry/features/trip_features/1.yaml",
        "registry/features/trip_features/view.yaml",
        "registry/models/eta/model.yaml",
        "registry/models/eta/versions/2.3.0.yaml",
        "registry/modelspec.yaml",
        "templates/kserve/target.yaml",
        "templates/mlserver/target.yaml",
    ]
    assert scope.broken == ()
    assert sorted(watched.opened) == [entry.path for entry in scope.entries]
    assert [entry.name for entry in scope.of(VERSION)] == [("eta", "2.3.0")]


def test_a_closure_of_feature_pins_reaches_their_schemas(watched: Watched) -> None:
    registry = Registry(watched)
    scope = registry.closure([], registry.entries(FEATURE_PIN, "staging"))
    kinds = {entry.kind for entry in scope.entries}
    assert {FEATURE_PIN, VIEW, SCHEMA, ENVIRONMENT, SETTINGS} == kinds


def test_a_broken_file_in_a_closure_is_kept_apart() -> None:
    path = "registry/models/eta/versions/2.3.0.yaml"
    registry = Registry(DictSnapshot(example() | {path: b"a: ["}))
    pin = registry.value(PIN, "production", "eta")
    assert pin is not None
    scope = registry.closure([pin])
    assert [one.path for one in scope.broken] == [path]
    assert path not in [entry.path for entry in scope.entries]
    assert isinstance(registry.get(VERSION, "eta", "2.3.0"), Broken)
    assert registry.value(VERSION, "eta", "2.3.0") is None
    assert [entry.name[1] for entry in registry.entries(VERSION, "eta")] == ["2.3.1", "3.0.0"]


def test_what_is_not_there_is_none() -> None:
    registry = Registry(DictSnapshot({}))
    assert registry.settings is None
    assert registry.get(MODEL, "eta") is registry.value(MODEL, "eta") is None
    assert registry.get(MODEL, "../../etc") is registry.get(VERSION, "eta", "..") is None
    assert registry.at("registry/nothing.yaml") is None
    assert list(registry.files()) == list(registry.all(MODEL)) == []


def test_files_are_all_files_once_whether_a_kind_lives_there_or_not(watched: Watched) -> None:
    strange = Watched(example() | {"registry/notes.txt": b"x"})
    registry = Registry(strange)
    paths = [path for path, _ in registry.files()]
    assert paths == sorted(paths) and "registry/notes.txt" in paths
    assert not any(path.startswith("templates") for path in paths)
    listed = len(strange.listed)
    assert [path for path, _ in registry.files()] == paths
    assert len(strange.listed) == listed
    assert strange.opened == []
