"""What clusters really took on, and when: minutes after git, sometimes hours, sometimes never."""

from __future__ import annotations

from random import Random

import numpy as np

from simulation.world import HOUR, ROLLOUT, Cluster, Pin, Rollout, Size, lie


def clusters(size: Size, pin: Pin) -> list[Cluster]:
    """Return the clusters of a pin; half of the models have two in production-eu, whose rollouts overlap."""
    random = Random(f"{size.seed}/live/{pin.environment}/{pin.model}")
    double = pin.environment == "production-eu" and pin.model % 2 == 0
    names: list[str | None] = ["eu-1", "eu-2"] if double else [None]
    return [Cluster(name, lie(random), _rollouts(random, pin)) for name in names]


def _rollouts(random: Random, pin: Pin) -> tuple[Rollout, ...]:
    found = []
    for at, change in enumerate(pin.changes):
        following = pin.changes[at + 1].time if at + 1 < len(pin.changes) else None
        drawn = random.random()
        if at and drawn < 0.02 and pin.observed:
            # It never syncs: somebody paused it until the next commit. Of what nobody looks at, nobody could
            # ever know.
            continue
        lag = random.uniform(1800, 4 * HOUR) if drawn < 0.06 else random.uniform(20, 400)
        begin = change.time + lag
        if following is not None and begin >= following:
            continue
        found.append(Rollout(at, begin, begin + random.uniform(*ROLLOUT)))
    return tuple(found)


def states_at(cluster: Cluster, times: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return for each instant the index of the rollout whose pod answered.

    While a rollout goes on, its pods answer more and more; two that overlap leave three states that may.
    """
    begins = np.array([one.begin for one in cluster.rollouts])
    lasts = np.array([one.end for one in cluster.rollouts]) - begins
    found = np.maximum(np.searchsorted(begins, times, side="right") - 1, 0)
    left = np.arange(len(times))
    while len(left):
        ready = (times[left] - begins[found[left]]) / lasts[found[left]]
        left = left[(random.random(len(left)) >= ready) & (found[left] > 0)]
        found[left] -= 1
    return found
