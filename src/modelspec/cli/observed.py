"""Compares what a version records of its bytes with the bytes: `observed`, and whether they run code."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from modelspec.formats.artifact import Detected, detect
from modelspec.formats.foreign import Unreadable
from modelspec.tree.data import Data
from modelspec.tree.digest import artifact_digest, short, stamp
from modelspec.tree.finding import Refusal
from modelspec.tree.protocols import Chunk
from modelspec.tree.text import visible
from modelspec.world.foreign import foreign
from modelspec.world.stores.pointers import behind
from modelspec.world.viewed import Viewed

if TYPE_CHECKING:
    from modelspec.api.verify import Row
    from modelspec.cli.source import Source
    from modelspec.spec.model import Artifact, ModelVersion
    from modelspec.spec.reader import Entry
    from modelspec.world.stores.folder import FolderStore


class Looked:
    """What files of trees are by their bytes: each is looked at once, best while it is being read.

    `notes`: what a scanner was not shown, or not asked of.
    """

    def __init__(self) -> None:
        self._known: dict[str, Detected] = {}
        self.notes: list[str] = []

    def tree(self, tree: Path) -> _Tree:
        """Return what looks at the files of a tree."""
        return _Tree(tree, self._known)


@dataclass(frozen=True, slots=True)
class _Tree:
    """Looks at the files of one tree."""

    tree: Path
    known: dict[str, Detected]

    def at(self, path: str, whole: Chunk | None) -> object:
        """Return what a file is; None where it can't be told, which `detected` will say."""
        with suppress(Refusal, Unreadable):
            if whole is not None:
                return detect(cast("BinaryIO", Viewed(memoryview(whole))))
            return self._look(path)
        return None

    def keep(self, path: str, seen: object) -> None:
        """Keep what a file is."""
        if isinstance(seen, Detected):
            self.known[f"{self.tree}/{path}"] = seen

    def detected(self, path: str) -> Detected:
        """Return what a file is; raises Unreadable where its bytes contradict themselves, or Refusal."""
        return self.known.get(f"{self.tree}/{path}") or self._look(path)

    def _look(self, path: str) -> Detected:
        with _opened(f"{self.tree}/{path}") as stream:
            return detect(stream)


def contradicted(source: Source, rows: Iterable[Row], looked: Looked, scan: bool = False) -> tuple[Row, ...]:
    """Return the rows, with what the bytes of a store in a folder say otherwise; others are not fetched.

    With `scan`, what a scanner finds in pickles is wrong as well.
    """
    from modelspec.api.claims import Outcome
    from modelspec.api.verify import Held

    found: list[Row] = []
    for row in rows:
        holds = row.levels.get("artifact") == "verified"
        store = _store(source, row) if holds else None
        troubles = list(_all_troubles(source, row, store, looked, scan)) if holds else []
        if scan and store is None and _unsafe(source, row):
            why = "it is in no folder here" if holds else "its bytes were not verified"
            looked.notes.append(f"{row.model}@{row.version}: its pickles were not scanned: {why}")
        held = tuple(Held("artifact", "observed", Outcome("recorded", one, wrong=True)) for one in troubles)
        levels = {**row.levels, "artifact": "recorded"} if troubles else row.levels
        found.append(replace(row, held=(*row.held, *held), levels=levels))
    return tuple(found)


def _entry(source: Source, row: Row) -> Entry[ModelVersion] | None:
    from modelspec.spec.kinds import VERSION

    return source.registry.value(VERSION, row.model, row.version)


def _unsafe(source: Source, row: Row) -> bool:
    entry = _entry(source, row)
    return entry is not None and entry.value.artifact is not None and entry.value.artifact.unsafe is not None


def _store(source: Source, row: Row) -> FolderStore | None:
    """Return the folder here that has an artifact; others are not fetched."""
    from modelspec.world.stores.folder import FolderStore
    from modelspec.world.stores.opening import open_store

    entry, settings = _entry(source, row), source.registry.settings
    artifact = entry.value.artifact if entry is not None else None
    if artifact is None or artifact.digest is None or artifact.uri is not None or settings is None:
        return None
    name = artifact.store or ""
    store = open_store(source.root, name, settings.stores[name]) if name in settings.stores else None
    return store if isinstance(store, FolderStore) else None


