"""Bins of the training sample as a version keeps them, and how far a window of requests lies from them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from modelspec.tree.text import visible

FORMAT: Final = "modelspec/reference/1"
_HALF: Final = 0.5
"""Added to every count: a bin that one side left empty would be infinitely far."""


class Unfit(ValueError):
    """The stored reference can't be read; the message says why."""


@dataclass(frozen=True, slots=True)
class Bins:
    """The bins of one feature: of numbers, with one more edge than counts, or of texts.

    A bin of numbers holds its lower edge. The first and the last one are open to their outer side: a value
    that the sample never had is in one of them.
    """

    counts: tuple[int, ...]
    missing: int
    edges: tuple[float, ...] = ()
    categories: tuple[str, ...] = ()
    other: int = 0

    @property
    def total(self) -> int:
        """How many rows the sample had."""
        return sum(self.counts) + self.missing + self.other

    @property
    def labels(self) -> tuple[str, ...]:
        """What each bin is called; of texts, `other` comes last."""
        if self.categories:
            return (*(visible(one, 40) for one in self.categories), "other")
        ends = [f"{edge:.3g}" for edge in self.edges[1:-1]]
        if not ends:
            return ("all",)
        between = [f"{low} to {high}" for low, high in pairwise(ends)]
        return (f"below {ends[0]}", *between, f"from {ends[-1]}")

    @property
    def sample(self) -> tuple[int, ...]:
        """The counts of the sample, as many as labels."""
        return (*self.counts, self.other) if self.categories else self.counts


def read_bins(data: Any) -> dict[str, Bins]:
    """Return the bins by feature from reference.json, already parsed. Raises Unfit for anything else."""
    if not isinstance(data, Mapping) or data.get("format") != FORMAT:
        raise Unfit(f"it is no {FORMAT}")
    features = data.get("features")
    if not isinstance(features, Mapping):
        raise Unfit("it has no map of features")
    return {str(name): _bins(str(name), one) for name, one in features.items()}


def _bins(name: str, one: Any) -> Bins:
    try:
        if "categories" in one:
            kept = {str(text): int(count) for text, count in one["categories"].items()}
            found = Bins(
                tuple(kept.values()), int(one["missing"]), categories=tuple(kept), other=int(one["other"])
            )
        else:
            edges = tuple(float(edge) for edge in one["edges"])
            found = Bins(tuple(int(count) for count in one["counts"]), int(one["missing"]), edges)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        raise Unfit(f"the bins of {visible(name, 40)} are none") from None
    ordered = all(math.isfinite(edge) for edge in found.edges) and list(found.edges) == sorted(found.edges)
    fits = found.categories or len(found.edges) == len(found.counts) + 1
    if not fits or not ordered or any(count < 0 for count in (*found.counts, found.missing, found.other)):
        raise Unfit(f"the bins of {visible(name, 40)} do not fit together")
    return found


def of_field(bins: Mapping[str, Bins], name: str, names: Sequence[str]) -> Bins | None:
    """Return the bins of a field, by `view.field` or by its short name where only one field has that."""
    short = name.rpartition(".")[2]
    if name in bins:
        return bins[name]
    alone = sum(one.rpartition(".")[2] == short for one in names) == 1
    return bins.get(short) if alone else None


def psi(sample: Sequence[int], served: Sequence[int]) -> float:
    """Return the population stability index: the sum over the bins of (p - q) ln(p / q).

    0 is the same distribution; 0.1 and 0.25 are where people begin to look, and to worry.
    """
    left, right = [count + _HALF for count in sample], [count + _HALF for count in served]
    total, other = sum(left), sum(right)
    return sum(
        (q / other - p / total) * math.log((q / other) / (p / total))
        for p, q in zip(left, right, strict=True)
    )


def chance(bins: int, sample: int, served: int) -> float:
    """Return the PSI that chance alone gives two samples of one distribution, on the average."""
    return (bins - 1) * (1 / max(sample, 1) + 1 / max(served, 1))


def quantile(bins: Bins, share: float) -> float | None:
    """Return the value below which a share of the sample lies, between two edges in proportion."""
    total = sum(bins.counts)
    if not bins.edges or not total:
        return None
    seen = 0.0
    for low, high, count in zip(bins.edges, bins.edges[1:], bins.counts, strict=False):
        if count and seen + count >= share * total:
            return low + (high - low) * (share * total - seen) / count
        seen += count
    return bins.edges[-1]


def ks_chance(distance: float, one: int, other: int) -> float:
    """Return how likely chance alone gives two samples of one distribution this KS distance or more.

    Kolmogorov's limit with Stephens's correction for small samples.
    """
    if one == 0 or other == 0:
        return 1.0
    size = math.sqrt(one * other / (one + other))
    scaled = (size + 0.12 + 0.11 / size) * distance
    if scaled < 0.2:
        return 1.0
    signs = (2.0, -2.0)
    total = sum(signs[(k - 1) % 2] * math.exp(-2 * (k * scaled) ** 2) for k in range(1, 101))
    return min(1.0, max(0.0, total))
