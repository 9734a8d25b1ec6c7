"""What an observer saw of a serving system, in that system's own words: stamps, revisions, shares."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Shown:
    """One slot as a source shows it: its stamp, perhaps shortened, and its share in percent."""

    slot: str
    stamp: str
    share: float


@dataclass(frozen=True, slots=True)
class Observation:
    """One state of one model, or of all that one revision of the registry declares.

    `since` is None where the source does not say when it began. `revisions` are ids of commits one of which
    should be the registry's; then `path` is the folder of it that was applied. `renamed`: they are the last
    that gave this state, and the commit may be younger than `since`. No slots and no revisions: nothing of
    the model is served. A place shows its states in order, the one of now last.
    """

    source: str
    place: str
    evidence: str
    since: datetime | None = None
    model: str | None = None
    environment: str | None = None
    slots: tuple[Shown, ...] = ()
    revisions: tuple[str, ...] = ()
    path: str | None = None
    renamed: bool = False


@dataclass(frozen=True, slots=True)
class Unclear:
    """What gave no observation. `wrong`: somebody has to mend it; else it passes, like a rollout."""

    place: str
    message: str
    fix: str | None = None
    wrong: bool = False


Seen = Observation | Unclear
