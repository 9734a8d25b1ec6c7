"""The demo's engine, looked at like any other: who answers there is written down as a receipt."""

from __future__ import annotations

from typing import Protocol


class Says(Protocol):
    """Runs a command, shows it and what it prints, and returns that."""

    def say(self, *command: str) -> str: ...


def looked(clone: Says, environment: str, address: str, version: str) -> bool:
    """Observe the live endpoint; whether a receipt of this version was written."""
    said = clone.say("modelspec", "observe", "--env", environment, address)
    return f"stable {version}, first seen" in said


def told(clone: Says, model: str, environment: str) -> bool:
    """Show what was declared beside what served; whether they are in step."""
    clone.say("modelspec", "timeline", model, environment)
    clone.say("modelspec", "drift", environment)
    # It would have ended with another code than 0.
    return "serves" in clone.say("modelspec", "wait", model, environment, "--timeout", "0s")
