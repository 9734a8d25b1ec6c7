"""`check`: what is wrong with a registry, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from modelspec.api.catalogue import CATALOGUE
from modelspec.delta.pairs import Against
from modelspec.rules.rule import Scene
from modelspec.rules.run import run
from modelspec.spec.part import Share, alone
from modelspec.spec.registry import Registry
from modelspec.tree.finding import Finding
from modelspec.tree.protocols import Renderer


@dataclass(frozen=True, slots=True)
class Checked:
    """The findings of a check, sorted by place; waived ones are among them."""

    findings: tuple[Finding, ...]
    files: int
    """How many files were looked at."""
    unrun: tuple[str, ...] = ()
    """The codes of the rules that judge changes, when there was no base: these did not pass."""

    @property
    def blocked(self) -> bool:
        """Whether an error is left that no waiver lifts."""
        return any(finding.blocks for finding in self.findings)


def check(
    registry: Registry,
    *,
    now: datetime,
    renderer: Renderer,
    trusted: frozenset[str],
    against: Against | None = None,
    memo: dict[object, Any] | None = None,
    share: Share = alone,
) -> Checked:
    """Judge the whole registry at an instant, and what it changes when there is a base.

    `trusted` holds the sha256 of the templates that may be rendered in this process; all others go
    through `renderer`. `memo` keeps what is worked out, for a `build` of the same registry. `share` judges
    several parts of a large registry at a time.
    """
    known = {} if memo is None else memo
    scene = Scene(registry, renderer, CATALOGUE, now, against, trusted, memo=known)
    unrun = () if against is not None else tuple(one.code for one in CATALOGUE if one.change)
    return Checked(run(CATALOGUE, scene, share=share), sum(1 for _ in registry.files()), unrun)
