"""Measures the rule on the window at scale: every version of 90 days, of every model, everywhere.

    python benchmarks/window.py [--models 1000] [--environments 3] [--weeks 12]

The registry is a generated one in which each model was promoted once a week, so that each window of 90 days
holds as many versions as there were weeks; older versions read older schemas of their views. The history is
built in memory. The change that is judged touches a model's own file, after which the rule judges everything.
Loading (reading each file and each revision that a window holds) is timed apart: `check` does it anyway.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Final

from emit import document
from generate import files

from modelspec.compile.render import HoleRenderer
from modelspec.delta.pairs import against
from modelspec.delta.window import opened
from modelspec.rules.rule import Scene
from modelspec.rules.window import way_back_open
from modelspec.spec.history import Commit, Revision
from modelspec.spec.kinds import ENVIRONMENT, FEATURE_PIN, MODEL, PIN, SCHEMA, VERSION, VIEW
from modelspec.spec.reader import Reader
from modelspec.spec.registry import Registry
from modelspec.tree.snapshot import REGULAR, Blob, DictSnapshot, Snapshot, blob_id

NOW: Final = datetime(2026, 11, 24, tzinfo=UTC)
TARGET: Final = 2.0
"""Seconds on top of loading."""


@dataclass(frozen=True)
class Weekly:
    """A history in which every pin was moved once a week; `pins` has its states, the oldest first."""

    pins: Mapping[str, Sequence[bytes]]

    @property
    def tip(self) -> str:
        """The last commit."""
        return self._commit(0).id

    def _commit(self, weeks_ago: int) -> Commit:
        at = NOW - timedelta(days=7 * weeks_ago + 1)
        return Commit(f"{weeks_ago:040x}", at, "Ada", "ada@example.com", "Promote")

    @cached_property
    def _revisions(self) -> Mapping[str, Sequence[Revision]]:
        return {
            path: [
                Revision(self._commit(len(states) - 1 - index), _blob(state))
                for index, state in enumerate(states)
            ]
            for path, states in self.pins.items()
        }

    def of(self, path: str) -> Sequence[Revision]:
        """Return the revisions of one pin."""
        return self._revisions.get(path, ())

    def under(self, folder: str) -> Mapping[str, Sequence[Revision]]:
        """Return the revisions of the pins below a folder."""
        return {path: found for path, found in self._revisions.items() if path.startswith(f"{folder}/")}

    def at(self, instant: datetime) -> Commit | None:
        """Return nothing: no rule on the window asks for it."""
        return None

    def commits(self) -> Sequence[Commit]:
        """Return nothing: no rule on the window asks for it."""
        return ()

    def snapshot(self, commit: str) -> Snapshot:
        """Return an empty tree: no rule on the window asks for it."""
        return DictSnapshot({})


def _blob(content: bytes) -> Blob:
    """Return a blob that knows its id, as one from git does."""
    return Blob(REGULAR, lambda: content, blob_id(content))


def generated(models: int, environments: int, weeks: int) -> tuple[dict[str, bytes], Weekly]:
    """Return the files of the head, and the history of its pins."""
    tree = {
        path: data for path, data in files(0, models, weeks, environments) if path.startswith("registry/")
    }
    registry = Registry(DictSnapshot(tree))
    for place in registry.entries(ENVIRONMENT):
        wide = {**place.document.data, "window": {"versions": weeks, "days": 90}}  # type: ignore[dict-item]
        tree[place.path] = document(wide)
    refs: dict[str, list[str]] = {}
    for name in registry.names(MODEL):
        entries = [registry.value(VERSION, *one) for one in registry.names(VERSION, name[0])]
        known = [one for one in entries if one is not None]
        known.sort(key=lambda one: [int(part) for part in one.value.version.split(".")])
        refs[name[0]] = [f"{one.value.version}@{one.digest}" for one in known]
    pins: dict[str, list[bytes]] = {}
    for pin in registry.entries(PIN):
        head: dict[str, object] = {
            "apiVersion": "modelspec/v1",
            "kind": "Pin",
            "environment": pin.value.environment,
            "model": pin.value.model,
        }
        states = [document({**head, "stable": {"version": ref}}) for ref in refs[pin.value.model]]
        tree[pin.path] = states[-1]
        pins[pin.path] = states
    return tree, Weekly(pins)


def load(registry: Registry) -> None:
    """Read every file that a check reads, with its digest."""
    for kind in (MODEL, VERSION, VIEW, SCHEMA, ENVIRONMENT, PIN, FEATURE_PIN):
        for entry in registry.entries(kind):
            _ = entry.digest


def main() -> int:
    """Generate, load, judge, print; 1 when the target is missed."""
    parser = argparse.ArgumentParser(description="Measure the rule on the window at scale.")
    parser.add_argument("--models", type=int, default=1000, metavar="N")
    parser.add_argument("--environments", type=int, default=3, metavar="N")
    parser.add_argument("--weeks", type=int, default=12, metavar="N", help="promotions of each model")
    chosen = parser.parse_args()
    tree, history = generated(chosen.models, chosen.environments, chosen.weeks)
    changed = dict(tree)
    path = next(path for path in tree if path.startswith("registry/models/") and path.endswith("model.yaml"))
    changed[path] = tree[path] + b"# touched\n"
    changed[path] = changed[path].replace(b"description: ", b"description: Still ", 1)
    reader = Reader()
    base, head = Registry(DictSnapshot(tree), reader), Registry(DictSnapshot(changed), reader)
    gc.set_threshold(200_000, 50, 1000)  # as the command has it
    started = time.process_time()
    load(base)
    load(head)
    for environment, model in head.names(PIN):
        pin = opened(reader, environment, model)
        for revision in history.of(PIN.locate(environment, model)):
            pin(revision)
    loaded = time.process_time()
    scene = Scene(head, HoleRenderer(), now=NOW, against=against(base, head, history))
    found = list(way_back_open.judge(scene.against, scene))
    judged = time.process_time()
    windows = chosen.models * chosen.environments
    print(
        f"{chosen.models:,} models x {chosen.environments} environments x {chosen.weeks} weeks: "
        f"{windows * chosen.weeks:,} versions in {windows:,} windows, {len(found):,} findings\n"
        f"processor time: loading {loaded - started:.2f} s, "
        f"judging {judged - loaded:.2f} s (target {TARGET:g} s)"
    )
    return 0 if judged - loaded <= TARGET else 1


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    raise SystemExit(main())
