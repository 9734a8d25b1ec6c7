"""`at --served`: what may have served each model in each environment at an instant."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from modelspec.spec.receipt import Receipt
from modelspec.trace.declared import Declaration
from modelspec.trace.receipts import fold
from modelspec.trace.served import Then, of_pin, served_then

DeclaredOf = Callable[[str, str], Sequence[Declaration]]
"""From environment and model to what git declared there, oldest first."""


@dataclass(frozen=True, slots=True)
class ServedPin:
    """What may have served one model in one environment."""

    environment: str
    model: str
    then: Then


def served_at(
    receipts: Iterable[Receipt],
    at: datetime,
    declared: DeclaredOf,
    places: Iterable[tuple[str, str]] = (),
) -> tuple[ServedPin, ...]:
    """Return what may have served at an instant, by (environment, model).

    `places` are those that are asked for although no receipt may name them: the pins of then.
    """
    stretches = fold(receipts)
    named = {place[:2] for place in stretches} | set(places)
    return tuple(
        ServedPin(*place, served_then(of_pin(stretches, *place), at, declared(*place)))
        for place in sorted(named)
    )
