"""The generated past: commits that move one pin each, as promotions, canaries and ways back do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Final

from emit import Map, document
from models import PINNED, Line

END: Final = 1790000000
"""Seconds since 1970: when the last commit was made, a few minutes more or less."""
_PEOPLE: Final = ("Ada", "Ben", "Chloe", "Dmitri", "Elif", "Farid", "Grace", "Hiro")
_APART: Final = 600
"""Seconds between two commits, on average."""
_WHY: Final = (
    "Better on last week's data",
    "Retrained on fresh labels",
    "Lower latency at the same quality",
    "Answers were late in the evening",
    "The weekly retrain",
)


@dataclass(frozen=True, slots=True)
class Step:
    """One commit: who made it and when (seconds since 1970), its message, and the pin that it writes."""

    author: str
    time: int
    message: str
    path: str
    content: bytes


@dataclass(slots=True)
class _Pin:
    """A pin on its way through time."""

    path: str
    data: Map
    versions: tuple[str, ...]
    """The versions that it may name, the oldest first."""


def begin(count: int) -> int:
    """Return when a past of `count` commits begins, in seconds since 1970."""
    return END - count * _APART


def past(seed: int, count: int, pins: list[tuple[str, Map, Line]]) -> Iterator[Step]:
    """Yield `count` commits on top of these pins (path, data, the model's versions), the oldest first."""
    random = Random(f"{seed}/past")
    moving = [_Pin(path, data, line.versions[-PINNED:]) for path, data, line in pins]
    time = begin(count)
    for number in range(1, count + 1):
        pin = random.choice(moving)
        time += random.randint(0, 2 * _APART)
        what = _move(random, pin)
        who, reviewer = random.sample(_PEOPLE, 2)
        pin.data["reason"] = {
            "text": random.choice(_WHY),
            "link": f"https://git.example.com/ml/registry/pull/{number}",
        }
        where = f"{pin.data['model']} {pin.data['environment']}"
        message = (
            f"{what[0].capitalize()} {where} {what[1]} (#{number})\n\n"
            f"Reviewed-by: {reviewer} <{reviewer.lower()}@example.com>\n"
            f"Modelspec-Change: {what[0]} {where} {what[1]}\n"
        )
        # Some machines' clocks are an hour behind.
        behind = 3600 if random.random() < 0.02 else 0
        yield Step(who, time - behind, message, pin.path, document(_ordered(pin.data)))


def _move(random: Random, pin: _Pin) -> tuple[str, str]:
    """Change a pin as people do; return what was done, and from what to what."""
    stable, canary = _name(pin.data["stable"]["version"]), pin.data.get("canary")
    if canary is not None:
        share: int = canary["weight"]
        if share < 50 and random.random() < 0.5:
            canary["weight"] = 50
            return "canary", f"{_name(canary['version'])} {share}% -> 50%"
        del pin.data["canary"]
        if random.random() < 0.2:
            return "stop canary", _name(canary["version"])
        pin.data["stable"] = {"version": canary["version"]}
        return "promote", f"{stable} -> {_name(canary['version'])}"
    taken = [pin.data[slot]["version"] for slot in ("stable", "standby", "shadow") if slot in pin.data]
    others = [ref for ref in pin.versions if ref not in taken]
    if not others or ("kserve" in pin.data["serve"] and random.random() < 0.1):
        return _scaled(random, pin)
    chosen = random.choice(others)
    if "kserve" in pin.data["serve"] and random.random() < 0.3:
        pin.data["canary"] = {"version": chosen, "weight": random.choice((5, 10, 25))}
        return "canary", f"{_name(chosen)} at {pin.data['canary']['weight']}%"
    pin.data["stable"] = {"version": chosen}
    back = pin.versions.index(chosen) < len(pin.versions) - 1 and random.random() < 0.3
    return ("roll back" if back else "promote"), f"{stable} -> {_name(chosen)}"


def _scaled(random: Random, pin: _Pin) -> tuple[str, str]:
    """Change nothing but the number of replicas, where there is one; else only the reason."""
    params = pin.data["serve"].get("kserve")
    if params is None:
        return "explain", _name(pin.data["stable"]["version"])
    least = random.randint(1, 8)
    params["replicas"] = {"min": least, "max": least * 4}
    return "scale", f"to {least}"


def _name(ref: str) -> str:
    return ref.partition("@")[0]


_ORDER: Final = (
    "apiVersion", "kind", "environment", "model", "reason", "hold", "serve", "shadow", "standby", "canary",
    "stable",
)  # fmt: skip


def _ordered(data: Map) -> Map:
    return {key: data[key] for key in _ORDER if key in data}
