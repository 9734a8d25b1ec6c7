"""Deployments and their pods: what really runs, from when, by the stamp on each pod."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from modelspec.formats.manifests import Group, Manifest, items, moment, node, number, stamped, text
from modelspec.tree.observed import Observation, Seen, Shown, Unclear
from modelspec.tree.text import plural, visible

SOURCE: Final = "kubernetes"
IDLE: Final = ("standby", "shadow")
"""Slots that take no share of the requests."""
_START: Final = timedelta(minutes=10)
"""A pod that is ready so soon after its container began was ready for the first time."""


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod that is ready: its slot and stamp, since when, and the image that it really runs."""

    slot: str
    stamp: str
    since: datetime | None
    image: str


def ready_pods(objects: Sequence[Manifest]) -> dict[Group, list[Pod]]:
    """Return the ready pods of each model that carry a stamp."""
    found: dict[Group, list[Pod]] = {}
    for one in objects:
        owner, known = one.owner, stamped(node(one.data, "metadata"))
        if one.kind != "Pod" or owner is None or known is None:
            continue
        dying = node(one.data, "metadata", "deletionTimestamp") is not None
        if one.condition("Ready").get("status") == "True" and not dying:
            found.setdefault(owner, []).append(Pod(*known, _since(one), _image(one)))
    return found


def running(objects: Sequence[Manifest], without: frozenset[Group]) -> Iterator[Seen]:
    """Yield an observation for each model that Deployments or pods serve, but for those in `without`.

    Where there are pods they count, and each slot's share is its part of the ready pods; else a Deployment
    counts once its rollout is complete.
    """
    pods = ready_pods(objects)
    deployments: dict[Group, list[Manifest]] = {}
    for one in objects:
        if one.kind == "Deployment" and one.owner is not None:
            deployments.setdefault(one.owner, []).append(one)
    for owner in sorted({*pods, *deployments} - without, key=lambda owner: (owner[0] or "", owner[1])):
        if owner in pods:
            yield _of_pods(owner, pods[owner])
        elif all(number(one.data, "spec", "replicas") == 0 for one in deployments[owner]):
            yield Observation(SOURCE, _named(owner), "scaled to zero", None, owner[1], owner[0])
        elif any(one.kind == "Pod" for one in objects):
            yield Unclear(_named(owner), "no pod of it is ready: not counted")
        else:
            yield from _of_deployments(owner, deployments[owner])


def since_of(pods: Sequence[Pod], shown: Sequence[Shown]) -> datetime | None:
    """Return when all of these slots had a pod that was ready, by the pods that are left.

    None where a slot has none, or the time of one is not told.
    """
    begun: list[datetime] = []
    for slot in shown:
        times = [
            pod.since for pod in pods
            if pod.slot == slot.slot and same_stamp(pod.stamp, slot.stamp) and pod.since is not None
        ]  # fmt: skip
        if not times:
            return None
        begun.append(min(times))
    return max(begun, default=None)


def same_stamp(one: str, other: str) -> bool:
    """Whether two stamps are one, of which either may be shortened."""
    mine, theirs = (stamp.removeprefix("sha256-").removeprefix("sha256:") for stamp in (one, other))
    short, long = sorted((mine, theirs), key=len)
    return bool(short) and long.startswith(short)


def _of_pods(owner: Group, pods: Sequence[Pod]) -> Observation:
    counts: dict[tuple[str, str], int] = {}
    for pod in pods:
        counts[pod.slot, pod.stamp] = counts.get((pod.slot, pod.stamp), 0) + 1
    shown = shares(counts)
    images = sorted({pod.image for pod in pods if pod.image})
    evidence = f"{plural(len(pods), 'ready pod')}" + (f", image {images[0]}" if len(images) == 1 else "")
    return Observation(
        SOURCE, _named(owner), evidence, since_of(pods, shown), owner[1], owner[0], tuple(shown)
    )


def shares(counts: Mapping[tuple[str, str], float]) -> list[Shown]:
    """Return slots with their shares in percent, from what each has of the whole; idle ones get none."""
    whole = sum(count for (slot, _), count in counts.items() if slot not in IDLE)
    return [
        Shown(slot, stamp, round(100 * count / whole, 2) if slot not in IDLE and whole else 0.0)
        for (slot, stamp), count in sorted(counts.items())
    ]


def _of_deployments(owner: Group, deployments: Sequence[Manifest]) -> Iterator[Seen]:
    counts: dict[tuple[str, str], float] = {}
    times: list[datetime | None] = []
    for one in deployments:
        known = stamped(node(one.data, "spec", "template", "metadata"))
        wanted = number(one.data, "spec", "replicas")
        if known is None:
            yield Unclear(one.place, "its pods carry no stamp of modelspec: left out")
            continue
        told = [
            number(one.data, "status", key) for key in ("updatedReplicas", "availableReplicas", "replicas")
        ]
        if not one.settled or any(count != wanted for count in told):
            yield Unclear(_named(owner), f"{one.place} is rolling out: not counted until it is complete")
            return
        counts[known] = counts.get(known, 0) + (wanted or 0)
        progress = one.condition("Progressing")
        done = progress.get("reason") == "NewReplicaSetAvailable"
        times.append(moment(progress, "lastUpdateTime") if done else None)
    if counts:
        known_times = [time for time in times if time is not None]
        since = max(known_times) if len(known_times) == len(times) else None
        evidence = f"{plural(len(times), 'Deployment')}, rolled out"
        yield Observation(SOURCE, _named(owner), evidence, since, owner[1], owner[0], tuple(shares(counts)))


def _since(pod: Manifest) -> datetime | None:
    """Return when a pod began to serve: its readiness, or where that came and went, its containers' start."""
    ready = moment(pod.condition("Ready"), "lastTransitionTime")
    statuses = items(pod.data, "status", "containerStatuses")
    starts = [moment(one, "state", "running", "startedAt") for one in statuses]
    started = max((start for start in starts if start is not None), default=None)
    if ready is None or started is None or ready - started <= _START:
        return ready or started
    return started


def _image(pod: Manifest) -> str:
    """Return the digest of the image of the first container, as the node has it."""
    named = [text(one, "imageID") for one in items(pod.data, "status", "containerStatuses")]
    return visible((named[0] or "").rpartition("@")[2], 80) if named else ""


def _named(owner: Group) -> str:
    return f"{owner[0]}/{owner[1]}" if owner[0] else owner[1]
