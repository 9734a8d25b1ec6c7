"""Pins that are read when they are asked for, and words that are looked for without reading."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import Git
from modelspec.compat.pinned import Lazily, holding, naming, needing, needing_ahead, publishing
from modelspec.compat.search import FEW, begin_needs
from modelspec.compat.world import World
from modelspec.spec.kinds import PIN, VERSION
from modelspec.spec.registry import Registry
from modelspec.tree.snapshot import DictSnapshot, Patched
from modelspec.world.git import open_repository
from modelspec.world.gittree import GitSnapshot
from rules.cases import edited
from world.trees import put


@given(
    st.dictionaries(st.sampled_from("abcde"), st.none() | st.integers()),
    st.lists(st.tuples(st.sampled_from("abcdef"), st.integers())),
)
def test_it_is_the_mapping_that_it_stands_for(
    made: Mapping[str, int | None], placed: list[tuple[str, int]]
) -> None:
    asked: list[str] = []

    def make(name: str) -> int | None:
        asked.append(name)
        return made.get(name)

    lazily = Lazily(lambda: sorted(made), make)
    assert not asked
    plain = {name: value for name, value in made.items() if value is not None}
    for name, value in placed:
        lazily, plain = lazily.with_one(name, value), {**plain, name: value}
    assert dict(lazily) == plain and len(lazily) == len(plain)
    assert all(lazily.get(name) == plain.get(name) for name in "abcdefg")
    assert lazily.placed == {name for name, _ in placed}
    assert len(asked) <= len(set(asked)) * (1 + len(placed))


def test_who_needs_others_is_told_from_the_bytes() -> None:
    registry = Registry(edited([]).snapshot())
    for environment in ("staging", "production"):
        true = {
            pin.value.model
            for pin in registry.entries(PIN, environment)
            for _, _, ref in pin.value.slots()
            if (version := registry.value(VERSION, pin.value.model, ref.partition("@")[0])) is not None
            and version.value.needs
        }
        assert true <= needing(Registry(registry.snapshot), environment)
        world = World.of(registry, environment)
        assert {who for users in world.dependents.values() for who, _, _ in users} == true


def test_a_word_that_is_spelled_with_escapes_is_not_overlooked() -> None:
    files = {"a.yaml": b"needs: []\n", "b.yaml": b'"n\\u0065eds": []\n', "c.yaml": b"wants: []\n"}
    registry = Registry(DictSnapshot(files))
    found = holding(registry, {"a.yaml": "a", "b.yaml": "b", "c.yaml": "c", "gone.yaml": "d"}, "needs")
    assert found == {"a", "b"}


def test_an_answer_of_what_would_be_counts_and_not_the_file() -> None:
    registry = Registry(edited([]).snapshot())
    pin = registry.value(PIN, "production", "eta")
    assert pin is not None
    elsewhere = Registry(DictSnapshot({pin.path: b"x"})).replaced(pin)
    assert elsewhere.sources((pin.path,)) == {pin.path: pin.document.source}


def test_a_pin_that_spells_its_version_with_escapes_is_not_overlooked() -> None:
    """And digits inside a digest are no version."""
    pin = "registry/environments/p/models/{}.yaml"
    version = "registry/models/{}/versions/1.0.0.yaml"
    files = {
        pin.format("a"): b"stable: {version: 1.0.0@sha256:91a2}\n",
        pin.format("b"): b'stable: {version: "\\u0031.0.0@sha256:91a2"}\n',
        pin.format("c"): b"stable: {version: 2.0.0@sha256:1.0.0}\n",
        **{version.format(model): b"needs: []\n" for model in "abc"},
    }
    assert needing(Registry(DictSnapshot(files)), "p") == {"a", "b"}


def test_what_is_looked_through_later_can_be_read_ahead(git: Git) -> None:
    pin = "registry/environments/p/models/m{}.yaml"
    version = "registry/models/m{}/versions/1.0.0.yaml"
    for at in range(300):
        put(git.root, pin.format(at), f"stable: {{version: 1.0.0@sha256:{at}}}\n")
        put(git.root, version.format(at), f"{'needs' if at % 7 == 0 else 'wants'}: {at}\n")
    git.commit("many")
    found, _, _ = open_repository(str(git.root))
    with GitSnapshot(found, found.resolve("HEAD")) as tree:
        patched = Patched(tree, {version.format(1): b"needs: []\n", version.format(7): None})
        registry = Registry(patched)
        needing_ahead(registry, "p")
        wanted = {f"m{at}" for at in range(0, 300, 7) if at != 7} | {"m1"}
        assert needing(registry, "p") == wanted == needing(Registry(patched), "p")


def test_a_search_of_all_versions_finds_whoever_is_found_among_those_pinned(git: Git) -> None:
    """And one whose other versions need something: who asks reads the pins of all of them."""
    pin = "registry/environments/p/models/m{}.yaml"
    version = "registry/models/m{}/versions/{}.yaml"
    for at in range(FEW + 20):
        put(git.root, pin.format(at), f"stable: {{version: 1.0.0@sha256:{at}}}\n")
        put(git.root, version.format(at, "1.0.0"), f"{'needs' if at % 7 == 0 else 'wants'}: {at}\n")
        put(git.root, version.format(at, "2.0.0"), f"{'needs' if at % 9 == 0 else 'wants'}: view-{at}\n")
    put(git.root, version.format("elsewhere", "1.0.0"), "needs: x\n")
    git.commit("many")
    found, _, _ = open_repository(str(git.root))
    with GitSnapshot(found, found.resolve("HEAD")) as tree:
        assert begin_needs(tree, "p")
        registry = Registry(tree)
        either = {f"m{at}" for at in range(FEW + 20) if at % 7 == 0 or at % 9 == 0}
        assert needing(registry, "p") == either
        assert naming(registry, "p", "needs") == {f"m{at}" for at in range(0, FEW + 20, 7)}
        known = publishing(registry, "p", "needs", "view-5")
        assert known == either | {f"m{at}" for at in range(FEW + 20) if str(at).startswith("5")}
        patched = Patched(tree, {version.format(2, "3.0.0"): b"needs", version.format(7, "1.0.0"): b""})
        assert publishing(Registry(patched), "p", "needs") == either - {"m7"} | {"m2"}


def test_where_versions_are_many_or_pins_few_those_pinned_are_read_and_nothing_is_searched(git: Git) -> None:
    pin = "registry/environments/{}/models/m{}.yaml"
    for at in range(FEW + 1):
        put(git.root, pin.format("p", at), "stable: {version: 0.0.1@sha256:1}\n")
        put(git.root, f"registry/environments/q/models/{at}.yaml", "x\n") if at % 2 else None
        for number in range(13):
            put(
                git.root, f"registry/models/m{at}/versions/0.0.{number}.yaml", "needs\n" if at == 3 else "x\n"
            )
    put(git.root, "registry/environments/q/environment.yaml", "window: {versions: 3, days: 7}\n")
    git.commit("many")
    found, _, _ = open_repository(str(git.root))
    with GitSnapshot(found, found.resolve("HEAD")) as tree:
        assert not begin_needs(tree, "p"), "thirteen versions of each model"
        assert not begin_needs(tree, "q"), "too few pins"
        windowed = Patched(tree, {"registry/environments/p/environment.yaml": b"window: {versions: 2}\n"})
        assert begin_needs(windowed, "p"), "all versions will be asked for"
        assert needing(Registry(tree), "p") == {"m3"}


def test_an_answer_of_what_would_be_counts_in_a_search_and_not_the_file(
    git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = Registry(edited([]).snapshot())
    versions = list(registry.entries(VERSION))
    needy = next(entry for entry in versions if entry.value.needs)
    other = next(entry for entry in versions if b"needs" not in entry.document.source)
    put(git.root, needy.path, "x\n")
    put(git.root, other.path, "needs\n")
    git.commit("the other way round")
    found, _, _ = open_repository(str(git.root))
    with GitSnapshot(found, found.resolve("HEAD")) as tree:
        assert Registry(tree).search("registry/models", ("needs",)) == {other.path}
        replaced = Registry(tree).replaced(needy).replaced(other)
        assert replaced.search("registry/models", ("needs",)) == {needy.path}
        monkeypatch.setattr("modelspec.spec.registry._SEEN", 1)
        assert replaced.search("registry/models", ("needs",)) is None, "what was read needs no search"
