"""The pins of one environment, each read when it is asked for: an environment may have thousands."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, Generic, TypeVar

from modelspec.compat.search import FEW, MODELS, NEEDS, begin_needs
from modelspec.spec.kinds import PIN, VERSION
from modelspec.spec.registry import Registry
from modelspec.tree.snapshot import ahead

T = TypeVar("T")
_NUMBER: Final = re.compile(rb"(?<![0-9A-Za-z.-])([0-9][0-9A-Za-z.-]*)@sha256:")
"""A version before its digest. Only where a word begins: else each digit of every digest is tried as one."""


class Lazily(Mapping[str, T], Generic[T]):
    """A mapping whose values are made when they are asked for; a name without a value is not in it."""

    def __init__(self, names: Callable[[], Iterable[str]], make: Callable[[str], T | None]) -> None:
        self._names = names
        self._make = make
        self._known: dict[str, T | None] = {}
        self.placed: frozenset[str] = frozenset()
        """The names whose values were put here by `with_one`."""

    def __getitem__(self, name: str) -> T:
        if name not in self._known:
            self._known[name] = self._make(name)
        found = self._known[name]
        if found is None:
            raise KeyError(name)
        return found

    def __iter__(self) -> Iterator[str]:
        names = dict.fromkeys([*self._names(), *self._known])
        return (name for name in names if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def with_one(self, name: str, value: T) -> Lazily[T]:
        """Return this mapping with another value of one name."""
        other = Lazily(self._names, self._make)
        other._known = {**self._known, name: value}
        other.placed = self.placed | {name}
        return other


def needing(registry: Registry, environment: str) -> frozenset[str]:
    """Return the models one of whose pinned versions may need others; looked through once a registry.

    Where all versions are searched, a model is among them for any version, whether that one is pinned or not.
    """

    def made() -> frozenset[str]:
        found = None
        if begin_needs(registry.snapshot, environment):
            found = _searched(registry, NEEDS)
        if found is None:
            return naming(registry, environment, "needs")
        return found & frozenset(name[1] for name in registry.names(PIN, environment))

    return registry.once(("needing", environment), made)


def needing_too(other: Registry, known: Registry, environment: str, models: Iterable[str]) -> None:
    """Let a registry know what another one does: only the pins of `models`, or their versions, differ."""
    other.once(("needing", environment), lambda: needing(known, environment) | frozenset(models))


def naming(registry: Registry, environment: str, *words: str) -> frozenset[str]:
    """Return the models of an environment one of whose pinned versions may hold one of these words.

    Pins and versions are looked through as bytes and not read, which takes a tenth of the time. A file with a
    backslash may spell anything otherwise, so it may hold the word.
    """
    return holding(registry, _pinned(registry, environment), *words)


def publishing(registry: Registry, environment: str, *words: str) -> frozenset[str]:
    """Return the models that an environment pins with any version that may hold one of these words."""
    models = [name[1] for name in registry.names(PIN, environment)]
    found = _searched(registry, words) if len(models) > FEW else None
    if found is not None:
        return found & frozenset(models)
    paths = {VERSION.locate(*name): model for model in models for name in registry.names(VERSION, model)}
    return holding(registry, paths, *words)


def _searched(registry: Registry, words: Sequence[str]) -> frozenset[str] | None:
    """Return the models with a file that holds one of these words; None where it is not searched for.

    For `needs` is always asked alone: that is what was begun ahead.
    """
    models: set[str] = set()
    for asked in (NEEDS, tuple(word for word in words if word not in NEEDS)):
        found = registry.search(MODELS, asked) if asked else frozenset()
        if found is None:
            return None
        models |= {path.split("/")[2] for path in found}
    return frozenset(models)


def needing_ahead(registry: Registry, environment: str) -> None:
    """Begin to read what `needing` looks through, for who has something else to do meanwhile."""
    ahead(registry.snapshot, tuple(_pinned(registry, environment)))


def _pinned(registry: Registry, environment: str) -> dict[str, str]:
    """Return path -> model of the versions that the pins of an environment name; worked out once."""

    def made() -> dict[str, str]:
        models = {PIN.locate(*name): name[1] for name in registry.names(PIN, environment)}
        versions: dict[str, str] = {}
        for path, data in registry.sources(tuple(models)).items():
            numbers = {found.decode() for found in _NUMBER.findall(data)}
            if b"\\" in data:
                # What is spelled with escapes may be any of them.
                numbers |= {name[1] for name in registry.names(VERSION, models[path])}
            versions |= {VERSION.locate(models[path], number): models[path] for number in numbers}
        return versions

    return registry.once(("pinned", environment), made)


def holding(registry: Registry, paths: Mapping[str, str], *words: str) -> frozenset[str]:
    """Return what stands beside those of the paths whose files may hold one of these words."""
    wanted = [b"\\", *(word.encode() for word in words)]
    found = registry.sources(tuple(paths))
    return frozenset(paths[path] for path, data in found.items() if any(word in data for word in wanted))
