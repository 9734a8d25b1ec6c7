"""Whether an output puts beside a stamp what belongs to that slot, and not to another one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import Final

from modelspec.compile.context import slots_of
from modelspec.compile.deployment import Deployment
from modelspec.tree.place import Route
from modelspec.tree.protocols import Hole

ARTIFACT: Final = ("artifact", "uri", "path", "digest")
"""What says which artifact a slot serves: all of it, or one of these keys of it."""
NAMES_ARTIFACT: Final = re.compile(r"\bartifact(?:\.|\[[\"'])(?:uri|path|digest)\b|\bartifact\s*\}\}")
"""A template that writes it for some slot."""


def mispaired(
    holes: Sequence[Hole], deployed: Deployment, slot: int | None
) -> Iterator[tuple[int, int, int]]:
    """Yield (line, slot, other slot) of each artifact that stands nearest to the stamp of another slot.

    Near is what shares the longest route. An output without stamps, and a tie, say nothing.
    """
    stamps: list[tuple[Route, int]] = []
    artifacts: list[tuple[Hole, int]] = []
    for hole in holes:
        for whose, key in slots_of(hole.source, deployed, slot):
            if key == ("stamp",):
                stamps.append((hole.route, whose))
            elif key[:1] == ("artifact",) and key[-1] in ARTIFACT:
                artifacts.append((hole, whose))
    for hole, whose in artifacts:
        near = max((_shared(route, hole.route) for route, _ in stamps), default=0)
        owners = {owner for route, owner in stamps if _shared(route, hole.route) == near}
        if owners and whose not in owners:
            yield hole.line, whose, min(owners)


def _shared(first: Route, second: Route) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False)))
