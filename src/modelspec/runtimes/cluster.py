"""The same replay on a Ray cluster: each task takes some files of the log, and sends back its sums."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from modelspec.runtimes.bulk import Player, Shipped, play, unpacked
from modelspec.runtimes.rows import Skipped
from modelspec.trace.tally import Tally
from modelspec.tree.finding import Refusal

_TASKS: Final = 4
"""Parts for each core: they end at different times."""


def play_files(
    log: str,
    paths: Sequence[str],
    since: datetime | None,
    until: datetime | None,
    shipped: Mapping[str, Shipped],
    only: str | None,
) -> tuple[dict[str, Tally], Skipped]:
    """Replay some files of our own log, and return the sums by version; runs in any process.

    `shipped` are versions by stamp; `only` is the stamp of the one that is asked whatever served.
    """
    from modelspec.world.records.own import OwnRecords
    from modelspec.world.records.places import Located, locate

    skipped = Skipped()
    players: dict[str, Player] = {}
    with tempfile.TemporaryDirectory(prefix="modelspec-replay-") as above:

        def choose(stamp: str | None, model: str | None, _: object = None) -> Player | str:
            wanted = only or stamp or ""
            if wanted not in shipped:
                return "no version has its stamp"
            one = shipped[wanted]
            if model is not None and model != one.version.model:
                return f"a request to {model}, not to {one.version.model}"
            if wanted not in players:
                players[wanted] = unpacked(one, Path(above) / str(len(players)))
            return players[wanted]

        source = OwnRecords(Located(locate(log).place, tuple(paths)))
        play(source, since, until, choose, skipped)
        return {player.digest: player.tally for player in players.values()}, skipped


def play_on_ray(
    log: str,
    paths: Sequence[str],
    since: datetime | None,
    until: datetime | None,
    shipped: Mapping[str, Shipped],
    only: str | None,
) -> tuple[dict[str, Tally], Skipped]:
    """Replay on the Ray cluster that the environment names, else on a local one; raises Refusal without Ray.

    The log has to be where every machine of the cluster finds it: a shared disk, or a URL.
    """
    try:
        # Its types are those of the release that is installed, if one is.
        ray: Any = import_module("ray")
    except ImportError:
        raise Refusal(
            "--engine ray needs ray, which is not installed", "pip install 'modelspec-gitops[ray]'"
        ) from None
    started = not ray.is_initialized()
    if started:
        ray.init(log_to_driver=False, include_dashboard=False, configure_logging=False)
    try:
        versions = ray.put(dict(shipped))
        parts = max(1, int(ray.cluster_resources().get("CPU", 1)) * _TASKS)
        task = ray.remote(play_files)
        shares = [share for index in range(parts) if (share := list(paths[index::parts]))]
        found = ray.get([task.remote(log, share, since, until, versions, only) for share in shares])
    finally:
        if started:
            ray.shutdown()
    tallies: dict[str, Tally] = {}
    skipped = Skipped()
    for part, left in found:
        for digest, tally in part.items():
            tallies.setdefault(digest, Tally()).merge(tally)
        skipped.merge(left)
    return tallies, skipped
