"""`timeline`: what was declared and what served, side by side."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from modelspec.trace.declared import Declaration
from modelspec.trace.receipts import Stretch


@dataclass(frozen=True, slots=True)
class Row:
    """One instant at which one of the two changed, and both from then on.

    `lag` is, where a stretch begins that serves what was declared before, how long that took in seconds.
    """

    time: datetime
    declared: Declaration | None
    served: Stretch | None
    merged: bool
    """Whether a commit changed the pin then; else what served changed."""
    lag: float | None = None


def timeline(declared: Sequence[Declaration], lines: Iterable[Sequence[Stretch]]) -> tuple[Row, ...]:
    """Return the rows, oldest first. With several clusters each change of one is a row of its own."""
    events: list[tuple[datetime, int, Declaration | Stretch]] = [(one.since, 0, one) for one in declared]
    events += [(one.since, 1, one) for line in lines for one in line]
    now: Declaration | None = None
    served: Stretch | None = None
    rows: list[Row] = []
    for time, _, event in sorted(events, key=lambda event: event[:2]):
        if isinstance(event, Declaration):
            now = event
            rows.append(Row(time, now, served, merged=True))
        else:
            served = event
            # Git tells whole seconds: of the commits of one, any may be the one that was deployed.
            same = [one for one in declared if now is not None and one.since == now.since]
            second = same if now is not None and time - now.since < timedelta(seconds=1) else [now]
            lags = [lag for one in second if (lag := _lag(one, event)) is not None]
            rows.append(Row(time, now, served, merged=False, lag=min(lags, default=None)))
    return tuple(rows)


def _lag(declared: Declaration | None, served: Stretch) -> float | None:
    """Return the seconds from the merge to the switch, None where what serves is not what was declared."""
    if declared is None or declared.slots is None:
        return None
    wanted = {slot.digest for slot in declared.slots if slot.share > 0}
    return (served.since - declared.since).total_seconds() if wanted == served.answering else None
