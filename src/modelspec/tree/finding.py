"""What is wrong: in the user's files (faults, problems, findings) or in the world (refusals)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from modelspec.tree.place import Mark, Place, Route

Severity = Literal["error", "warn"]
FaultName = Literal[
    "file-regular",
    "text-clean",
    "yaml-subset",
    "scalar-plain",
    "kind-known",
    "keys-known",
    "value-typed",
    "name-matches-path",
]
"""The MS0 rules that a file breaks when it can't be read: one rule of that name reports each."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why one file could not be read: the name of the MS0 rule that it breaks, and where in the file."""

    rule: FaultName
    message: str
    fix: str | None = None
    mark: Mark | None = None
    route: Route = ()
    key: bool = False


@dataclass(frozen=True, slots=True)
class Related:
    """A second place that explains a problem."""

    place: Place
    message: str


@dataclass(frozen=True, slots=True)
class Problem:
    """What a rule yields: a place, what is wrong there, and how to mend it."""

    place: Place
    message: str
    related: tuple[Related, ...] = ()
    fix: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem with the rule that found it. Its identity is code, path, route and value, never the line."""

    code: str
    name: str
    severity: Severity
    place: Place
    message: str
    value: str = ""
    related: tuple[Related, ...] = ()
    fix: str | None = None
    waived: str | None = None
    """The path of the waiver that lifts this finding."""
    existing: bool = False
    """The base has it too, in a file that the change does not touch: it does not block the change."""

    @property
    def identity(self) -> tuple[str, str, Route, str]:
        """What makes two findings the same one."""
        return (self.code, self.place.path, self.place.route, self.value)

    @property
    def blocks(self) -> bool:
        """Whether this finding alone makes a check fail."""
        return self.severity == "error" and self.waived is None and not self.existing


class Refusal(Exception):
    """The world is not ready: no such revision, a shallow clone, a folder that can't be written. Exit 3.

    Raised in `world`, caught once in `cli`. `hint` is the cure.
    """

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
