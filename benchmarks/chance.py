"""Seeded stand-ins for what a registry records: digests, commits, measured numbers."""

from __future__ import annotations

from random import Random


def digest(random: Random) -> str:
    """Return `sha256:` and 64 hex digits."""
    return f"sha256:{random.getrandbits(256):064x}"


def commit(random: Random) -> str:
    """Return 40 hex digits."""
    return f"{random.getrandbits(160):040x}"


def number(random: Random, least: float, greatest: float) -> float:
    """Return a number with at most four decimals that is not whole."""
    ten_thousandths = random.randint(round(least * 10_000), round(greatest * 10_000) - 1)
    return (ten_thousandths + (ten_thousandths % 10_000 == 0)) / 10_000
