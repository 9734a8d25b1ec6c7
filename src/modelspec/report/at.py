"""What `at` prints: the state that was declared at an instant."""

from __future__ import annotations

from datetime import datetime

from modelspec.api.at import DeclaredFeatures, DeclaredPin, State
from modelspec.report.table import table
from modelspec.report.words import stamp, version, why_data
from modelspec.spec.history import Commit
from modelspec.spec.pinned import Declared
from modelspec.tree.data import Data
from modelspec.tree.text import visible


def slots_of(pin: Declared) -> list[tuple[str, str, int | None]]:
    """Return (slot, version reference, weight in percent); only what answers has a weight."""
    shares = {name: slot.weight for name, slot in pin.variants.items()}
    if pin.canary is not None:
        shares["canary"] = pin.canary.weight
    shares["stable"] = 100 - sum(shares.values())
    return [(slot, ref, shares.get(slot)) for slot, _, ref in pin.slots()]


def at_text(commit: Commit, state: State) -> str:
    """Return the commit, then a table of pins, then one of feature schemas."""
    who = f"{visible(commit.author)}: {visible(commit.subject, 120)}"
    text = f"commit {commit.short} of {stamp(commit.time)} by {who}\n"
    rows = [("ENVIRONMENT", "MODEL", "SLOT", "VERSION", "DIGEST", "WEIGHT")]
    for one in state.pins:
        if one.pin is None:
            rows.append((one.environment, one.model, "the file can't be read", "", "", ""))
            continue
        for slot, ref, weight in slots_of(one.pin):
            share = "" if weight is None else f"{weight}%"
            digest = ref.partition("@")[2][: len("sha256:") + 12]
            rows.append((one.environment, one.model, slot, version(ref), digest, share))
    if len(rows) > 1:
        text += table(rows)
    held = [one for one in state.pins if one.pin is not None and one.pin.hold is not None]
    for one in held:
        assert one.pin is not None and one.pin.hold is not None
        text += f"held: {one.environment}/{one.model}: {visible(one.pin.hold.text, 200)}\n"
    if state.features:
        served = [("ENVIRONMENT", "VIEW", "SERVES", "ACCESS"), *map(_row, state.features)]
        text += ("\n" if len(rows) > 1 else "") + table(served)
    return text if state.pins or state.features else text + "nothing was pinned\n"


def _row(one: DeclaredFeatures) -> tuple[str, str, str, str]:
    serves = "the file can't be read" if one.serves is None else ", ".join(map(version, one.serves))
    return (one.environment, one.view, visible(serves, 200), visible(one.access))


def at_json(instant: datetime, commit: Commit | None, claimed: datetime | None, state: State) -> Data:
    """Return the shape `modelspec/at/1`; `commit` is null before the first one."""
    return {
        "format": "modelspec/at/1",
        "at": stamp(instant),
        "commit": None if commit is None else _commit(commit, claimed),
        "pins": [_pin(one) for one in state.pins],
        "features": [_served(one) for one in state.features],
    }


def _commit(commit: Commit, claimed: datetime | None) -> Data:
    return {
        "id": commit.id,
        "time": stamp(commit.time),
        "claimed_time": None if claimed is None else stamp(claimed),
        "author": {"name": commit.author, "email": commit.email},
        "subject": commit.subject,
    }


def _pin(one: DeclaredPin) -> Data:
    head: dict[str, Data] = {"environment": one.environment, "model": one.model, "path": one.path}
    if one.pin is None:
        return head | {"readable": False}
    slots: list[Data] = [
        {
            "slot": slot,
            "version": version(ref),
            "digest": ref.partition("@")[2],
            "weight": weight,
        }
        for slot, ref, weight in slots_of(one.pin)
    ]
    why: dict[str, Data] = {"reason": why_data(one.pin.reason), "hold": why_data(one.pin.hold)}
    return head | {"readable": True, "slots": slots} | why


def _served(one: DeclaredFeatures) -> Data:
    return {
        "environment": one.environment,
        "view": one.view,
        "path": one.path,
        "readable": one.serves is not None,
        "serves": None if one.serves is None else list(one.serves),
        "access": one.access or None,
    }
