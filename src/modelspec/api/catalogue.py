"""The catalogue of rules: every family, in the order of codes. Rule families do not know of one another."""

from __future__ import annotations

from typing import Final

from modelspec.compile import rules as rendering
from modelspec.rules import (
    artifacts,
    attributes,
    compatible,
    complete,
    contract,
    exact,
    frozen,
    gates,
    hashes,
    known,
    layout,
    pins,
    placeholders,
    published,
    reading,
    retention,
    served,
    settings,
    signature,
    sources,
    transition,
    waivers,
    window,
)
from modelspec.rules.rule import Rule, family

_MODULES: Final = (
    reading,
    layout,
    attributes,
    settings,
    retention,
    hashes,
    complete,
    exact,
    placeholders,
    signature,
    sources,
    frozen,
    gates,
    known,
    served,
    contract,
    compatible,
    published,
    transition,
    window,
    pins,
    waivers,
    rendering,
    artifacts,
)

CATALOGUE: Final[tuple[Rule, ...]] = tuple(
    sorted((one for module in _MODULES for one in family(module)), key=lambda one: one.code)
)
"""All rules."""
