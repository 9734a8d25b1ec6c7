"""Git's patterns for paths, as .gitattributes writes them.

Matched by following all states at once: the time is bounded by length of pattern times length of path,
so no pattern of a hostile pull request can make it explode.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

_Ranges = tuple[tuple[str, str], ...]
_CLASSES: Final[dict[str, _Ranges]] = {
    "alnum": (("0", "9"), ("A", "Z"), ("a", "z")),
    "alpha": (("A", "Z"), ("a", "z")),
    "blank": ((" ", " "), ("\t", "\t")),
    "cntrl": (("\0", "\x1f"), ("\x7f", "\x7f")),
    "digit": (("0", "9"),),
    "graph": (("!", "~"),),
    "lower": (("a", "z"),),
    "print": ((" ", "~"),),
    "punct": (("!", "/"), (":", "@"), ("[", "`"), ("{", "~")),
    "space": ((" ", " "), ("\t", "\r")),
    "upper": (("A", "Z"),),
    "xdigit": (("0", "9"), ("A", "F"), ("a", "f")),
}


@dataclass(frozen=True, slots=True)
class _Token:
    """One step of a pattern; `text` is a character, `ranges` what stands in a bracket."""

    kind: Literal["char", "one", "set", "star", "dirs", "rest", "never"]
    text: str = ""
    ranges: _Ranges = ()
    negated: bool = False

    def takes(self, char: str) -> bool:
        """Whether this step consumes the character."""
        if self.kind == "char":
            return char == self.text
        if self.kind in ("dirs", "rest"):
            return True
        if self.kind == "set":
            return char != "/" and any(low <= char <= high for low, high in self.ranges) is not self.negated
        return char != "/" and self.kind != "never"


def compiled(pattern: str, folder: str = "") -> tuple[_Token, ...]:
    """Return the steps of a pattern that stands in a file of `folder` ("" is the root)."""
    steps = [_Token("char", char) for char in (folder + "/" if folder else "")]
    if "/" not in pattern:
        steps.append(_Token("dirs"))
    body = pattern.removeprefix("/")
    index = 0
    while index < len(body):
        char = body[index]
        if char == "[":
            step, index = _bracket(body, index + 1)
        elif char == "*":
            end = index + len(body[index:]) - len(body[index:].lstrip("*"))
            step, index = _stars(body, index, end)
        elif char == "\\":
            step = _Token("char", body[index + 1]) if index + 1 < len(body) else _Token("never")
            index += 2
        else:
            step, index = _Token("one") if char == "?" else _Token("char", char), index + 1
        steps.append(step)
    return tuple(steps)


def _stars(body: str, start: int, end: int) -> tuple[_Token, int]:
    """Return the step of the stars from `start` up to `end`, and where it goes on.

    Within a name git took `**` for `*` in some releases and for any path in others: here it is any path.
    """
    if end - start > 1 and body.startswith("/", end):
        return _Token("dirs"), end + 1
    if end - start > 1 and end == len(body):
        return _Token("rest"), end
    return _Token("star"), end


def _bracket(body: str, index: int) -> tuple[_Token, int]:
    """Return the step of the bracket whose inside begins at `index`, and where it goes on.

    One that is not closed, or names a class that does not exist, matches nothing.
    """
    never = _Token("never"), len(body)
    negated = body.startswith(("!", "^"), index)
    start = index = index + negated
    found: list[tuple[str, str]] = []
    last = ""  # the character that a `-` could go on from
    while index == start or not body.startswith("]", index):
        end = body.find("]", index + 2) if body.startswith("[:", index) else -1
        if end > index + 2 and body[end - 1] == ":":
            ranges = _CLASSES.get(body[index + 2 : end - 1])
            if ranges is None:
                return never
            found.extend(ranges)
            last, index = "", end + 1
            continue
        through = bool(last) and body.startswith("-", index) and not body.startswith("]", index + 1)
        index += through
        index += body.startswith("\\", index)
        if index >= len(body):
            return never
        char = body[index]
        found.append((last, char) if through else (char, char))
        last = "" if through else char
        index += 1
    return _Token("set", ranges=tuple(found), negated=negated), index + 1


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
            steps[state].kind in ("star", "rest") or (steps[state].kind == "dirs" and at_start)
        ):
            state += 1
            found.add(state)
    return found
