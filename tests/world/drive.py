"""A program that is killed, and told that its disk is full, at each of its system calls.

    python drive.py ROOT swap|patch|store|move|fetch PLAN.json [without-file-flush | without-folder-flush | ...]

PLAN.json holds `wanted` (path -> text or null) and `scope`; `store` puts ROOT/source into ROOT/store, `move`
takes it over and removes it, `fetch` brings the only tree to ROOT/out/target. Exit 3 and the message is a refusal.
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
        # No `write`: errors that are injected at the Nth of them come at the Nth of each thread.
        os.writev(1, [f"{refusal.message} {refusal.hint}\n".encode()])
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


def move(root: Path) -> None:
    """Move a tree into the store with one thread only; what an earlier run began is finished."""
    from modelspec.world import parallel
    from modelspec.world.files import local_tree
    from modelspec.world.stores.folder import FolderStore
    from modelspec.world.stores.originals import finish

    parallel.cores = lambda: 1
    source, held = root / "source", FolderStore(root / "store")
    if not source.exists():
        finish(source, held.holds)
        return
    _, left = held.take(local_tree(source))
    print(left if isinstance(left, str) else "taken", file=sys.stderr, flush=True)
    if not isinstance(left, str):
        left.remove(source)


def fetch(root: Path) -> None:
    """Fetch a tree with one thread only."""
    from modelspec.world import parallel
    from modelspec.world.stores.fetch import fetch_tree
    from modelspec.world.stores.folder import FolderStore

    parallel.cores = lambda: 1
    held = FolderStore(root / "store")
    [digest] = held.trees()
    fetch_tree(held, digest, root / "out/target")


STORES = {"store": store, "move": move, "fetch": fetch}


def mutate(change: str) -> None:
    """Break durable in one way; what is broken must be noticed."""
    flush = durable.flush
    if change == "without-exchange":
        durable.exchange = lambda *_: False
    elif change == "without-bulk-flush":
        durable.flush_all = lambda _: None
    elif change == "removed-first":
        from modelspec.world.stores.folder import FolderStore

        publish = FolderStore._publish

        def early(self, top, stage, digest, listed):  # type: ignore[no-untyped-def]
            for file in sorted(Path(self.root.parent, "source").rglob("*")):
                file.is_file() and file.unlink()
            publish(self, top, stage, digest, listed)

        FolderStore._publish = early
    else:
        skipped = stat.S_ISREG if change == "without-file-flush" else stat.S_ISDIR
        durable.flush = lambda fd: None if skipped(os.fstat(fd).st_mode) else flush(fd)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
