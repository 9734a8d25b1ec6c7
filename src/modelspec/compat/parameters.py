"""The parameters of one transformation, judged by themselves."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from modelspec.compat import describe
from modelspec.compat.encoding import codes, unknown_category
from modelspec.compat.flaw import Flaw
from modelspec.compat.numbers import is_number
from modelspec.spec.feature import Feature, Transform

_KEYS: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    # kind: (required, also allowed)
    "identity": ((), ()),
    "minmax": (("min", "max"), ("clip",)),
    "zscore": (("mean", "std"), ("clip",)),
    "linear": (("slope", "intercept"), ("clip",)),
    "log": ((), ("base", "offset")),
    "bucket": (("edges",), ()),
    "ordinal": ((), ("codes",)),
    "onehot": ((), ("codes",)),
    "hash": (("buckets",), ("function", "seed")),
    "code": (("digest",), ()),
}
_FROM_NUMBERS: Final = frozenset({"minmax", "zscore", "linear", "log", "bucket"})


def parameter_flaws(field: Feature) -> Iterator[Flaw]:
    """Yield what is missing, in the way or impossible in a field's transformation."""
    transform = field.transform
    if transform is None:
        return
    required, optional = _KEYS[transform.kind]
    given = {name for name, value in transform if name != "kind" and value is not None and value != ()}
    for name in required:
        if name not in given:
            yield Flaw(
                ("transform",),
                f"{field.name}'s transformation {transform.kind} has no {name}",
                f"add `{name}`",
            )
    for name in sorted(given - {*required, *optional}):
        takes = ", ".join((*required, *optional)) or "no parameters"
        yield Flaw(
            ("transform", name), f"{transform.kind} has no parameter {name}",
            f"remove it: {transform.kind} takes {takes}",
        )  # fmt: skip
    if any(isinstance(value, float) and not math.isfinite(value) for _, value in transform):
        yield Flaw(("transform",), f"{field.name}'s transformation has a parameter that is not finite",
                   "write finite numbers")  # fmt: skip
        return
    yield from _impossible(field, transform)
    yield from _types(field, transform)
    if transform.kind in ("ordinal", "onehot"):
        yield from _codes(field, transform)


def _impossible(field: Feature, transform: Transform) -> Iterator[Flaw]:
    name = field.name
    if transform.min is not None and transform.max is not None and transform.max <= transform.min:
        told = f"max {describe.number(transform.max)} is not above min {describe.number(transform.min)}"
        yield Flaw(("transform", "max"), f"{name}: {told}", "correct min or max", ("transform", "min"))
    if transform.std is not None and transform.std <= 0:
        yield Flaw(
            ("transform", "std"), f"{name}: a standard deviation of {describe.number(transform.std)}",
            "write a number above 0",
        )  # fmt: skip
    if transform.slope == 0:
        yield Flaw(("transform", "slope"), f"{name}: with slope 0 all values are one", "correct the slope")
    if transform.clip and transform.kind in ("zscore", "linear") and field.range is None:
        yield Flaw(("transform", "clip"), f"{name} is clipped to its range, and has none", "declare `range`")
    if transform.base is not None and (transform.base <= 0 or transform.base == 1):
        yield Flaw(
            ("transform", "base"), f"{name}: there is no logarithm of base {describe.number(transform.base)}",
            "write a base above 0, not 1",
        )  # fmt: skip
    if any(after <= before for before, after in pairwise(transform.edges)):
        yield Flaw(("transform", "edges"), f"{name}: the edges do not rise", "sort them, each once")
    raw = field.source.range if field.source is not None else None
    offset = transform.offset or 0.0
    if transform.kind == "log" and raw is not None and raw[0] + offset <= 0:
        yield Flaw(
            ("transform",),
            f"{name}: there is no logarithm of {describe.number(raw[0] + offset)}, the least raw value "
            "with its offset",
            "raise the offset, or correct the raw range",
            ("source", "range"),
        )


def _types(field: Feature, transform: Transform) -> Iterator[Flaw]:
    """What a kind of transformation reads, and what it gives."""
    if transform.kind not in ("identity", "code") and not is_number(field.dtype):
        yield Flaw(
            ("transform", "kind"), f"{field.name} is served as {field.dtype}: {transform.kind} gives numbers",
            "correct the dtype, or move the categories to the served side", ("dtype",),
        )  # fmt: skip
    raw = field.source.dtype if field.source is not None else None
    if transform.kind in _FROM_NUMBERS and raw is not None and not is_number(raw):
        yield Flaw(
            ("source", "dtype"), f"{field.name}'s raw value is {raw}: {transform.kind} reads numbers",
            "correct the raw dtype or the transformation", ("transform", "kind"),
        )  # fmt: skip


def _codes(field: Feature, transform: Transform) -> Iterator[Flaw]:
    """Every raw category has a code, every code a category, and no two have one."""
    categories = field.source.categories if field.source is not None else ()
    if not categories:
        yield Flaw(
            ("transform",), f"{field.name} has codes, and its raw categories are not listed",
            "list them in `source: {categories: [...]}`",
        )  # fmt: skip
    if transform.codes is None:
        return
    stand_in = unknown_category(field)
    missing = [one for one in categories if one not in transform.codes]
    if missing:
        yield Flaw(
            ("transform", "codes"), f"{field.name} has no code for {describe.names(missing)}",
            "add one for each category", ("source", "categories"),
        )  # fmt: skip
    seen: dict[int, str] = {}
    for category, code in transform.codes.items():
        route = ("transform", "codes", category)
        other = seen.setdefault(code, category)
        if other != category:
            yield Flaw(
                route, f"{field.name}: {describe.names([other, category])} share the code {code}",
                "give each category its own", ("transform", "codes", other),
            )  # fmt: skip
        if code < 0:
            yield Flaw(route, f"{field.name}: the code {code} is below 0", "count from 0")
        if categories and category not in categories and category != stand_in:
            yield Flaw(
                route, f"{field.name} has a code for {describe.word(category)}, which is no raw category",
                "remove it, or list the category", ("source", "categories"),
            )  # fmt: skip
    if transform.kind == "onehot" and sorted(codes(field).values()) != list(range(len(transform.codes))):
        yield Flaw(
            ("transform", "codes"), f"{field.name}: positions of a one-hot vector count from 0 without gaps",
            f"number them 0 to {len(transform.codes) - 1}",
        )  # fmt: skip
