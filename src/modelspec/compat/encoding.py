"""Codes, vectors and widths: what a field becomes when it is served."""

from __future__ import annotations

from typing import Final

from modelspec.spec.feature import Feature

CODED: Final = frozenset({"ordinal", "onehot", "hash", "bucket"})
"""Kinds whose numbers are names: they have no unit."""


def codes(field: Feature) -> dict[str, int]:
    """Return the code of each category; without `codes`, the order of the raw categories.

    A category that stands in for missing ones comes last where it is not listed.
    """
    if field.transform is None or field.transform.kind not in ("ordinal", "onehot"):
        return {}
    if field.transform.codes is not None:
        return field.transform.codes
    listed = field.source.categories if field.source is not None else ()
    order = list(dict.fromkeys(listed))
    stand_in = unknown_category(field)
    if order and stand_in is not None and stand_in not in order:
        order.append(stand_in)
    return {category: code for code, category in enumerate(order)}


def unknown_category(field: Feature) -> str | None:
    """Return the category that unknown ones are mapped to, or None."""
    missing = field.missing
    if missing is None or missing.policy != "category" or missing.value is None:
        return None
    return str(missing.value)


def dimensions(field: Feature) -> tuple[int | str, ...]:
    """Return the shape of one served value: () for a number; a symbolic dimension is a name or -1."""
    if field.shape:
        return field.shape
    if field.transform is not None and field.transform.kind == "onehot":
        return (len(codes(field)),) if codes(field) else (-1,)
    if field.embedding is not None:
        return (field.embedding.dimension,)
    return ()


def is_symbolic(dimension: int | str) -> bool:
    """Whether a dimension has no fixed size."""
    return isinstance(dimension, str) or dimension < 0


def width(field: Feature) -> int | None:
    """Return how many numbers one served value has, or None when a dimension is symbolic."""
    product = 1
    for dimension in dimensions(field):
        if not isinstance(dimension, int) or dimension < 0:
            return None
        product *= dimension
    return product
