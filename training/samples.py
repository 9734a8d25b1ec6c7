"""The data that the example's models learn from: synthetic, seeded, and in need of numpy alone."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

Columns = dict[str, NDArray[Any]]
Sample = tuple[Columns, NDArray[np.float64]]

HELD_OUT = 0.2
"""The share of rows, at the end of a sample, that a model is not trained on."""


def trips(seed: int, rows: int, slowness: float) -> Sample:
    """Synthetic trips and how many minutes they took; `slowness` is how traffic drifts between samples."""
    rng = np.random.default_rng(seed)
    cities = rng.choice(["ams", "ber", "lis", ""], size=rows, p=[0.4, 0.3, 0.25, 0.05])
    raw: Columns = {
        "distance_km": np.round(rng.gamma(3.0, 7.0, rows).clip(0.2, 120.0), 2),
        "city": cities,
        "departure_hour": rng.integers(0, 24, rows),
        "rain": np.round(np.where(rng.random(rows) < 0.7, 0.0, rng.gamma(1.2, 6.0, rows)).clip(0.0, 80.0), 1),
    }
    pace = np.select([cities == "ams", cities == "ber", cities == "lis"], [1.7, 1.4, 1.55], 1.5)
    rush = np.where(np.isin(raw["departure_hour"], [7, 8, 9, 16, 17, 18]), 1.35, 1.0)
    minutes = 3.0 + raw["distance_km"] * pace * rush * slowness + raw["rain"] * 0.25
    return raw, np.round(minutes + rng.normal(0.0, 1.5, rows), 2).clip(1.0, None)


def payments(seed: int, rows: int, pressure: float) -> Sample:
    """Synthetic payments and which were fraud; `pressure` shifts how much of it there is."""
    rng = np.random.default_rng(seed)
    raw: Columns = {
        "amount_eur": np.round(rng.gamma(2.0, 30.0, rows).clip(0.5, 2000.0), 2),
        "attempts_24h": rng.poisson(1.2, rows).clip(0, 50),
        "card_country": rng.choice(["de", "nl", "pt", ""], size=rows, p=[0.45, 0.3, 0.15, 0.1]),
        "account_age_days": rng.integers(0, 3651, rows),
        "hour": rng.integers(0, 24, rows),
    }
    score = (
        raw["amount_eur"] / 55.0
        + raw["attempts_24h"] * 0.8
        + np.where(raw["card_country"] == "", 1.6, 0.0)
        - raw["account_age_days"] / 900.0
        + np.where(raw["hour"] < 5, 1.1, 0.0)
        + rng.normal(0.0, 0.8, rows)
    )
    return raw, (score > 3.1 - pressure).astype(np.float64)


def data_digest(x: NDArray[np.float32], y: NDArray[np.float64]) -> str:
    """Digest of the sample as the model saw it: little-endian float32 rows, then float64 labels."""
    return "sha256:" + hashlib.sha256(x.astype("<f4").tobytes() + y.astype("<f8").tobytes()).hexdigest()
