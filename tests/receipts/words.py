"""Receipts and declarations in few words, for the tests beside this file."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

from modelspec.spec.history import Commit
from modelspec.spec.receipt import Receipt, ReceiptSlot, written
from modelspec.trace.declared import Declaration

DAY = datetime(2026, 10, 1, tzinfo=UTC)


def clock(text: str) -> datetime:
    """Return an instant of the day: `14:02`, `14:02:30`; `1.14:02` is the next day."""
    day, _, time = text.rpartition(".")
    parts = [int(part) for part in time.split(":")]
    return DAY + timedelta(
        days=int(day or 0), hours=parts[0], minutes=parts[1], seconds=(*parts, 0)[2] if len(parts) > 2 else 0
    )


def digest(name: str) -> str:
    """Return the digest that stands for a version called `name`."""
    return "sha256:" + hashlib.sha256(name.encode()).hexdigest()


def slots(text: str) -> tuple[ReceiptSlot, ...]:
    """Return slots: `A`, `A 90 B 10` (stable, canary), `A 100 -B 0` (stable, standby), "" for none."""
    words = text.split()
    pairs = [(words[0], "100")] if len(words) == 1 else list(zip(words[::2], words[1::2], strict=True))
    names = iter(["stable", "canary"])
    found = [
        ReceiptSlot(
            slot="standby" if name.startswith("-") else "unknown" if name.startswith("?") else next(names),
            digest=digest(name.lstrip("-?")),
            share=float(share),
        )
        for name, share in pairs
    ]
    return tuple(sorted(found, key=lambda slot: (slot.slot, slot.digest)))


def receipt(
    state: str,
    since: str,
    observed: str | None = None,
    source: str = "argocd",
    commit: str | None = None,
    cluster: str | None = None,
    model: str = "eta",
) -> Receipt:
    """Return a receipt; without `observed` it was merely seen."""
    return Receipt(
        environment="production",
        model=model,
        slots=slots(state),
        since=written(clock(since)),
        observed=written(clock(observed or since)),
        commit=None if commit is None else commit * 40,
        cluster=cluster,
        source=source,
        evidence="as the test says",
    )


def declared(*states: tuple[str, str]) -> list[Declaration]:
    """Return declarations from (time, state)."""
    return [
        Declaration(Commit(f"{index:040x}", clock(time), "Ada", "ada@example.com", "A change"), slots(state))
        for index, (time, state) in enumerate(states)
    ]
