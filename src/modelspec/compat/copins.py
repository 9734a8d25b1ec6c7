"""The least set of pins that moves with a version, after which nothing is wrong that was not before.

What may move: feature pins (another schema, or under `numbered` an added one), and the stable slots of the
models that a chain of `needs` ties to the version. Models that merely read the same views stay where they
are. What was wrong before the move stays wrong and does not count against it.

For one choice of model versions the views are independent of each other, so the search branches over
models only: over what broke, each branch mending it in one of the ways there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from modelspec.compat.reading import Offer
from modelspec.compat.world import Trouble, World
from modelspec.spec.base import ref_name
from modelspec.spec.kinds import MODEL, VERSION
from modelspec.spec.semver import precedence


@dataclass(frozen=True, slots=True)
class Move:
    """One pin that moves along: the schemas that a feature pin serves, or the stable version of a model."""

    kind: Literal["feature", "model"]
    name: str
    was: tuple[str, ...]
    now: tuple[str, ...]
    added: bool = False
    """Whether all that was served stays, under `numbered`: then no reader notices."""


@dataclass(frozen=True, slots=True)
class Nearest:
    """The moves that come nearest when no set of moves helps: whom they break, and what they leave."""

    moves: tuple[Move, ...]
    breaks: tuple[Trouble, ...]
    remains: tuple[Trouble, ...]


def least(world: World, model: str, ref: str, slot: str = "stable") -> tuple[Move, ...] | None:
    """Return the least set of moves that lets a version fill a slot, or None when there is none.

    Fewest pins first; among equals those that only add a number first, then by name.
    """
    search = _Search(world, model, slot)
    search.explore({model: ref})
    return search.best


def nearest(world: World, model: str, ref: str, slot: str = "stable") -> Nearest:
    """Return the moves that mend what can be mended for a version, and whom they would break."""
    search = _Search(world, model, slot)
    moved = {model: ref}
    # What is needed may itself need something: follow the chain to its end.
    while (more := next(search.unmoved_needs(moved), None)) is not None:
        moved[more[0]] = more[1]
    placed = search.placed(moved)
    moves = [search.move_of(name, moved[name]) for name in moved if name != model]
    for view in search.views(moved):
        if not search.ails(placed, view, moved):
            continue
        choices = [
            (len(list(search.breaks(placed.serving(view, offer), view, moved))), place, offer)
            for place, offer in enumerate(search.offers(placed, view, moved))
        ]
        if choices:
            _, _, offer = min(choices, key=lambda choice: choice[:2])
            placed = placed.serving(view, offer)
            moves.append(search.view_move(view, offer))
    changed = [one.name for one in moves if one.kind == "feature"]
    broken = [one for view in changed for one in search.breaks(placed, view, moved)]
    broken += search.broken_needs(placed, moved)
    remains = [one for view in search.views(moved) for one in search.ails(placed, view, moved)]
    remains += [
        one for name in moved for one in placed.need_troubles(name, search.slot_of(name), moved[name])
    ]
    return Nearest(tuple(sorted(moves, key=_by_name)), tuple(broken), tuple(remains))


def ways_to_serve(world: World, view: str, model: str, ref: str) -> Iterator[Offer]:
    """Yield what could be served of a view instead so that a version in the stable slot can read it."""
    return _Search(world, model, "stable").offers(world, view, {model: ref})


def _by_name(move: Move) -> tuple[str, str]:
    return (move.kind, move.name)


Moved = Mapping[str, str]
"""Model -> the version that its slot gets."""


@dataclass
class _Search:
    world: World
    model: str
    slot: str
    best: tuple[Move, ...] | None = None
    _key: tuple[int, int, list[tuple[str, str]]] = field(default_factory=lambda: (1 << 30, 0, []))
    _seen: set[tuple[tuple[str, str], ...]] = field(default_factory=set)
    _known: dict[str, list[str]] = field(default_factory=dict)

    def explore(self, moved: Moved) -> None:
        """Mend what is broken by these moves in every way that may be least."""
        identity = tuple(sorted(moved.items()))
        if identity in self._seen or len(moved) - 1 > self._key[0]:
            return
        self._seen.add(identity)
        placed = self.placed(moved)
        trouble = next(iter(self.own_needs(moved)), None) or next(
            iter(self.broken_needs(placed, moved)), None
        )
        if trouble is not None:
            for name, ref in self._mends(trouble, moved):
                self.explore({**moved, name: ref})
            return
        moves = [self.move_of(name, ref) for name, ref in moved.items() if name != self.model]
        stuck: list[str] = []
        for view in self.views(moved):
            if not self.ails(placed, view, moved):
                continue
            offers = self.offers(placed, view, moved)
            whole = (one for one in offers if not any(self.breaks(placed.serving(view, one), view, moved)))
            offer = next(whole, None)
            if offer is None:
                stuck.append(view)
            else:
                moves.append(self.view_move(view, offer))
        if not stuck:
            self._offer(moves)
            return
        # A view that no schema can serve to all its readers: those that may move, may move out of the way.
        for name in sorted({name for view in stuck for name in self._ties(moved, view)}):
            for ref in self._versions(name):
                self.explore({**moved, name: ref})

    def _offer(self, moves: list[Move]) -> None:
        moves.sort(key=_by_name)
        key = (len(moves), -sum(one.added for one in moves), [_by_name(one) for one in moves])
        if key < self._key:
            self._key, self.best = key, tuple(moves)

    def placed(self, moved: Moved) -> World:
        """Return the world with these versions in their slots."""
        world = self.world
        for name, ref in moved.items():
            world = world.placing(name, ref, self.slot_of(name))
        return world

    def slot_of(self, name: str) -> str:
        """Return the slot that moves: the one asked for, of all others stable."""
        return self.slot if name == self.model else "stable"

    def own_needs(self, moved: Moved) -> Iterator[Trouble]:
        """Yield what moved versions need and do not find."""
        placed = self.placed(moved)
        for name, ref in moved.items():
            yield from placed.need_troubles(name, self.slot_of(name), ref)

    def unmoved_needs(self, moved: Moved) -> Iterator[tuple[str, str]]:
        """Yield (model, version) of what moved versions need and what has not moved."""
        for trouble in self.own_needs(moved):
            needed = self.needed(trouble)
            if trouble.name not in moved and needed is not None:
                yield trouble.name, needed

    def broken_needs(self, placed: World, moved: Moved) -> Iterator[Trouble]:
        """Yield what others no longer find because of the moves."""
        for name in moved:
            for who, slot, ref in self.world.dependents.get(name, ()):
                if who in moved and slot == self.slot_of(who):
                    continue
                before = {one.identity for one in self.world.need_troubles(who, slot, ref)}
                for one in placed.need_troubles(who, slot, ref):
                    if one.name in moved and one.identity not in before:
                        yield one

    def _mends(self, trouble: Trouble, moved: Moved) -> Iterator[tuple[str, str]]:
        """Yield the moves that may mend a need: of what is needed, or of who needs it."""
        needed = self.needed(trouble)
        if trouble.name not in moved and needed is not None:
            yield trouble.name, needed
        if trouble.model not in moved and trouble.slot == "stable":
            for ref in self._versions(trouble.model):
                yield trouble.model, ref

    def needed(self, trouble: Trouble) -> str | None:
        """Return the version that is needed, when it is published and not retired."""
        version = self.world.version(trouble.model, trouble.version)
        for need in version.needs if version is not None else ():
            if need.model == trouble.name and need.version in self._versions(need.model):
                return need.version
        return None

    def _versions(self, model: str) -> list[str]:
        """Return the versions that a model's stable slot may get, the latest first."""
        if model not in self._known:
            self._known[model] = self._published(model)
        return self._known[model]

    def _published(self, model: str) -> list[str]:
        registry = self.world.judgements.registry
        owner = registry.value(MODEL, model)
        retired = {ref_name(one.version) for one in owner.value.retired} if owner is not None else set()
        known = (registry.value(VERSION, *name) for name in registry.names(VERSION, model))
        entries = [entry for entry in known if entry is not None and entry.value.version not in retired]
        entries.sort(key=lambda entry: precedence(entry.value.version), reverse=True)
        return [f"{entry.value.version}@{entry.digest}" for entry in entries]

    def views(self, moved: Moved) -> list[str]:
        """Return the views that moved versions read."""
        found: set[str] = set()
        for name, ref in moved.items():
            version = self.world.version(name, ref)
            found |= {feature.view for feature in (version.feature_refs if version is not None else ())}
        return sorted(found)

    def ails(self, placed: World, view: str, moved: Moved) -> list[Trouble]:
        """Return what moved versions can't read of a view."""
        return [
            trouble
            for name, ref in moved.items()
            for trouble in placed.view_troubles(view, name, self.slot_of(name), ref)
        ]

    def breaks(self, served: World, view: str, moved: Moved) -> Iterator[Trouble]:
        """Yield who else could read a view before and can't any more."""
        offer = served.offers.get(view)
        for trouble in self.world.broken_by(view, offer) if offer is not None else ():
            if trouble.model not in moved or trouble.slot != self.slot_of(trouble.model):
                yield trouble

    def _ties(self, moved: Moved, view: str) -> list[str]:
        """Return the models that a chain of `needs` ties to the moved ones and that read a view."""
        tied = set(moved)
        grown = True
        while grown:
            grown = False
            for needed, who in self.world.dependents.items():
                for model, _, _ in who:
                    if (needed in tied) != (model in tied):
                        tied |= {needed, model}
                        grown = True
            for name, ref in moved.items():
                version = self.world.version(name, ref)
                more = {need.model for need in (version.needs if version is not None else ())} - tied
                tied |= more
                grown = grown or bool(more)
        reading = {who for who, slot, _ in self.world.readers.get(view, ()) if slot == "stable"}
        return sorted((tied & reading) - set(moved))

    def offers(self, placed: World, view: str, moved: Moved) -> Iterator[Offer]:
        """Yield what the view's pin could serve instead so that all moved versions can read it.

        Their own schemas come first, then the latest; withdrawn ones are left out.
        """
        numbers = self.world.judgements.serveable(view)
        own = [
            feature.schema_
            for name, ref in moved.items()
            if (version := self.world.version(name, ref)) is not None
            for feature in version.feature_refs
            if feature.view == view
        ]
        ordered = [ref for ref in own if ref in numbers] + [ref for ref in numbers if ref not in own]
        today = placed.offers.get(view)
        if today is not None and today.access == "numbered":
            added: tuple[str, ...] = ()
            for name, ref in moved.items():
                for candidate in ordered:
                    offer = Offer("numbered", (*today.refs, *added))
                    served = placed.serving(view, offer)
                    if not any(served.view_troubles(view, name, self.slot_of(name), ref)):
                        break
                    more = Offer("numbered", (*offer.refs, candidate))
                    if candidate not in offer.refs and not any(
                        placed.serving(view, more).view_troubles(view, name, self.slot_of(name), ref)
                    ):
                        added = (*added, candidate)
            offer = Offer("numbered", tuple(sorted((*today.refs, *added), key=_number)))
            if not self.ails(placed.serving(view, offer), view, moved):
                yield offer
            return
        for candidate in ordered:
            offer = Offer("current", (candidate,))
            if not any(
                trouble
                for name, ref in moved.items()
                for trouble in placed.offer_troubles(view, offer, name, self.slot_of(name), ref)
            ):
                yield offer

    def move_of(self, name: str, ref: str) -> Move:
        """Return the move of a model's stable slot."""
        was = tuple(held for slot, held in self.world.slots.get(name, ()) if slot == "stable")
        return Move("model", name, was, (ref,))

    def view_move(self, view: str, offer: Offer) -> Move:
        """Return the move of a feature pin."""
        today = self.world.offers.get(view)
        was = today.refs if today is not None else ()
        return Move("feature", view, was, offer.refs, added=offer.access == "numbered")


def _number(ref: str) -> int:
    return int(ref_name(ref))
