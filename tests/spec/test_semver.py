"""SemVer precedence, as semver.org orders its own example."""

from __future__ import annotations

import itertools

from modelspec.spec.semver import precedence

ORDERED = [
    "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11",
    "1.0.0-rc.1", "1.0.0", "1.0.10", "1.2.0", "1.10.0", "2.0.0",
]  # fmt: skip


def test_the_order_of_semver_org() -> None:
    for low, high in itertools.combinations(ORDERED, 2):
        assert precedence(low) < precedence(high)


def test_a_version_equals_itself() -> None:
    assert precedence("1.0.0-rc.1") == precedence("1.0.0-rc.1")
