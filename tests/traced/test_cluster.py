"""The same replay on a Ray cluster gives the same sums; it takes Ray seconds to start."""

from __future__ import annotations

import importlib.util
import json

import pytest

from conftest import Run
from modelspec.cli.replaying import Loaded
from traced.conftest import Shop, at, rows

RAY = importlib.util.find_spec("ray") is not None


def filled(shop: Shop) -> None:
    shop.ask("2.3.0", at("09:30"), rows(300, 1))
    shop.ask("2.3.0", at("10:30"), rows(100, 2), batch=True)
    shop.ask("2.3.1", at("13:30"), rows(200, 3))
    shop.ask("2.3.1", at("14:30"), rows(3, 4), offset=1.0)


@pytest.mark.slow
@pytest.mark.skipif(not RAY, reason="ray is not installed (extra `ray`)")
def test_a_cluster_says_what_one_process_says(shop: Shop, modelspec: Run) -> None:
    filled(shop)
    alone, together = (
        modelspec("replay", "--log", str(shop.log), "--format", "json", "--engine", engine,
                  cwd=shop.git.root, timeout=300)
        for engine in ("local", "ray")
    )  # fmt: skip
    assert (alone.returncode, together.returncode) == (1, 1), together.stderr
    assert json.loads(alone.stdout) == json.loads(together.stdout)
    assert json.loads(alone.stdout)["versions"][1]["verdicts"]["different"] == 3


def test_what_a_task_does_gives_the_sums_of_its_files(shop: Shop) -> None:
    """The function that Ray runs, in this process: shipped as bytes, verified, asked."""
    from contextlib import ExitStack

    from logged import columns, digest, version
    from modelspec.api.trace import Held
    from modelspec.cli.source import open_registry
    from modelspec.runtimes.bulk import Player, ship
    from modelspec.runtimes.cluster import play_files
    from modelspec.spec.kinds import VERSION
    from modelspec.tree.digest import stamp

    filled(shop)
    with ExitStack() as stack:
        source = stack.enter_context(open_registry(str(shop.git.root), None))
        loaded = Loaded(source, False, False, stack)
        shipped = {}
        for number in ("2.3.0", "2.3.1"):
            entry = source.registry.value(VERSION, "eta", number)
            assert entry is not None and entry.value == version(number=number)
            replay = loaded.of(Held(entry, source.registry))
            assert not isinstance(replay, str)
            player = Player(replay, entry.digest, columns("eta", number))
            shipped[stamp(entry.digest)] = ship(player, loaded.folders[entry.digest])
        paths = sorted(path.relative_to(shop.log).as_posix() for path in shop.log.rglob("*.parquet"))
        tallies, skipped = play_files(str(shop.log), paths[:3], None, None, shipped, None)
    assert {one: tally.rows for one, tally in tallies.items()} == {
        digest(number="2.3.0"): 400, digest(number="2.3.1"): 200
    }  # fmt: skip
    assert all(tally.count("bit-equal") == tally.rows for tally in tallies.values())
    assert skipped.total == 0
