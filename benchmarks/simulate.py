"""Simulates months of a registry with its requests, then traces some of them and compares with the truth.

    python benchmarks/simulate.py --days 90 --models 20 --promotions 600 --records 5000000 --trace 1000 OUT

Exit code: 1 when a request was named wrong, when who answered is no candidate of an undecided one, or when
one whose artifact is kept was not replayed bit for bit.
"""

from __future__ import annotations

import argparse
import json
import resource
from pathlib import Path
from random import Random

from simulation.generate import generate, world
from simulation.tracing import by_command, drawn, table, trace
from simulation.world import Size


def main() -> int:
    """Generate what is not there yet, trace, print the tables."""
    parser = argparse.ArgumentParser(description="Simulate, trace, and compare with the truth.")
    parser.add_argument("--days", type=int, default=90, metavar="N")
    parser.add_argument("--models", type=int, default=20, metavar="N", help="each in three environments")
    parser.add_argument("--promotions", type=int, default=600, metavar="N", help="of all pins together")
    parser.add_argument("--records", type=int, default=5_000_000, metavar="N", help="requests in the logs")
    parser.add_argument(
        "--keep", type=int, default=60, metavar="N", help="days that an unused artifact is kept"
    )
    parser.add_argument("--trace", type=int, default=1000, metavar="N", help="requests that are traced")
    parser.add_argument("--commands", type=int, default=12, metavar="N", help="of these, by the real command")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="processes that write logs")
    parser.add_argument("out", type=Path, metavar="OUT", help="a folder; what a run left there is used again")
    chosen = parser.parse_args()
    size = Size(chosen.days, chosen.models, chosen.promotions, chosen.records, chosen.seed, chosen.keep)
    out: Path = chosen.out.absolute()
    if (out / "facts.json").exists():
        known = json.loads((out / "facts.json").read_text("utf-8"))["size"]
        if Size(**known) != size:
            parser.error(f"{out} holds another simulation: {known}")
    else:
        generate(size, out, chosen.workers)
        _used("written")
    print(json.dumps(json.loads((out / "facts.json").read_text("utf-8"))))
    lines, pins, _ = world(size)
    requests = drawn(out, pins, lines, chosen.trace, chosen.seed)
    result = trace(out / "registry", requests)
    used = f"{result.cpu:.0f} s of processor, {result.memory:.0f} MB at most"
    print(f"\nWith replays, {used}:\n\n{table(result)}")
    alone = trace(out / "registry", requests, replay=False)
    used, told = f"{alone.cpu:.0f} s of processor", table(alone, replays=False)
    print(f"\nBy stamps, receipts and git alone, {used}:\n\n{told}")
    some = Random(size.seed).sample(requests, min(chosen.commands, len(requests)))
    commands = by_command(out / "registry", some)
    right = sum(one.right is True for one in commands)
    wrong = [one for one in (*result.wrong, *alone.wrong, *commands) if one.right is False]
    print(f"\nBy `modelspec trace`, a process each: {len(commands)} requests, {right} named right, "
          f"{sum(one.right is False for one in commands)} wrong")  # fmt: skip
    bad = {"WRONG": wrong, "UNEQUAL": result.unequal, "ASTRAY": [*result.astray, *alone.astray]}
    for word, outcomes in bad.items():
        for one in outcomes:
            print(word, one)
    return 1 if any(bad.values()) else 0


def _used(what: str) -> None:
    mine, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    seconds = sum(one.ru_utime + one.ru_stime for one in (mine, children))
    memory = max(mine.ru_maxrss, children.ru_maxrss) / 1024
    print(f"{what}: {seconds:.0f} s of processor, {memory:.0f} MB at most in a process")


if __name__ == "__main__":
    raise SystemExit(main())
