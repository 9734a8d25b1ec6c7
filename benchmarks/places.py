"""The generated environments: each pins every model and serves the newest schema of every view read."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from emit import Map, document
from features import View
from models import Line

Files = Iterator[tuple[str, bytes]]


def names(count: int) -> list[str]:
    """Return the names of `count` environments: staging, then productions one after another."""
    return ["staging", *(f"production-{number}" for number in range(1, count))][:count]


def environment(name: str, after: str | None) -> Files:
    """Yield the environment's own file."""
    data: Map = {
        "apiVersion": "modelspec/v1",
        "kind": "Environment",
        "environment": name,
        "stage": "staging" if after is None else "production",
    }
    if after is not None:
        data["after"] = after
        data["gates"] = {
            "soak": "24h",
            "canary": "2h",
            "metrics": [{"name": "auc", "better": "higher", "bound": 0.6, "regression": "2%"}],
        }
        data["window"] = {"versions": 3, "days": 90}
    yield f"registry/environments/{name}/environment.yaml", document(data)


def feature_pin(place: str, view: View) -> Files:
    """Yield the pin of a view: everybody reads its newest schema."""
    data: Map = {
        "apiVersion": "modelspec/v1",
        "kind": "FeaturePin",
        "environment": place,
        "view": view.name,
        "access": "current",
        "serves": [view.schemas[-1].ref],
        "closes": [],
    }
    yield f"registry/environments/{place}/features/{view.name}.yaml", document(data)


def pin(seed: int, place: str, line: Line) -> tuple[str, Map]:
    """Return path and data of a model's pin: the last versions fill its slots, most are served by KServe."""
    random = Random(f"{seed}/pin/{place}/{line.name}")
    newest = list(reversed(line.versions[-3:]))
    # The newest version is a candidate in some pins, and the one before it answers.
    slots: Map = {}
    target = "kserve" if random.random() < 0.8 else "mlserver"
    shape = random.random()
    if target == "kserve" and len(newest) > 1 and shape < 0.2:
        candidate = newest.pop(0)
        if shape < 0.15:
            slots["canary"] = {"version": candidate, "weight": random.choice((5, 10, 25))}
        else:
            slots["shadow"] = {"version": candidate}
    if shape > 0.7:
        slots["standby"] = {"version": newest[-1]}
    data: Map = {"apiVersion": "modelspec/v1", "kind": "Pin", "environment": place, "model": line.name}
    if random.random() < 0.02:
        data["hold"] = {
            "text": "Investigating late answers",
            "link": f"https://tracker.example.com/{random.randint(1, 9999)}",
        }
    data["serve"] = {target: _params(random) if target == "kserve" else {}}
    order = ("shadow", "standby", "canary")
    data |= {slot: slots[slot] for slot in order if slot in slots}
    data["stable"] = {"version": newest[0]}
    return f"registry/environments/{place}/models/{line.name}.yaml", data


def _params(random: Random) -> Map:
    replicas = random.randint(1, 4)
    memory = random.choice(("1Gi", "2Gi", "4Gi"))
    return {
        "replicas": {"min": replicas, "max": replicas * 4},
        "resources": {"cpu": "1", "memory": memory},
    }
