"""What the feature pipeline serves: raw columns in, one float32 column for each field out.

The contracts of these columns are registry/features/*/N.yaml; each names the commit of this file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Raw = Mapping[str, NDArray[np.generic]]
Column = NDArray[np.float64]

CITIES = {"ams": 0, "ber": 1, "lis": 2, "other": 3}
COUNTRIES = {"de": 0, "nl": 1, "pt": 2, "other": 3}


def minmax(values: NDArray[np.generic], low: float, high: float) -> Column:
    """Scale to 0..1 and clip what lies outside."""
    return np.clip((values.astype(np.float64) - low) / (high - low), 0.0, 1.0)


def zscore(values: NDArray[np.generic], mean: float, std: float) -> Column:
    """Distance from the mean in standard deviations."""
    return (values.astype(np.float64) - mean) / std


def identity(values: NDArray[np.generic]) -> Column:
    """The raw value."""
    return values.astype(np.float64)


def ordinal(values: NDArray[np.generic], codes: Mapping[str, int]) -> Column:
    """The code of each category; a missing or unknown one is `other`."""
    return np.array([codes.get(str(value), codes["other"]) for value in values], dtype=np.float64)


TRIP_SHARED: dict[str, Callable[[Raw], Column]] = {
    "city": lambda raw: ordinal(raw["city"], CITIES),
    "departure_hour": lambda raw: identity(raw["departure_hour"]),
}

VIEWS: dict[tuple[str, int], dict[str, Callable[[Raw], Column]]] = {
    ("trip_features", 1): {
        "distance_norm": lambda raw: minmax(raw["distance_km"], 0.0, 120.0),
        **TRIP_SHARED,
    },
    # The name stayed, the meaning did not: kilometres since schema 2.
    ("trip_features", 2): {
        "distance_norm": lambda raw: identity(raw["distance_km"]),
        **TRIP_SHARED,
    },
    ("payment_features", 1): {
        "amount_z": lambda raw: zscore(raw["amount_eur"], 60.0, 40.0),
        "attempts_24h": lambda raw: identity(raw["attempts_24h"]),
        "card_country": lambda raw: ordinal(raw["card_country"], COUNTRIES),
        "account_age_norm": lambda raw: minmax(raw["account_age_days"], 0.0, 3650.0),
    },
}


def matrix(raw: Raw, sources: Sequence[str], schema: int) -> NDArray[np.float32]:
    """The input tensor of a model whose signature says `from: sources`."""
    columns = []
    for source in sources:
        view, _, field = source.rpartition(".")
        columns.append(identity(raw[field]) if view == "request" else VIEWS[view, schema][field](raw))
    return np.stack(columns, axis=1).astype(np.float32)
