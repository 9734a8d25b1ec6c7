"""`--as-known-at`: what the registry and the receipts were at a revision or an instant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class KnownAt:
    """The commit that main stood at (None: before the first one), and the instant."""

    commit: str | None
    instant: datetime


def known_at(root: str | None, ref: str | None, text: str) -> KnownAt:
    """Return what a revision or an instant names; an instant is looked up in the history of `ref`."""
    from datetime import UTC

    from modelspec.cli.past import open_past
    from modelspec.cli.where import repository_of
    from modelspec.spec.instant import instant

    moment = instant(text)
    if moment is None:
        repository, _, _ = repository_of(root)
        commit = repository.resolve(text)
        return KnownAt(commit, repository.commit_time(commit))
    with open_past(root, ref) as past:
        found = past.at(moment)
    return KnownAt(None if found is None else found.id, moment.astimezone(UTC))
