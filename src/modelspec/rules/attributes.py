"""MS0: git attributes that make merges silently wrong, or a checkout other than what git holds."""

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
    "templates/target/target.yaml",
)
"""Paths as they will be in a registry that is still empty."""


_BLANKS: Final = re.compile(r"[ \t\r]+")
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\(?:[abfnrtv"\\]|[0-3][0-7][0-7]))*)"')
_ESCAPED: Final = re.compile(r"\\([0-7]{3}|.)")
_ATTRIBUTE: Final = re.compile(r"(?P<sign>[-!]?)(?P<name>[A-Za-z0-9_.][A-Za-z0-9_.-]*)(?:=(?P<value>.*))?")
_MOST: Final = 1000
"""Lines that are tried on every path; nobody has as many who means well."""
_LONGEST: Final = 2048
"""Characters of a line; git reads no longer one."""
_UNSPECIFIED: Final = "!"
_UNSET: Final = "-"
_SET: Final = "\0"
"""An attribute that is set, to no value: no value can have this character."""
_PLAIN: Final[dict[str, tuple[str, ...]]] = {
    "merge": (_UNSPECIFIED, _SET, "text"),
    "filter": (_UNSPECIFIED, _UNSET),
    "ident": (_UNSPECIFIED, _UNSET),
    "working-tree-encoding": (_UNSPECIFIED, _UNSET, "UTF-8"),
    "eol": (_UNSPECIFIED, _UNSET, "lf"),
}
"""What each attribute may be; `merge` that is set is git's own three-way merge of text."""
Says = tuple[tuple[str, str, str], ...]
"""(Attribute, its value, the word as written), in order."""


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of a .gitattributes file: `says` has (attribute, its value, the word as written) in order."""

    path: str
    number: int
    text: str
    pattern: str
    folder: str
    says: Says

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
    for line, said, path in _wrong(registry, "merge"):
        yield Problem(
            Place(line.path, mark=line.mark(said)),
            f"{visible(said)} makes git merge {visible(path, 120)} without telling conflicts",
            fix=f"remove {visible(said)}",
        )
    lines, _ = _read(registry)
    if len(lines) > _MOST:
        last = lines[_MOST]
        yield Problem(
            Place(last.path, mark=last.mark(last.says[-1][2])),
            f"{len(lines):,} lines of attributes that count here, more than {_MOST:,}: not all are judged",
            fix="remove them: one file a pin needs none",
        )


@rule("MS016", "checkout-plain", of=REGISTRY)
def checkout_plain(registry: Registry, scene: Scene) -> Iterator[Problem]:
    """No `.gitattributes` makes git check files of the registry out as other bytes than it holds.

    That is what lies below `registry/`, `templates/` and `compiled/`. Neither a `filter`, which git-LFS is
    too, nor `ident`, a `working-tree-encoding` or `eol=crlf`. A store in this repository may have a filter.

    *Why:* what is judged in a checkout would not be what git holds, what history says and what others are
    served: digests differ, and a pin can say two things.

    *Fix:* remove the attribute; `text eol=lf` is right for all of them.
    """
    for name in _PLAIN:
        for line, said, path in _wrong(registry, name) if name != "merge" else ():
            yield Problem(
                Place(line.path, mark=line.mark(said)),
                f"{visible(said)} makes git check out {visible(path, 120)} as other bytes than it holds",
                fix=f"remove {visible(said)}",
            )


def _wrong(registry: Registry, name: str) -> Iterator[tuple[_Line, str, str]]:
    """Yield (line, word, path): what gives an attribute a value that it may not have, first to which file."""
    lines, macros = _read(registry)
    lines = [line for line in lines if any(said == name or said in macros for said, _, _ in line.says)]
    wrong: dict[tuple[_Line, str], str] = {}
    steps = [(line, compiled(line.pattern, line.folder)) for line in reversed(lines[-_MOST:])]
    for path in _paths(registry) if lines else ():
        if name == "merge" and path.startswith("templates/"):
            continue
        deciding = _deciding((line for line, step in steps if matches(step, path)), macros, name)
        if deciding is not None:
            wrong.setdefault(deciding, path)
    for (line, said), path in wrong.items():
        yield line, said, path


def _read(registry: Registry) -> tuple[list[_Line], dict[str, Says]]:
    """Return the lines that count here, in the order of git, and the macros: of these the root's alone."""
    macros: dict[str, Says] = {"binary": (("merge", _UNSET, "-merge"),)}
    lines: list[_Line] = []
    for path in _attribute_files(registry):
        for line in _lines(registry, path):
            if not line.pattern.startswith("[attr]"):
                lines.append(line)
            elif path == _NAME:
                macros[line.pattern.removeprefix("[attr]")] = line.says
    names = _PLAIN.keys() | macros.keys()
    return [line for line in lines if any(name in names for name, _, _ in line.says)], macros


def _deciding(lines: Iterator[_Line], macros: dict[str, Says], wanted: str) -> tuple[_Line, str] | None:
    """Return the line, and its word, that gives a path what the wanted attribute may not be; else None.

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
                if name == wanted:
                    return None if value in _PLAIN[wanted] else (line, word)
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
    files = chain(registry.files(), registry.snapshot.walk("templates"))
    below = (path for path, _ in files if path.endswith(f"/{_NAME}"))
    yield from sorted(below, key=lambda path: path.count("/"))


def _paths(registry: Registry) -> Iterator[str]:
    yield from _ALWAYS
    below = registry.snapshot.walk
    for path, _ in chain(registry.files(), below("compiled"), below("templates")):
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
