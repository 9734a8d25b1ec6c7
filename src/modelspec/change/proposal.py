"""What a verb proposes: a patch and what it does in words. Nothing is written yet."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from modelspec.change.edit import Unedited
from modelspec.tree.snapshot import Patch

if TYPE_CHECKING:
    from modelspec.compat.verdict import Standing

TRAILER: Final = "Modelspec-Change"
"""The key of the trailer that each step leaves in a commit's message."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that is done: `promote eta production 2.3.0 -> 2.3.1`. Empty parts are left out."""

    verb: str
    name: str
    environment: str = ""
    was: str = ""
    now: str = ""

    def __str__(self) -> str:
        """Return the step as it stands in a trailer."""
        move = f"{self.was} -> {self.now}" if self.was and self.now else self.was or self.now
        return " ".join(part for part in (self.verb, self.name, self.environment, move) if part)


@dataclass(frozen=True, slots=True)
class Declined:
    """Why nothing is proposed, and what to do."""

    message: str
    fix: str

    @classmethod
    def of(cls, path: str, why: Unedited) -> Declined:
        """Return the refusal of an edit of one file."""
        return cls(f"{path}: {why.message}", why.fix)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A patch of `registry/`, with its meaning.

    `steps` become the trailers. `already` says what is as it was asked for, `left` what was not touched
    though it was meant, and why; `results` what to know of it once it is written. `restores`: the change
    only goes back, so nothing that time did may stop it.
    """

    verb: str
    title: str
    branch: str
    patch: Patch = field(default_factory=dict)
    steps: tuple[Step, ...] = ()
    standings: tuple[Standing, ...] = ()
    already: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    results: tuple[str, ...] = ()
    restores: bool = False

    def message(self) -> str:
        """Return the message of a commit that carries this out."""
        return f"{self.title}\n\n{trailers(self.steps)}"


def trailers(steps: Iterable[Step]) -> str:
    """Return the trailers of steps, one a line."""
    return "".join(f"{TRAILER}: {step}\n" for step in steps)
