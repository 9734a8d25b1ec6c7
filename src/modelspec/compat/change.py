"""One change between a trained and a served contract, and the pair that it is found in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from modelspec.compat.rows import TABLE
from modelspec.compat.table import Bump, Column, Verdict
from modelspec.spec.feature import Feature


@dataclass(frozen=True, slots=True)
class Change:
    """A row of the table that applies: its verdict here, the part of the contract (1 to 9), and in words."""

    row: str
    verdict: Verdict
    message: str
    part: int | None = None

    @property
    def bump(self) -> Bump:
        """The bump that this change asks for when its verdict is that of the column `out`."""
        row = TABLE[self.row]
        if row.group == "runtime":
            return row.bump
        return Bump.MAJOR if self.verdict is Verdict.B else min(Bump.MINOR, row.bump)


@dataclass(frozen=True, slots=True)
class Pair:
    """One field as a model was trained on it and as it is served; `column` says which is the older."""

    trained: Feature
    served: Feature
    column: Column

    @property
    def old(self) -> Feature:
        """The older contract."""
        return self.served if self.column == "out" else self.trained

    @property
    def new(self) -> Feature:
        """The newer contract."""
        return self.trained if self.column == "out" else self.served

    def both(self, say: Callable[[Feature], str]) -> tuple[str, str]:
        """Return something said of the trained and of the served side."""
        return say(self.trained), say(self.served)

    def change(
        self, row: str, part: int, what: str, trained: str, served: str, *, unless: Verdict | None = None
    ) -> Change:
        """Return the change of a row, in this pair's direction; `what` as in "'s unit"."""
        return Change(
            row,
            TABLE[row].verdict(self.column, unless),
            f"{self.trained.name}{what} {differs(self.column, trained, served, many=what in _MANY)}",
            part,
        )

    def mirrored(
        self,
        row: str,
        part: int,
        what: str,
        *,
        forward: bool,
        trained: str,
        served: str,
        unless: Verdict | None = None,
    ) -> Change:
        """Like `change`, for a row that covers both ways: `forward` when old -> new is as the row says."""
        column: Column = self.column if forward else "back" if self.column == "out" else "out"
        return Change(
            row,
            TABLE[row].verdict(column, unless),
            f"{self.trained.name}{what} {differs(self.column, trained, served)}",
            part,
        )


_MANY = ("'s categories", "'s codes")


def differs(column: Column, trained: str, served: str, *, many: bool = False) -> str:
    """Say how what is served differs from what was trained on, whichever of them is the older."""
    verb, past = ("are", "were") if many else ("is", "was")
    if column == "back":
        return f"{verb} now {served} ({past} {trained})"
    return f"{verb} still {served} (trained on {trained})"
