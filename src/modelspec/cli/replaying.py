"""Loads versions to replay requests: from the store, here or in an environment built from the lock."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from modelspec.cli.source import Source
from modelspec.tree.finding import Refusal
from modelspec.tree.text import visible

if TYPE_CHECKING:
    from modelspec.api.trace import Held
    from modelspec.runtimes.replay import Replay

EXTRA = "pip install 'modelspec-gitops[trace]'"


@dataclass(slots=True)
class Loaded:
    """The versions that were loaded in one run, by digest; a text says why one can't be."""

    source: Source
    network: bool
    isolated: bool
    stack: ExitStack
    known: dict[str, Replay | str] = field(default_factory=dict)
    folders: dict[str, Path] = field(default_factory=dict)
    """Where the artifact of each version was written to, by the version's digest."""

    def of(self, held: Held) -> Replay | str:
        """Return a version that can be asked, or why it can't."""
        digest = held.entry.digest
        if digest not in self.known:
            try:
                self.known[digest] = self._isolated(held) if self.isolated else self._here(held)
            except Refusal as refusal:
                self.known[digest] = refusal.message
        return self.known[digest]

    def _here(self, held: Held) -> Replay:
        try:
            from modelspec.runtimes.replay import opened, served_as
        except ImportError:
            raise Refusal("a replay needs onnxruntime and numpy, which are not installed", EXTRA) from None
        served_as(held.version, held.entry.digest)
        folder = self._fetched(held)
        return opened(folder, held.version, held.entry.digest)

    def _fetched(self, held: Held) -> Path:
        """Write the artifact to a folder that goes with this run."""
        artifact = held.version.artifact
        if artifact is None or artifact.digest is None:
            raise Refusal(f"the artifact of {held.version.model} {held.version.version} is not known")
        target = self.folders[held.entry.digest] = self.tree(held, artifact.digest)
        return target

    def tree(self, held: Held, digest: str) -> Path:
        """Write a tree from a version's store to a folder that goes with this run, each byte verified.

        Raises Refusal when it can't be had.
        """
        from modelspec.world.stores.fetch import fetch_tree
        from modelspec.world.stores.opening import is_remote, open_store, stores_of

        artifact = held.version.artifact
        name = f"{held.version.model} {held.version.version}"
        if artifact is None or artifact.store is None:
            raise Refusal(f"{name} names no store")
        stores = stores_of(held.registry, self.source.registry)
        if artifact.store not in stores:
            raise Refusal(
                f"{name} is in the store {visible(artifact.store)}, which modelspec.yaml does not have",
                "name it there, under `stores`",
            )
        store = open_store(self.source.root, artifact.store, stores[artifact.store])
        if is_remote(store) and not self.network:
            raise Refusal(f"{name} is in {store.shown}, which was not asked", "--network")
        target = Path(self.stack.enter_context(tempfile.TemporaryDirectory(prefix="modelspec-replay-"))) / "a"
        fetch_tree(store, digest, target)
        return target

    def _isolated(self, held: Held) -> Replay:
        """Build the recorded environment from the lock, and return a replay that asks in there."""
        from modelspec.api.reproduce import INSTALL
        from modelspec.cli.reproducing import Declared, Given, written
        from modelspec.runtimes.isolated import IsolatedReplay
        from modelspec.world.environment import environment, interpreter

        name = f"{held.version.model} {held.version.version}"
        above = Path(self.stack.enter_context(tempfile.TemporaryDirectory(prefix="modelspec-replay-")))
        folder = above / "version"
        declared = Declared(self.source, held.registry, held.entry, None, None, held.commit)
        found = written(declared, folder, Given(network=self.network))
        missing = [
            piece.note for piece in found.pieces if piece.what == "artifact" and piece.state != "exact"
        ]
        if missing:
            raise Refusal(f"the artifact of {name} is not to be had: {missing[0]}")
        if found.hashed is None:
            raise Refusal(f"there is no lock of {name} that pip installs", "replay it without --isolated")
        for script, data in scripts().items():
            (folder / script).write_bytes(data)
        inside = self.stack.enter_context(
            environment(interpreter(found.python), folder / INSTALL, hashed=found.hashed)
        )
        return IsolatedReplay(held.version, inside, folder)


def scripts() -> dict[str, bytes]:
    """Return the files that ask a model again without modelspec, by name."""
    from importlib.resources import files

    where = {"check_record.py": "modelspec.runtimes", "comparison.py": "modelspec.trace"}
    return {name: files(package).joinpath(name).read_bytes() for name, package in where.items()}


def artifacts(helds: Mapping[str, Held | None]) -> dict[str, str | None]:
    """Return which artifact each version runs, by the version's digest."""
    return {
        digest: one.version.artifact.digest if one is not None and one.version.artifact is not None else None
        for digest, one in helds.items()
    }