def _all_troubles(
    source: Source, row: Row, store: FolderStore | None, looked: Looked, scan: bool
) -> Iterator[str]:
    """Yield what is wrong with a version; also that its bytes, which were read, can't be read again."""
    try:
        yield from _troubles(source, row, store, looked, scan)
    except Refusal as refusal:
        yield refusal.message


def _troubles(
    source: Source, row: Row, store: FolderStore | None, looked: Looked, scan: bool
) -> Iterator[str]:
    from modelspec.cli.scanning import suspected

    entry = _entry(source, row)
    artifact = entry.value.artifact if entry is not None else None
    if artifact is None or artifact.digest is None or artifact.uri is not None:
        return
    listed = artifact_digest((file.path, file.digest) for file in artifact.files)
    if listed != artifact.digest:
        # No file is looked at by such a list, whose paths may lead anywhere.
        yield f"the files that the version lists make {short(listed)}, not {short(artifact.digest)}"
        return
    if store is None:
        return
    seen: list[Detected] = []
    paths = {file.path for file in artifact.files}
    tree = looked.tree(store.root / stamp(artifact.digest))
    for file in artifact.files:
        try:
            one = tree.detected(file.path)
        except Unreadable as error:
            yield f"{visible(file.path)} is refused: {visible(error.message, 200)}"
            continue
        except Refusal as refusal:  # it went meanwhile
            yield refusal.message
            continue
        if one.unsafe and artifact.unsafe is None:
            yield f"{visible(file.path)} is {one.why}, and the version does not say `unsafe: pickle`"
        for name in one.lacking(file.path, paths)[:3]:
            yield f"{visible(file.path)} keeps numbers in {visible(name, 200)}, which is not among its files"
        notes: list[str] = []
        said = suspected(file.path, tree.tree / file.path, notes) if one.unsafe and scan else None
        looked.notes += (f"{row.model}@{row.version}: {note}" for note in notes)
        if said is not None:
            yield said
        seen.append(one)
    if artifact.unsafe is None:
        yield from _imported(artifact, tree.tree)
    telling = [one for one in seen if one.observed and one.format == artifact.format]
    if artifact.observed is None or len(telling) != 1:
        return
    recorded = entry.document.value(("artifact", "observed")) if entry is not None else None
    for key, node in recorded.items() if isinstance(recorded, dict) else ():
        if not _agrees(node, telling[0].observed.get(key)):
            yield f"the bytes say otherwise of `observed.{visible(key)}` than the version does"


def _imported(artifact: Artifact, folder: Path) -> Iterator[str]:
    from modelspec.cli.artifact import MlModels
    from modelspec.formats.mlcode import WHY, by_content

    files = {file.path: partial(_opened, f"{folder}/{file.path}") for file in artifact.files}
    for path in by_content(list(files), MlModels(files)):
        yield f"{visible(path)} is {WHY}, and the version does not say `unsafe: pickle`"


def _opened(file: str) -> AbstractContextManager[BinaryIO]:
    """Open a file of a tree, whose bytes git-LFS may have."""
    return foreign(behind(Path(file)))


def _agrees(recorded: Data, bytes_: Data) -> bool:
    """Whether they say the same; -1 stands for any open dimension, whatever it is called in the bytes."""
    if isinstance(recorded, dict) and isinstance(bytes_, dict):
        return recorded.keys() == bytes_.keys() and all(
            _agrees(node, bytes_[key]) for key, node in recorded.items()
        )
    if isinstance(recorded, list) and isinstance(bytes_, list):
        return len(recorded) == len(bytes_) and all(map(_agrees, recorded, bytes_))
    return recorded == bytes_ or (recorded == -1 and isinstance(bytes_, str))
