"""From a stamp, perhaps shortened, to the version that has it: of all that ever were, also of those gone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from modelspec.spec.base import ref_digest, ref_name
from modelspec.spec.history import History
from modelspec.spec.kinds import ENVIRONMENT, MODEL, PIN, VERSION, classify
from modelspec.spec.reader import Entry
from modelspec.spec.registry import Registry
from modelspec.tree.digest import DIGEST
from modelspec.tree.paths import NAME, SEMVER

LEAST: Final = 12
"""The fewest hex digits that may name a version."""
_HEX: Final = re.compile(r"(?:sha256[-:])?([0-9a-f]{12,64})")
_REF: Final = re.compile(rf"({SEMVER})@({DIGEST})".encode())


@dataclass(frozen=True, slots=True, order=True)
class Named:
    """A version by name and by digest."""

    model: str
    version: str
    digest: str

    def __str__(self) -> str:
        return f"{self.model} {self.version}"


class Versions:
    """The versions of a registry, looked for where they are found soonest: pins, lines, files, history."""

    def __init__(self, registry: Registry, history: History) -> None:
        self._registry = registry
        self._history = history
        self._layers: dict[str, list[dict[str, Named]]] = {}
        self._sources: tuple[Callable[[str], Iterable[Named]], ...] = (
            self._lines,
            self._pins,
            self._files,
            self._gone,
        )

    def models(self) -> list[str]:
        """Return the names of all models that there are now."""
        return sorted(name[0] for name in self._registry.names(MODEL))

    def by_stamp(self, stamp: str, model: str | None = None) -> tuple[Named, ...]:
        """Return the versions whose digest a stamp is, or begins with: none, one, or several of a short one.

        Without a model, all of them are searched.
        """
        found = _HEX.fullmatch(stamp)
        if found is None:
            return ()
        start = f"sha256:{found[1]}"
        # A name that came from outside becomes part of a path.
        models = self.models() if model is None else [model] if re.fullmatch(NAME, model) else []
        for depth in range(len(self._sources)):
            hits = {
                named
                for one in models
                for digest, named in self._layer(one, depth).items()
                if digest.startswith(start)
            }
            if hits:
                return tuple(sorted(hits))
        return ()

    def all_of(self, model: str) -> Iterator[Named]:
        """Yield every version that a model ever had, some of them more than once."""
        for depth in range(len(self._sources)):
            yield from self._layer(model, depth).values()

    def name(self, model: str, digest: str) -> str | None:
        """Return the version of a digest, None when no version of the model ever had it."""
        found = self.by_stamp(digest, model)
        return found[0].version if found else None

    def _layer(self, model: str, depth: int) -> dict[str, Named]:
        known = self._layers.setdefault(model, [])
        while len(known) <= depth:
            known.append({named.digest: named for named in self._sources[len(known)](model)})
        return known[depth]

    def _lines(self, model: str) -> Iterator[Named]:
        """Yield what the pins say now, and the lines of versions that are retired."""
        for name in self._registry.names(ENVIRONMENT):
            pin = self._registry.value(PIN, name[0], model)
            for _, _, ref in pin.value.slots() if pin is not None else ():
                yield Named(model, ref_name(ref), ref_digest(ref))
        owner = self._registry.value(MODEL, model)
        for gone in owner.value.retired if owner is not None else ():
            yield Named(model, ref_name(gone.version), ref_digest(gone.version))

    def _pins(self, model: str) -> Iterator[Named]:
        """Yield what pins ever said: whatever served was declared once, as a rule."""
        for name in self._registry.names(ENVIRONMENT):
            for revision in self._history.of(PIN.locate(name[0], model)):
                data = revision.blob.read() if revision.blob is not None else None
                for match in _REF.finditer(data) if isinstance(data, bytes) else ():
                    yield Named(model, match[1].decode(), match[2].decode())

    def _files(self, model: str) -> Iterator[Named]:
        for entry in self._registry.entries(VERSION, model):
            yield Named(model, entry.value.version, entry.digest)

    def _gone(self, model: str) -> Iterator[Named]:
        """Yield the versions whose files were there once."""
        for path, revisions in self._history.under(f"registry/models/{model}").items():
            found = classify(path)
            if found is None or found[0] is not VERSION:
                continue
            for revision in revisions:
                if revision.blob is None:
                    continue
                entry = self._registry.reader.read(VERSION, found[1], path, revision.blob)
                if isinstance(entry, Entry):
                    yield Named(model, entry.value.version, entry.digest)
