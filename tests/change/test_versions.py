"""Two versions, and two registries, told apart in meaning."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from conftest import ROOT
from modelspec.change.leaves import Leaf, leaves
from modelspec.change.registries import registry_diff
from modelspec.change.versions import version_diff
from modelspec.spec.kinds import VERSION
from modelspec.spec.reader import Entry, Reader
from modelspec.spec.registry import Registry
from modelspec.tree.snapshot import REGULAR, Blob, DictSnapshot, Patched

SOURCE = (ROOT / "registry/models/eta/versions/2.3.0.yaml").read_text()
PLACE = "registry/environments/production"


def version(*edits: tuple[str, str]) -> Entry[Any]:
    text = SOURCE
    for old, new in edits:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    found = Reader().read(VERSION, ("eta", "2.3.0"), "x.yaml", Blob(REGULAR, text.encode))
    assert isinstance(found, Entry), found
    return found


def example() -> DictSnapshot:
    files = [
        path for folder in ("registry", "templates") for path in (ROOT / folder).rglob("*") if path.is_file()
    ]
    return DictSnapshot({path.relative_to(ROOT).as_posix(): path.read_bytes() for path in files})


def registries(**edits: tuple[str, str]) -> tuple[Registry, Registry]:
    tree = example()
    patch = {}
    for path, (old, new) in edits.items():
        data = tree.get(path).read()  # type: ignore[union-attr]
        assert isinstance(data, bytes)
        assert old.encode() in data
        patch[path] = data.replace(old.encode(), new.encode())
    return Registry(tree), Registry(Patched(tree, patch))


def test_a_version_does_not_differ_from_itself() -> None:
    found = version_diff(version(), version())
    assert found.empty
    assert found.moved == ()
    assert len(found.same) == 6


def test_hyperparameters_thresholds_and_metrics_are_told_old_and_new() -> None:
    found = version_diff(
        version(), version(("max_depth: 3", "max_depth: 4"), ("mae_minutes: 1.7387", "mae_minutes: 1.5"))
    )
    assert found.moved == ("config",)
    assert found.hyperparameters == (Leaf(("config", "hyperparameters", "max_depth"), 3, 4),)
    assert found.metrics == (Leaf(("mae_minutes",), 1.7387, 1.5),)
    assert found.components == found.thresholds == found.contract == ()


def test_the_signature_is_told_by_kind() -> None:
    found = version_diff(version(), version(("unit: min", "unit: s")))
    assert [(one.kind, one.name, one.was, one.now) for one in found.contract] == [
        ("output unit", "minutes", "min", "s")
    ]


def test_a_pin_that_moves_brings_the_difference_of_its_versions() -> None:
    new = Registry(example()).value(VERSION, "eta", "2.3.1")
    old = Registry(example()).value(VERSION, "eta", "2.3.0")
    assert new is not None
    assert old is not None
    base, head = registries(**{f"{PLACE}/models/eta.yaml": (f"2.3.0@{old.digest}", f"2.3.1@{new.digest}")})
    found = registry_diff(base, head, lambda *_: ())
    (pin,) = found.pins
    assert [change.kind for change in pin.changes] == ["promote"]
    (contrast,) = pin.versions
    assert (contrast.was, contrast.now) == ("2.3.0", "2.3.1")
    assert "artifact" in contrast.moved
    assert found.files == []


def test_layout_and_comments_are_told_apart_from_meaning() -> None:
    base, head = registries(**{f"{PLACE}/models/eta.yaml": ("apiVersion", "# a note\napiVersion")})
    found = registry_diff(base, head, lambda *_: ())
    assert found.empty
    assert found.layout == [f"{PLACE}/models/eta.yaml"]


def test_a_broken_pin_is_said_and_hides_nothing() -> None:
    base, head = registries(
        **{
            f"{PLACE}/models/eta.yaml": ("stable:", "stble:"),
            "registry/modelspec.yaml": ("kind: Settings", "kind: Settings\nretention: {days: 7}"),
        }
    )
    found = registry_diff(base, head, lambda *_: ())
    assert [pin.broken for pin in found.pins] == [True]
    assert [one.path for one in found.files] == ["registry/modelspec.yaml"]


def test_what_is_served_is_told_by_the_rows_of_the_table() -> None:
    text = (ROOT / f"{PLACE}/features/trip_features.yaml").read_text()
    one = next(word for word in text.replace("]", " ").replace("[", " ").split() if word.startswith("1@"))
    schema = Registry(example())
    from modelspec.spec.kinds import SCHEMA

    two = schema.value(SCHEMA, "trip_features", "2")
    assert two is not None
    base, head = registries(**{f"{PLACE}/features/trip_features.yaml": (one, f"2@{two.digest}")})
    (served,) = registry_diff(base, head, lambda *_: ()).served
    (contrast,) = served.schemas
    assert (contrast.was, contrast.now) == ("1", "2")
    assert any("distance" in change.message for change in contrast.changes)


DATA = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["a", "b"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xyz"), inner, max_size=3),
    max_leaves=10,
)


@given(DATA)
def test_nothing_differs_from_itself(data: Any) -> None:
    assert list(leaves(data, data)) == []


@given(DATA, DATA)
def test_both_ways_the_same_leaves_differ(one: Any, two: Any) -> None:
    there, back = list(leaves(one, two)), list(leaves(two, one))
    assert {(leaf.route, repr(leaf.was), repr(leaf.now)) for leaf in there} == {
        (leaf.route, repr(leaf.now), repr(leaf.was)) for leaf in back
    }


def test_zero_is_not_false_and_items_are_paired_by_name() -> None:
    assert list(leaves({"a": 0}, {"a": False})) == [Leaf(("a",), 0, False)]
    assert list(leaves([True], [1])) == [Leaf((), [True], [1])]
    was = [{"name": "x", "v": 1}, {"name": "y", "v": 1}]
    now = [{"name": "y", "v": 2}, {"name": "x", "v": 1}]
    assert list(leaves(was, now)) == [Leaf(("y", "v"), 1, 2), Leaf((), ["x", "y"], ["y", "x"])]
