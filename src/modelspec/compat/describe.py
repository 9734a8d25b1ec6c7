"""A contract in a few words, for messages. Texts of files are made visible."""

from __future__ import annotations

from collections.abc import Iterable

from modelspec.compat.encoding import codes
from modelspec.spec.feature import Feature, Missing
from modelspec.tree.text import plural, visible

NOTHING = "not declared"


def number(value: float) -> str:
    """Return a number as people write it: `120`, `0.5`."""
    return f"{value:.6g}" if value != int(value) or abs(value) >= 1e15 else str(int(value))


def interval(values: tuple[float, float] | None) -> str:
    """Return a range: `0 to 120`."""
    return "unbounded" if values is None else f"{number(values[0])} to {number(values[1])}"


def word(value: object) -> str:
    """Return a value of a file in words; `not declared` for None."""
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return number(value)
    return visible(str(value))


def names(values: Iterable[str]) -> str:
    """Return up to three names, and how many more there are."""
    listed = list(values)
    shown = ", ".join(visible(one, 40) for one in listed[:3])
    return shown if len(listed) <= 3 else f"{shown} and {len(listed) - 3} more"


def served(field: Feature) -> str:
    """Return what is served for a field: `raw km`, `minmax, 0 to 1`, `ordinal, 4 codes`."""
    kind = field.transform.kind if field.transform is not None else "identity"
    if kind == "identity":
        return "raw" if field.unit in (None, "1") else f"raw {word(field.unit)}"
    if kind in ("ordinal", "onehot"):
        return f"{kind}, {plural(len(codes(field)), 'code')}"
    return kind if field.range is None else f"{kind}, {interval(field.range)}"


def parameters(field: Feature) -> str:
    """Return the kind of a transformation with its parameters: `minmax(min 0, max 120, clip true)`."""
    if field.transform is None:
        return "identity"
    shown = [
        f"{name} {word(value) if not isinstance(value, tuple | dict) else plural(len(value), 'value')}"
        for name, value in field.transform
        if name != "kind" and value is not None and value != ()
    ]
    return f"{field.transform.kind}({', '.join(shown)})" if shown else field.transform.kind


def missing(policy: Missing | None) -> str:
    """Return a missing policy: `mean 3.5`, `category other`."""
    if policy is None:
        return NOTHING
    return policy.policy if policy.value is None else f"{policy.policy} {word(policy.value)}"


def shape(dimensions: tuple[int | str, ...]) -> str:
    """Return a shape: `[3, n]`, `a single value`."""
    if not dimensions:
        return "a single value"
    return f"[{', '.join(visible(str(one), 20) for one in dimensions)}]"
