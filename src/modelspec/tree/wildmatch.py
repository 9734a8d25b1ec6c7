"""Git's patterns for paths, as .gitattributes writes them.

Matched by following all states at once: the time is bounded by length of pattern times length of path,
so no pattern of a hostile pull request can make it explode.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

_TOKEN: Final = re.compile(
    r"(?P<dirs>\*\*/)|(?P<star>\*+)|(?P<one>\?)|\[(?P<set>[!^]?[^/][^]/]*)\]|\\?(?P<char>.)", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class _Token:
    """One step of a pattern; `text` is a character, or what stands in a bracket."""

    kind: Literal["char", "one", "set", "star", "dirs", "rest"]
    text: str = ""

    def takes(self, char: str) -> bool:
        """Whether this step consumes the character."""
        if self.kind == "char":
            return char == self.text
        if self.kind in ("dirs", "rest"):
            return True
        return char != "/" and (self.kind != "set" or _in_set(self.text, char))


def compiled(pattern: str, folder: str = "") -> tuple[_Token, ...]:
    """Return the steps of a pattern that stands in a file of `folder` ("" is the root)."""
    steps = [_Token("char", char) for char in (folder + "/" if folder else "")]
    if "/" not in pattern:
        steps.append(_Token("dirs"))
    for match in _TOKEN.finditer(pattern.removeprefix("/")):
        kind, text = match.lastgroup or "char", match[match.lastgroup or 0]
        if kind == "star" and len(text) > 1 and match.end() == len(pattern.removeprefix("/")):
            # A trailing `**` takes everything below; elsewhere it is a `*`.
            before = steps[-1] if steps else _Token("char", "/")
            kind = "rest" if before == _Token("char", "/") else "star"
        steps.append(_Token(kind, text))  # type: ignore[arg-type]  # the groups are named for the kinds
    return tuple(steps)


def matches(steps: tuple[_Token, ...], path: str) -> bool:
    """Whether the whole path matches the pattern."""
    states = _open(steps, {0}, True)
    for char in path:
        after: set[int] = set()
        for state in states:
            if state < len(steps) and steps[state].takes(char):
                kind = steps[state].kind
                after.add(state if kind in ("star", "dirs") else state + 1)
                if kind == "rest":
                    after.add(state)
        states = _open(steps, after, char == "/")
        if not states:
            return False
    return len(steps) in states


def _open(steps: tuple[_Token, ...], states: set[int], at_start: bool) -> set[int]:
    """Add the states that are reached without a character; `dirs` ends only where a name starts."""
    found = set(states)
    for state in sorted(states):
        while state < len(steps) and (
            steps[state].kind == "star" or (steps[state].kind == "dirs" and at_start)
        ):
            state += 1
            found.add(state)
    return found


def _in_set(text: str, char: str) -> bool:
    negated = text[0] in "!^"
    body = text[1:] if negated else text
    inside = False
    index = 0
    while index < len(body):
        if index + 2 < len(body) and body[index + 1] == "-":
            inside |= body[index] <= char <= body[index + 2]
            index += 3
        else:
            inside |= body[index] == char
            index += 1
    return inside is not negated
