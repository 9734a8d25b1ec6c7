"""What libyaml says of a text that is not YAML, and what most often mends it."""

from __future__ import annotations

import re
from typing import Final

import yaml

from modelspec.tree.events import START
from modelspec.tree.finding import Fault
from modelspec.tree.place import Mark
from modelspec.tree.text import visible

_FIXES: Final = {
    "cannot start any token": "quote the text, and indent with spaces, never tabs",
    "a tab character that violates indentation": "indent with spaces, never tabs",
    "did not find expected key": "look at the indent here, and for a quote or a bracket that is not closed",
    "did not find expected ',' or": "close the bracket, or write the missing comma",
    "could not find expected ':'": "write `key: value`, or continue a text on a line that is indented",
    "did not find expected node content": "write the value that is missing here, or its key",
    "hexdecimal": "write a backslash as `\\\\`, or use single quotes",
    "directive": "remove it, or quote a text that begins with %",
    "found unexpected end of stream": "close the quote or the bracket",
    "did not find expected <document start>": "one file holds one document",
    "unknown escape character": "write a backslash as `\\\\`, or use single quotes",
    "block sequence entries are not allowed": "write it as [a, b], or each `- ` on a line of its own",
    "indentation indicator equal to 0": "leave the 0 out",
}
"""What libyaml says -> what most often mends it."""
_TOO_DEEP: Final = "exceeded maximum nesting depth"
_COLON: Final = "mapping values are not allowed"


def syntax_fault(error: yaml.YAMLError, source: bytes, max_depth: int) -> Fault:
    """Return the fault that a syntax error of libyaml is, at the place that it names."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    parts = (getattr(error, "context", None), getattr(error, "problem", None))
    said = " ".join(part for part in parts if part) or str(error)
    where = Mark(mark.line + 1, mark.column + 1, mark.column + 2) if mark is not None else START
    if _TOO_DEEP in said:
        # libyaml looks a thousand brackets ahead for a key, and gives up before the walk can count them.
        return Fault("yaml-subset", f"nested deeper than {max_depth} levels", "flatten it", where)
    if _COLON in said:
        fix: str | None = _misplaced_colon(source, where)
    else:
        fix = next((fix for words, fix in _FIXES.items() if words in said), None)
    return Fault("yaml-subset", f"this is not YAML: {visible(said, limit=120)}", fix, where)


def _misplaced_colon(source: bytes, where: Mark) -> str:
    """A colon where no key can be: in a text, below a line that lost its own, or at a wrong indent."""
    lines = source.decode("utf-8", "replace").split("\n", where.line)[: where.line]
    if re.search(r":\s", lines[-1][: where.column - 1]):
        return "a text with `: ` in it is quoted"
    before = next((line for line in reversed(lines[:-1]) if line.strip() and line.strip()[0] != "#"), "")
    if before and ":" not in before:
        return "write `key: value`: the line before has no colon, so its text goes on here"
    return "a key stands at its map's indent; a text with `: ` in it is quoted"
