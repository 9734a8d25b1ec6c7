"""What contradicts itself within one contract."""

from __future__ import annotations

from dataclasses import dataclass

from modelspec.tree.place import Route


@dataclass(frozen=True, slots=True)
class Flaw:
    """A contradiction: where (a route within the field, the schema or the version), what, how to mend it.

    `against`: the route of what it contradicts, where that is another place.
    """

    route: Route
    message: str
    fix: str
    against: Route | None = None


def under(route: Route, flaw: Flaw) -> Flaw:
    """Return the flaw with its routes below another one."""
    against = None if flaw.against is None else (*route, *flaw.against)
    return Flaw((*route, *flaw.route), flaw.message, flaw.fix, against)
