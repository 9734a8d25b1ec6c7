"""How far each component of one version holds, by what is quick to ask: no artifact is read to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelspec.cli.source import Source
from modelspec.spec.environment import LEVELS
from modelspec.spec.model import COMPONENTS
from modelspec.tree.finding import Refusal
from modelspec.tree.text import visible

if TYPE_CHECKING:
    from modelspec.api.claims import Part
    from modelspec.api.trace import Held
    from modelspec.world.git import Repository


def levels(source: Source, held: Held, repository: Repository, network: bool) -> dict[str, tuple[str, str]]:
    """Return (level, what that rests on) of each component; it is as well known as the least of its parts."""
    from modelspec.api.claims import claims_of

    claims = claims_of(held.registry, held.version.model, held.version.version)
    if claims is None:
        return {}
    told: list[tuple[str, str, str, str]] = [
        (component, what, outcome.level, outcome.note) for component, what, outcome in claims.known
    ]
    told += [
        (part.component, part.what, *_part(source, held, repository, part, network)) for part in claims.parts
    ]
    found: dict[str, tuple[str, str]] = {}
    for name in COMPONENTS:
        mine = [row for row in told if row[0] == name]
        least = min(mine, key=lambda row: LEVELS.index(row[2]), default=(name, name, "recorded", ""))
        note = f"{least[1]}: {least[3]}" if least[3] and least[1] != name else least[3]
        found[name] = (least[2], note)
    return found


def _part(source: Source, held: Held, repository: Repository, part: Part, network: bool) -> tuple[str, str]:
    claim = part.claim
    if claim.kind == "tree":
        return _tree(source, held, claim.where, claim.digest or "", network)
    if claim.kind == "commit":
        from modelspec.world.codetree import has_commit

        commit = claim.name.partition(":")[0]
        here = has_commit(repository, commit)
        short = visible(commit[:12])
        return (
            ("resolvable", f"{short} is in this clone")
            if here
            else ("recorded", f"{short} is not in this clone")
        )
    return "recorded", ""


def _tree(source: Source, held: Held, name: str, digest: str, network: bool) -> tuple[str, str]:
    from modelspec.world.stores.opening import is_remote, open_store

    for registry in (source.registry, held.registry):
        settings = registry.settings.stores.get(name) if registry.settings is not None else None
        if settings is None:
            continue
        try:
            store = open_store(source.root, name, settings)
            if is_remote(store) and not network:
                return "recorded", f"in {store.shown}, which was not asked (--network)"
            if store.exists(digest):
                return "resolvable", f"in {store.shown}"
            return "recorded", f"gone from {store.shown}"
        except Refusal as refusal:
            return "recorded", refusal.message
    return "recorded", f"the store {visible(name)} is not in modelspec.yaml" if name else "it names no store"
