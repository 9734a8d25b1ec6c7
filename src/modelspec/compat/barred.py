"""Which views a change of slots makes harder to move: what co-pins could do before, they may not do now."""

from __future__ import annotations

from collections.abc import Iterator

from modelspec.compat.reading import Offer
from modelspec.compat.world import World


def newly_barred(head: World, base: World, model: str) -> Iterator[str]:
    """Yield the views of which some published schema would break a version that is new in a slot.

    Only these can close a way back of another model when no offer moves: it would have to move the view to
    such a schema. Schemas that would have broken what was in a slot before were no way in the base either.
    """
    before = base.slots.get(model, ())
    for slot, ref in head.slots.get(model, ()):
        version = head.version(model, ref)
        if (slot, ref) in before or version is None:
            continue
        for view in {feature.view for feature in version.feature_refs}:
            for schema in head.judgements.serveable(view):
                offer = Offer("current", (schema,))
                if _breaks(head, view, offer, model, slot, ref) and not any(
                    next(base.view_troubles(view, model, *held), None) is None
                    and _breaks(base, view, offer, model, *held)
                    for held in before
                ):
                    yield view
                    break


def _breaks(world: World, view: str, offer: Offer, model: str, slot: str, ref: str) -> bool:
    return next(world.offer_troubles(view, offer, model, slot, ref), None) is not None
