"""What `world` implements and everything above asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from modelspec.tree.data import Data
from modelspec.tree.place import Route


@dataclass(frozen=True, slots=True)
class RenderFault:
    """Why a template gave nothing: the line of its source (from 1) where that is known, and how to mend it.

    `rule` is the name of the MS6 rule that it breaks.
    """

    rule: str
    message: str
    line: int | None = None
    fix: str | None = None


@dataclass(frozen=True, slots=True)
class Hole:
    """One `{{ }}` that was filled: where its value went in the data, and where in the context it came from.

    `source` is empty when the value is no single node of the context (a constant, a comparison).
    """

    route: Route
    source: Route
    line: int
    key: bool = False


@dataclass(frozen=True, slots=True)
class Rendered:
    """The data that a template described, and the holes that were filled in it."""

    data: Data
    holes: tuple[Hole, ...]


class Renderer(Protocol):
    """Renders one template with holes to data. Both may be hostile."""

    def render(self, source: str, context: Mapping[str, Data]) -> Rendered | RenderFault:
        """Return the data that the template describes, or why there is none."""
        ...
