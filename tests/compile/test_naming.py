"""Names of objects fit the system and are never shared; integers keep the order of versions."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelspec.compile.naming import integer, object_name
from modelspec.spec.semver import precedence
from modelspec.spec.target import Naming
from modelspec.tree.paths import NAME

LABEL = Naming(pattern="dns-label", max=46)
names = st.one_of(
    st.from_regex(NAME, fullmatch=True),
    st.sampled_from(["eta", "eta-b", "eta-canary", "a.b", "a-b", "2fast", "eta-1a2b3c4d", "x" * 63]),
    st.builds("{}-{}".format, st.sampled_from(["eta", "a.b"]), st.from_regex("[a-f0-9]{8}", fullmatch=True)),
)
slots = st.one_of(st.sampled_from(["stable", "canary", "standby", "shadow"]), names)


@pytest.mark.parametrize(
    ("model", "slot", "name"),
    [
        ("eta", "stable", "eta"),
        ("eta", "canary", "eta-canary"),
        ("road-embedder", "standby", "road-embedder-standby"),
        ("eta", "b", "eta-b-HASH"),
        ("eta-canary", "stable", "eta-canary-HASH"),
        ("a.b", "stable", "a-b-HASH"),
        ("2fast", "stable", "m-2fast-HASH"),
        ("x" * 60, "canary", "x" * 37 + "-HASH"),
    ],
)
def test_names_are_readable_where_they_can_be(model: str, slot: str, name: str) -> None:
    found = object_name(model, slot, LABEL)
    assert re.fullmatch(re.escape(name).replace("HASH", "[0-9a-f]{8}"), found)


@given(
    names, slots, st.sampled_from(["dns-label", "dns-subdomain", "identifier", "path"]), st.integers(16, 255)
)
def test_names_fit_the_pattern(model: str, slot: str, pattern: str, most: int) -> None:
    name = object_name(model, slot, Naming.model_validate({"pattern": pattern, "max": most}))
    assert len(name) <= most
    wanted = {
        "dns-label": r"[a-z]([-a-z0-9]*[a-z0-9])?",
        "dns-subdomain": r"[a-z0-9]([-.a-z0-9]*[a-z0-9])?",
        "identifier": r"[A-Za-z_][A-Za-z0-9_]*",
        "path": r"[a-z0-9]([-.a-z0-9]*[a-z0-9])?",
    }[pattern]
    assert re.fullmatch(wanted, name)


@given(st.lists(st.tuples(names, slots), min_size=2, max_size=30, unique=True), st.sampled_from([16, 46]))
def test_no_two_slots_of_any_models_share_a_name(pairs: list[tuple[str, str]], most: int) -> None:
    naming = Naming(pattern="dns-label", max=most)
    found = [object_name(model, slot, naming) for model, slot in pairs]
    assert len(set(found)) == len(found)


@pytest.mark.parametrize(
    ("version", "number"),
    [
        ("0.0.0", 999), ("1.2.3", 1_002_003_999), ("1.2.3-rc.1", 1_002_003_001),
        ("1.2.3-rc.998", 1_002_003_998), ("12.999.999", 12_999_999_999),
        ("9007199.254.739", 9_007_199_254_739_999),
        ("1.1000.0", None), ("1.0.1000", None), ("1.2.3-rc.999", None), ("1.2.3-beta.1", None),
        ("1.2.3-rc", None),
        ("9007199.254.740", None), ("999999999.0.0", None),
    ],
)  # fmt: skip
def test_integers_follow_the_formula(version: str, number: int | None) -> None:
    assert integer(version) == number


parts = st.integers(0, 999)
candidates = st.one_of(st.just(""), st.builds("-rc.{}".format, st.integers(0, 998)))
versions = st.builds("{}.{}.{}{}".format, parts, parts, parts, candidates)


@given(versions, versions)
def test_integers_keep_the_order_of_versions(one: str, two: str) -> None:
    first, second = integer(one), integer(two)
    assert first is not None and second is not None
    assert (first < second) == (precedence(one) < precedence(two))
    assert (first == second) == (one == two)
