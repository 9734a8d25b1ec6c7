"""Simulates months of a registry with its requests, then traces some of them and compares with the truth.

    python benchmarks/simulate.py --days 90 --models 20 --promotions 600 --records 5000000 --trace 1000 OUT
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from simulation.generate import generate, world
from simulation.tracing import drawn, table, trace
from simulation.world import Size


def main() -> int:
    """Generate what is not there yet, trace, print the table."""
    parser = argparse.ArgumentParser(description="Simulate, trace, and compare with the truth.")
    parser.add_argument("--days", type=int, default=90, metavar="N")
    parser.add_argument("--models", type=int, default=20, metavar="N", help="each in three environments")
    parser.add_argument("--promotions", type=int, default=600, metavar="N", help="of all pins together")
    parser.add_argument("--records", type=int, default=5_000_000, metavar="N", help="requests in the logs")
    parser.add_argument("--trace", type=int, default=1000, metavar="N", help="requests that are traced")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="processes that write logs")
    parser.add_argument("out", type=Path, metavar="OUT", help="a folder; what a run left there is used again")
    chosen = parser.parse_args()
    size = Size(chosen.days, chosen.models, chosen.promotions, chosen.records, chosen.seed)
    out: Path = chosen.out.absolute()
    if not (out / "facts.json").exists():
        generate(size, out, chosen.workers)
    print(json.dumps(json.loads((out / "facts.json").read_text("utf-8"))))
    lines, pins, _ = world(size)
    result = trace(out / "registry", drawn(out, pins, lines, chosen.trace, chosen.seed))
    print(table(result))
    for one in result.wrong:
        print("WRONG", one)
    print(f"{result.cpu:.1f} s of processor, {result.memory:.0f} MB")
    return 1 if result.wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
