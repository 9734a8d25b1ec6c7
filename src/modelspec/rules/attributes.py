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
_ALWAYS: Final = (
    "registry/modelspec.yaml",
    "registry/environments/production/models/model.yaml",
    "registry/models/model/versions/1.0.0.yaml",
    "compiled/production/models/model/target/manifest.json",
)
"""Paths as they will be in a registry that is still empty."""


_BLANKS: Final = re.compile(r"[ \t\r]+")
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\(?:[abfnrtv"\\]|[0-3][0-7][0-7]))*)"')
_ESCAPED: Final = re.compile(r"\\([0-7]{3}|.)")
_ATTRIBUTE: Final = re.compile(r"(?P<sign>[-!]?)(?P<name>[A-Za-z0-9_.][A-Za-z0-9_.-]*)(?:=(?P<value>.*))?")
_MOST: Final = 1000
"""Lines on merging that are tried on every path; nobody has as many who means well."""
_LONGEST: Final = 2048
"""Characters of a line; git reads no longer one."""
_UNSPECIFIED: Final = "!"
_UNSET: Final = "-"
_SET: Final = "text"
"""What `merge` is when it is set: git's own three-way merge of text."""
_PLAIN: Final = (_UNSPECIFIED, _SET)


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of a .gitattributes file: `says` has (attribute, its value, the word as written) in order."""

    path: str
    number: int
    text: str
    pattern: str
    folder: str
    says: tuple[tuple[str, str, str], ...]

    def mark(self, said: str) -> Mark:
        """Where a word of the line stands."""
        start = self.text.rindex(said) + 1
        return Mark(self.number, start, start + len(said))


@rule("MS013", "merge-plain", of=REGISTRY)
def merge_plain(registry: Registry, scene: Scene) -> Iterator[Problem]:
    """No `.gitattributes` gives files below `registry/` or `compiled/` another merge than git's own.

    Neither `merge=union`, `merge=ours` or a driver of one's own, nor `-merge` or `binary`.

    *Why:* these hide true conflicts: tried on real promotions, they left 62 of 63 reverts with a wrong
    pin or stale outputs and exit code 0. Forges ignore them, so a merge there gives another result.

    *Fix:* remove the attribute. One file a pin and a fixed order of keys keep merges free of false
    conflicts without it.
    """
    macros: dict[str, tuple[tuple[str, str, str], ...]] = {"binary": (("merge", _UNSET, "-merge"),)}
    lines: list[_Line] = []
    for path in _attribute_files(registry):
        for line in _lines(registry, path):
            if line.pattern.startswith("[attr]"):
                if path != _NAME:
                    continue  # git takes macros from the root's file alone
                macros[line.pattern.removeprefix("[attr]")] = line.says
            else:
                lines.append(line)
    lines = [line for line in lines if any(name == "merge" or name in macros for name, _, _ in line.says)]
    if len(lines) > _MOST:
        yield Problem(
            Place(lines[_MOST].path, mark=lines[_MOST].mark(lines[_MOST].says[-1][2])),
            f"{len(lines):,} lines say how git merges, more than {_MOST:,}: they are not judged",
            fix="remove them: one file a pin needs none",
        )
        return
    wrong: dict[tuple[_Line, str], str] = {}
    steps = [(line, compiled(line.pattern, line.folder)) for line in reversed(lines)]
    for path in _paths(registry) if lines else ():
        deciding = _deciding((line for line, step in steps if matches(step, path)), macros)
        if deciding is not None:
            wrong.setdefault(deciding, path)
    for (line, said), path in wrong.items():
        yield Problem(
            Place(line.path, mark=line.mark(said)),
            f"{visible(said)} makes git merge {visible(path, 120)} without telling conflicts",
            fix=f"remove {visible(said)}",
        )


def _deciding(
    lines: Iterator[_Line], macros: dict[str, tuple[tuple[str, str, str], ...]]
) -> tuple[_Line, str] | None:
    """Return the line, and its word, that gives a path another merge than git's; None when none does.

    `lines` are those that match it, the deciding ones first. As git does: what is said last counts, and
    a macro stands for what it says where it is set.
    """
    known: dict[str, str] = {}
    for line in lines:
        for name, value, word in reversed(line.says):
            waiting = [(name, value)]
            while waiting:
                name, value = waiting.pop()
                if name in known:
                    continue
                known[name] = value
                if name == "merge":
                    return None if value in _PLAIN else (line, word)
                if value == _SET:
                    # The last one of the macro counts, and what it stands for before the one before it.
                    waiting.extend((name, value) for name, value, _ in macros.get(name, ()))
    return None


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
    for number, text in enumerate(source.decode("utf-8-sig", "replace").split("\n"), 1):
        if len(text) > _LONGEST:
            continue
        quoted = _QUOTED.match(text.lstrip(" \t\r"))
        if quoted is not None:
            pattern, rest = _ESCAPED.sub(_escaped, quoted[1]), text.lstrip(" \t\r")[quoted.end() :]
        else:
            pattern, *words = _BLANKS.split(text.strip(" \t\r"), 1)
            rest = "".join(words)
        if not pattern or pattern.startswith(("#", "!")):
            continue
        found = [(_ATTRIBUTE.fullmatch(word), word) for word in _BLANKS.split(rest) if word]
        says = [
            (one["name"], one["sign"] or (_SET if one["value"] is None else one["value"]), word)
            for one, word in found
            if one is not None
        ]
        # Of a line with a word that is no attribute git takes nothing.
        if len(says) == len(found) and says:
            yield _Line(path, number, text, pattern, folder, tuple(says))


def _escaped(match: re.Match[str]) -> str:
    """Return the character that an escape of C stands for."""
    code = match[1]
    named = dict(zip("abfnrtv", "\a\b\f\n\r\t\v", strict=True))
    return chr(int(code, 8)) if code.isdigit() else named.get(code, code)
