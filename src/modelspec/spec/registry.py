"""A snapshot read as a registry, lazily: nothing is opened until it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, TypeVar

from pydantic import BaseModel

from modelspec.spec.base import ref_name
from modelspec.spec.environment import FeaturePin, Pin
from modelspec.spec.kinds import (
    ENVIRONMENT,
    FEATURE_PIN,
    MODEL,
    SCHEMA,
    SETTINGS,
    TARGET,
    VERSION,
    VIEW,
    Kind,
    classify,
)
from modelspec.spec.reader import Broken, Entry, Reader
from modelspec.spec.settings import Settings
from modelspec.tree.snapshot import Blob, Snapshot, look, search

T = TypeVar("T")
V = TypeVar("V", bound=BaseModel)
AnyEntry = Entry[Any] | Broken[Any]
_SEEN: Final = 2000
"""From so many files that were read on, nothing is searched for without reading."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What some pins reach: all that a compile of them has to be right about. Sorted by path."""

    entries: tuple[Entry[Any], ...]
    broken: tuple[Broken[Any], ...]

    def of(self, kind: Kind[V]) -> tuple[Entry[V], ...]:
        """Return the entries of one kind."""
        return tuple(entry for entry in self.entries if entry.kind is kind)


class Registry:
    """A snapshot and a reader."""

    def __init__(self, snapshot: Snapshot, reader: Reader | None = None) -> None:
        self.snapshot = snapshot
        self.reader = reader or Reader()
        self._seen: dict[str, AnyEntry | None] = {}
        self._named: dict[tuple[Kind[Any], tuple[str, ...]], AnyEntry] = {}
        self._walked: dict[str, Blob] | None = None
        self._memo: dict[object, Any] = {}

    @cached_property
    def settings(self) -> Settings | None:
        """The registry's settings, or None when they are missing or broken (a finding says so)."""
        found = self.get(SETTINGS)
        return found.value if isinstance(found, Entry) else None

    def replaced(self, entry: Entry[Any]) -> Registry:
        """Return a registry that says something else in one file: a question of what would be."""
        other = Registry(self.snapshot, self.reader)
        other._seen = {**self._seen, entry.path: entry}
        return other

    def once(self, key: object, make: Callable[[], T]) -> T:
        """Return `make()`, a fact about this registry, computed at most once for `key`."""
        if key not in self._memo:
            self._memo[key] = make()
        value: T = self._memo[key]
        return value

    def names(self, kind: Kind[V], *within: str) -> Sequence[tuple[str, ...]]:
        """Return the full names of a kind, by path only; `within` fixes the first parts of the name.

        `names(VERSION, "eta")` gives `("eta", "2.3.0"), ...`.
        """
        return [name for name, _ in self._files(kind, within)]

    def get(self, kind: Kind[V], *name: str) -> Entry[V] | Broken[V] | None:
        """Return one entry, a broken one, or None when there is no such file."""
        entry: Entry[V] | Broken[V] | None = self._named.get((kind, name))
        if entry is not None:
            return entry
        path = kind.locate(*name)
        found = classify(path)
        return None if found is None or found[0] is not kind else self.at(path)

    def value(self, kind: Kind[V], *name: str) -> Entry[V] | None:
        """Return one entry that could be read, or None."""
        found = self.get(kind, *name)
        return found if isinstance(found, Entry) else None

    def at(self, path: str) -> Any:
        """Return the entry at a path that a kind lives at, or None."""
        if path in self._seen:
            return self._seen[path]
        blob = self._blob(path)
        return None if blob is None else self._open(path, blob)

    def all(self, kind: Kind[V], *within: str) -> Iterator[Entry[V] | Broken[V]]:
        """Yield every entry of a kind, sorted by name."""
        for _, path in self._files(kind, within):
            found = self.at(path)
            if found is not None:
                yield found

    def entries(self, kind: Kind[V], *within: str) -> Iterator[Entry[V]]:
        """Yield every entry of a kind that could be read."""
        return (entry for entry in self.all(kind, *within) if isinstance(entry, Entry))

    def sources(self, paths: Sequence[str]) -> dict[str, bytes]:
        """Return the bytes of many files by path, unread as kinds: for who looks for a word in them."""
        known = {path: self._seen[path] for path in paths if path in self._seen}
        others = [path for path in paths if path not in known]
        found = dict(zip(others, look(self.snapshot, others), strict=True))
        found |= {path: source_of(entry) for path, entry in known.items() if entry is not None}
        return {path: data for path, data in found.items() if data is not None}

    def search(self, folder: str, words: Sequence[str]) -> frozenset[str] | None:
        """Return the paths of the files below a folder that hold one of the words, perhaps of larger ones.

        None where that is no quicker than to look through `sources`.
        """
        if len(self._seen) > _SEEN:
            # Most of what the search would look at has been read.
            return None
        found = search(self.snapshot, folder, words)
        if found is None:
            return None
        wanted = [word.encode() for word in words]
        known = {path: entry for path, entry in self._seen.items() if path.startswith(f"{folder}/")}
        held = {path: b"" if entry is None else source_of(entry) for path, entry in known.items()}
        mine = {path for path, data in held.items() if any(word in data for word in wanted)}
        return frozenset(mine | (found - known.keys()))

    def files(self) -> Iterator[tuple[str, Blob]]:
        """Yield every file of `registry/`, whether a kind lives there or not; walked once."""
        if self._walked is None:
            self._walked = dict(self.snapshot.walk("registry"))
        return iter(self._walked.items())

    def _blob(self, path: str) -> Blob | None:
        if self._walked is not None and path.startswith("registry/"):
            return self._walked.get(path)
        return self.snapshot.get(path)

    def _open(self, path: str, blob: Blob) -> AnyEntry | None:
        found = classify(path)
        if found is None:
            return None
        kind, name = found
        entry = self.reader.read(kind, name, path, blob)
        self._seen[path] = self._named[kind, name] = entry
        return entry

    def _files(self, kind: Kind[V], within: tuple[str, ...]) -> list[tuple[tuple[str, ...], str]]:
        """Return (name, path) of the files of a kind, sorted; only folders on their way are listed."""
        parts = kind.path.split("/")
        found: list[tuple[tuple[str, ...], str]] = [((), "")]
        for depth, part in enumerate(parts):
            wants_folder = depth < len(parts) - 1
            found = [
                step
                for name, folder in found
                for step in self._step(part, name, folder, within, wants_folder)
            ]
        # A last part that is fixed (`model.yaml`) was put together, not listed: is it there?
        listed = "{" in parts[-1] and len(within) < len(kind.parts)
        return sorted(
            (name, path)
            for name, path in found
            if (match := classify(path)) is not None
            and match[0] is kind
            and (listed or path in self._seen or self._blob(path) is not None)
        )

    def _step(
        self, part: str, name: tuple[str, ...], folder: str, within: tuple[str, ...], wants_folder: bool
    ) -> Iterator[tuple[tuple[str, ...], str]]:
        """Yield (name, path) of all that one part of a pattern, `{model}.yaml`, stands for in a folder."""
        prefix = f"{folder}/" if folder else ""
        if not part.startswith("{"):
            yield name, prefix + part
            return
        suffix = part.partition("}")[2]
        if len(name) < len(within):
            stem = within[len(name)]
            yield (*name, stem), prefix + stem + suffix
            return
        for entry, is_folder in self.snapshot.ls(folder):
            if is_folder == wants_folder and entry.endswith(suffix):
                yield (*name, entry.removesuffix(suffix)), prefix + entry

    def closure(self, pins: Iterable[Entry[Pin]], feature_pins: Iterable[Entry[FeaturePin]] = ()) -> Scope:
        """Return all that these pins reach: settings, environments, models, versions, schemas, targets."""
        reached: dict[str, AnyEntry] = {}
        self._reach(reached, SETTINGS)
        serving = {entry.path: entry for entry in feature_pins}
        for pin in pins:
            reached[pin.path] = pin
            self._reach(reached, ENVIRONMENT, pin.value.environment)
            self._reach(reached, MODEL, pin.value.model)
            for target in pin.value.serve:
                self._reach(reached, TARGET, target)
            for _, _, ref in pin.value.slots():
                version = self._reach(reached, VERSION, pin.value.model, ref_name(ref))
                for feature in version.value.feature_refs if isinstance(version, Entry) else ():
                    self._reach(reached, SCHEMA, feature.view, ref_name(feature.schema_))
                    served = self._reach(reached, FEATURE_PIN, pin.value.environment, feature.view)
                    if isinstance(served, Entry):
                        serving[served.path] = served
        for path, served in serving.items():
            reached[path] = served
            self._reach(reached, ENVIRONMENT, served.value.environment)
            self._reach(reached, VIEW, served.value.view)
            for number in served.value.serves:
                self._reach(reached, SCHEMA, served.value.view, ref_name(number))
        entries = [entry for _, entry in sorted(reached.items())]
        return Scope(
            entries=tuple(entry for entry in entries if isinstance(entry, Entry)),
            broken=tuple(entry for entry in entries if isinstance(entry, Broken)),
        )

    def _reach(self, reached: dict[str, AnyEntry], kind: Kind[Any], *name: str) -> AnyEntry | None:
        found = self.get(kind, *name)
        if found is not None:
            reached[kind.locate(*name)] = found
        return found


def source_of(entry: AnyEntry) -> bytes:
    """Return the bytes that an entry was read from, or that could not be read as one."""
    return entry.document.source if isinstance(entry, Entry) else entry.source
