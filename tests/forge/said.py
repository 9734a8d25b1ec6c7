"""What the verbs say in JSON, as the model has it."""

from __future__ import annotations

from typing import Any

from forge.model import Pin


def rows_of(model: str, versions: list[dict[str, Any]]) -> set[tuple[str, ...]]:
    """What `list` and `show` say of versions: (model, version, state, environment, weight)."""
    return {
        (model, row["version"], state["state"], state["environment"] or "", str(state["weight"]))
        for row in versions
        for state in row["states"] or [{"state": "", "environment": "", "weight": None}]
    }


def pin_of(one: dict[str, Any]) -> Pin:
    """What `at` says of a pin."""
    slots = {slot["slot"]: slot for slot in one["slots"]}
    canary = (slots["canary"]["version"], slots["canary"]["weight"]) if "canary" in slots else None
    return Pin(slots["stable"]["version"], canary, (one["hold"] or {}).get("text"))
