"""Checks a registry and compiles it, as a service would that does both: `both.py ROOT [--alone]`.

`--alone` uses one process; otherwise a large registry is judged by as many as there are cores, as the
commands do. Prints what was done.
"""

from __future__ import annotations

import gc
import sys
from typing import Any

from modelspec.api.build import build
from modelspec.api.check import check
from modelspec.cli.source import open_registry, renderer, shared, trusted
from modelspec.spec.part import alone
from modelspec.world.lock import lock
from modelspec.world.swap import replace_tree

gc.set_threshold(1_000_000, 50, 1000)  # as the command does
memo: dict[object, Any] = {}
with open_registry(sys.argv[1], None) as source, renderer() as child:
    share = alone if "--alone" in sys.argv else shared(sum(1 for _ in source.registry.files()))
    checked = check(
        source.registry, now=source.instant, renderer=child, trusted=trusted(), memo=memo, share=share
    )
    built = build(source.registry, renderer=child, trusted=trusted(), memo=memo, share=share)
    if not (checked.blocked or built.blocked):
        with lock(source.root):
            written = replace_tree(source.root, built.outputs, built.scope, clean=False)
        print(f"{checked.files:,} files, {built.pins:,} pins, {len(written):,} files written")
sys.exit(checked.blocked or built.blocked)
