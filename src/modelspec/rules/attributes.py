"""MS0: git attributes that make merges of the registry silently wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Final

from modelspec.rules.rule import REGISTRY, Scene, rule
from modelspec.spec.registry import Registry
from modelspec.tree.finding import Problem
from modelspec.tree.place import Mark, Place
from modelspec.tree.text import visible
from modelspec.tree.wildmatch import compiled, matches

_NAME: Final = ".gitattributes"
_PLAIN: Final = (None, "text")
"""What `merge` may be: unspecified, or set to git's own three-way merge of text."""
_ALWAYS: Final = (
    "registry/modelspec.yaml",
    "registry/environments/production/models/model.yaml",
    "registry/models/model/versions/1.0.0.yaml",
    "compiled/production/models/model/target/manifest.json",
)
"""Paths as they will be in a registry that is still empty."""


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of a .gitattributes file that says something of `merge`."""

    path: str
    mark: Mark
    pattern: str
    folder: str
    merge: str | None
    said: str


@rule("MS013", "merge-plain", of=REGISTRY)
def merge_plain(registry: Registry, scene: Scene) -> Iterator[Problem]:
    """No `.gitattributes` gives files below `registry/` or `compiled/` another merge than git's own.

    Neither `merge=union`, `merge=ours` or a driver of one's own, nor `-merge` or `binary`.

    *Why:* these hide true conflicts: tried on real promotions, they left 62 of 63 reverts with a wrong
    pin or stale outputs and exit code 0. Forges ignore them, so a merge there gives another result.

    *Fix:* remove the attribute. One file a pin and a fixed order of keys keep merges free of false
    conflicts without it.
    """
    lines = [line for path in _attribute_files(registry) for line in _lines(registry, path)]
    if all(line.merge in _PLAIN for line in lines):
        return
    wrong: dict[_Line, str] = {}
    steps = {line: compiled(line.pattern, line.folder) for line in lines}
    for path in _paths(registry):
        # Of all lines that match, the last one of the deepest folder decides.
        deciding = [line for line in lines if matches(steps[line], path)]
        if deciding and deciding[-1].merge not in _PLAIN:
            wrong.setdefault(deciding[-1], path)
    for line, path in wrong.items():
        yield Problem(
            Place(line.path, mark=line.mark),
            f"{visible(line.said)} makes git merge {visible(path, 120)} without telling conflicts",
            fix=f"remove {visible(line.said)}",
        )


def _attribute_files(registry: Registry) -> Iterator[str]:
    """Yield the files of attributes, the root's first, deeper ones after those above them.

    Deeper in compiled/ there can be none: the compiler stops at any file that it did not write.
    """
    for path in (_NAME, f"compiled/{_NAME}"):
        if registry.snapshot.get(path) is not None:
            yield path
    below = (path for path, _ in registry.files() if path.endswith(f"/{_NAME}"))
    yield from sorted(below, key=lambda path: path.count("/"))


def _paths(registry: Registry) -> Iterator[str]:
    yield from _ALWAYS
    for path, _ in chain(registry.files(), registry.snapshot.walk("compiled")):
        yield path


def _lines(registry: Registry, path: str) -> Iterator[_Line]:
    blob = registry.snapshot.get(path)
    source = blob.read() if blob is not None else b""
    if not isinstance(source, bytes):
        return
    folder = path.rpartition("/")[0]
    macros: dict[str, str | None] = {"binary": "unset"}
    for number, text in enumerate(source.decode("utf-8", "replace").split("\n"), 1):
        words = re.findall(r'"(?:[^"\\]|\\.)*"|\S+', text)
        if not words or words[0].startswith("#"):
            continue
        pattern, *attributes = words
        found = [(word, value) for word in attributes for value in _merge(word, macros)]
        if not found:
            continue
        said, merge = found[-1]
        if pattern.startswith("[attr]"):
            macros[pattern.removeprefix("[attr]")] = merge
            continue
        start = text.index(said) + 1
        mark = Mark(number, start, start + len(said))
        yield _Line(path, mark, pattern.strip('"'), folder, merge, said)


def _merge(word: str, macros: dict[str, str | None]) -> Iterator[str | None]:
    """Yield what one attribute of a line says of `merge`, if anything; None is unspecified."""
    name, _, value = word.lstrip("-!").partition("=")
    if name == "merge":
        yield "unset" if word.startswith("-") else None if word.startswith("!") else value or "text"
    elif name in macros:
        yield None if word.startswith(("-", "!")) else macros[name]
