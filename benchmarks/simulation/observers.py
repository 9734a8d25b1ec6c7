"""Who looks at the clusters, by what clock: late, seldom, not at all for days; and the receipts of it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from random import Random

from modelspec.spec.receipt import Receipt, ReceiptSlot, written
from modelspec.trace.receipts import news
from simulation.world import DAY, HOUR, START, Cluster, Line, Pin, Rollout, Size, Slots, lie

SOURCES = ("argocd", "kubernetes", "open-inference")
"""argocd tells when each of its last ten syncs was; pods tell since when they are up, and are restarted;
an endpoint tells what the one pod that was asked serves, and nothing of when."""
HISTORY = 10
LOST = 0.05
"""The share of looks of which nothing came."""


def receipts(
    size: Size, pin: Pin, lines: Sequence[Line], clusters: Sequence[Cluster], commits: Sequence[str]
) -> list[Receipt]:
    """Return the receipts that observers of a pin left; `commits` are the ids of the steps of main."""
    found: list[Receipt] = []
    for at, cluster in enumerate(clusters if pin.observed else ()):
        random = Random(f"{size.seed}/observer/{pin.environment}/{pin.model}/{at}")
        source = SOURCES[(pin.model + len(pin.environment)) % 3]
        watch = _Watch(random, pin, lines[pin.model], cluster, source, commits)
        known: list[Receipt] = []
        for look in _looks(random, size, cluster):
            known += news(known, watch.seen(look))
        found += known
    return found


def _looks(random: Random, size: Size, cluster: Cluster) -> Iterator[float]:
    """Yield when the observer looks and tells of it: what is between the changes says nothing new."""
    period = random.choice((300, 900, HOUR, 6 * HOUR))
    phase = random.uniform(0, period)
    gaps = _outages(random, size)
    wanted: set[int] = set()
    for one in cluster.rollouts:
        # A few looks after each change: until the rollout is over, and what follows an outage.
        first = int((one.begin - START - phase) // period)
        wanted.update(range(first - 1, first + 3 + int(1200 // period)))
        wanted.update(int((end - START - phase) // period) + 1 for start, end in gaps if end > one.begin)
    for index in sorted(wanted):
        time = START + phase + index * period + random.uniform(0, 20)
        lost = random.random() < LOST or any(start <= time < end for start, end in gaps)
        if START - DAY <= time < size.end and not lost:
            yield time


def _outages(random: Random, size: Size) -> list[tuple[float, float]]:
    found = []
    time = START + random.uniform(0, 12 * DAY)
    while time < size.end:
        lasts = random.choice((2 * HOUR, 8 * HOUR, DAY, 3 * DAY))
        found.append((time, time + lasts))
        time += lasts + random.uniform(2 * DAY, 20 * DAY)
    return found


class _Watch:
    """One observer of one cluster."""

    def __init__(
        self, random: Random, pin: Pin, line: Line, cluster: Cluster, source: str, commits: Sequence[str]
    ) -> None:
        self._random = random
        self._pin, self._line, self._cluster = pin, line, cluster
        self._source, self._commits = source, commits
        self._clock = lie(random)
        self._begins = [one.begin for one in cluster.rollouts]
        # Nodes are drained about every ten days: then every pod is new.
        self._drains = sorted(random.uniform(START, START + 90 * DAY) for _ in range(9))

    def seen(self, time: float) -> list[Receipt]:
        """Return what a look at an instant tells."""
        count = bisect_right(self._begins, time)
        if not count:
            return []
        begun = self._cluster.rollouts[:count]
        whole = begun[-1].end <= time
        if self._source == "argocd":
            told = begun[-HISTORY:] if whole else begun[-HISTORY:-1]
            return [
                self._receipt(one, one.begin + self._cluster.clock, time, self._slots(one)) for one in told
            ]
        if self._source == "kubernetes":
            return [self._by_pods(begun[-1], time)] if whole else []
        return [self._by_endpoint(begun, time)]

    def _by_pods(self, one: Rollout, time: float) -> Receipt:
        """Pods tell since when the oldest one that is left is ready: after a drain that is much later."""
        ready = one.begin + 0.5 * (one.end - one.begin)
        drained = [drain for drain in self._drains if ready < drain <= time]
        return self._receipt(
            one, (drained[-1] if drained else ready) + self._cluster.clock, time, self._slots(one)
        )

    def _by_endpoint(self, begun: Sequence[Rollout], time: float) -> Receipt:
        """One pod answers: during a rollout an old or a new one, in a canary that of either slot."""
        at = len(begun) - 1
        while at > 0 and time < begun[at].end and self._random.random() < 0.5:
            at -= 1
        answering = [slot for slot in self._change_slots(begun[at]) if slot[2] > 0]
        [shown] = self._random.choices(answering, [slot[2] for slot in answering])
        return self._receipt(begun[at], None, time, self._named(((shown[0], shown[1], 100),)))

    def _change_slots(self, one: Rollout) -> Slots:
        return self._pin.changes[one.change].slots

    def _slots(self, one: Rollout) -> tuple[ReceiptSlot, ...]:
        return self._named(self._change_slots(one))

    def _named(self, slots: Slots) -> tuple[ReceiptSlot, ...]:
        return tuple(
            ReceiptSlot(slot=slot, digest=self._line.versions[version].digest, share=float(share))
            for slot, version, share in slots
        )

    def _receipt(
        self, one: Rollout, since: float | None, time: float, slots: tuple[ReceiptSlot, ...]
    ) -> Receipt:
        now = time + self._clock
        # A beginning that is yet to come by the observer's clock is now, as `observe` has it.
        began = now if since is None else min(since, now)
        commit = self._commits[self._pin.changes[one.change].commit] if self._source == "argocd" else None
        return Receipt(
            environment=self._pin.environment,
            model=self._line.name,
            slots=slots,
            since=written(_moment(began)),
            observed=written(_moment(now)),
            commit=commit,
            cluster=self._cluster.name,
            source=self._source,
            evidence="seen in the simulation",
        )


def _moment(time: float) -> datetime:
    return datetime.fromtimestamp(int(time), UTC)
