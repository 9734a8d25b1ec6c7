"""A program that is killed, and told that its disk is full, at each of its system calls.

    python drive.py ROOT swap|patch|store|fetch PLAN.json [without-file-flush | without-folder-flush | ...]

PLAN.json holds `wanted` (path -> text or null) and `scope`; `store` puts ROOT/source into ROOT/store, `fetch` brings its only
tree to ROOT/out/target. Exit 3 and the message is a refusal.
"""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path

from modelspec.tree.finding import Refusal
from modelspec.world import durable
from modelspec.world.lock import lock
from modelspec.world.swap import replace_tree
from modelspec.world.write import apply_patch


def main(root: str, verb: str, plan_path: str, *changes: str) -> int:
    plan = json.loads(Path(plan_path).read_text()) if verb not in STORES else {}
    for change in changes:
        mutate(change)
    try:
        if verb in STORES:
            STORES[verb](Path(root))
            print("done", flush=True)
            return 0
        with lock(Path(root)):
            if verb == "swap":
                replace_tree(
                    Path(root), {path: text.encode() for path, text in plan["wanted"].items()}, plan["scope"]
                )
            else:
                patch = {
                    path: text if text is None else text.encode() for path, text in plan["wanted"].items()
                }
                apply_patch(Path(root), patch)
    except Refusal as refusal:
        print(refusal.message, refusal.hint)
        return 3
    print("done", flush=True)
    return 0


def store(root: Path) -> None:
    """Put a tree with one thread only: strace counts the calls of each thread by itself."""
    from modelspec.world import parallel
    from modelspec.world.files import local_tree
    from modelspec.world.stores.folder import FolderStore

    parallel.cores = lambda: 1
    FolderStore(root / "store").put(local_tree(root / "source"))


def fetch(root: Path) -> None:
    """Fetch a tree with one thread only."""
    from modelspec.world import parallel
    from modelspec.world.stores.fetch import fetch_tree
    from modelspec.world.stores.folder import FolderStore

    parallel.cores = lambda: 1
    held = FolderStore(root / "store")
    [digest] = held.trees()
    fetch_tree(held, digest, root / "out/target")


STORES = {"store": store, "fetch": fetch}


def mutate(change: str) -> None:
    """Break durable in one way; what is broken must be noticed."""
    flush = durable.flush
    if change == "without-exchange":
        durable.exchange = lambda *_: False
    elif change == "without-bulk-flush":
        durable.flush_all = lambda _: None
    else:
        skipped = stat.S_ISREG if change == "without-file-flush" else stat.S_ISDIR
        durable.flush = lambda fd: None if skipped(os.fstat(fd).st_mode) else flush(fd)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
