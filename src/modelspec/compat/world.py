"""An environment as judged: what it serves, which versions fill which slots, and what is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal, TypeVar

from modelspec.compat.pinned import Lazily, needing
from modelspec.compat.reading import Judgements, Offer, Reading
from modelspec.spec.base import ref_beside, ref_name
from modelspec.spec.environment import Revalidation
from modelspec.spec.kinds import FEATURE_PIN, PIN
from modelspec.spec.model import LostFeatures, ModelVersion, Need
from modelspec.spec.registry import Registry

T = TypeVar("T")
Slots = tuple[tuple[str, str], ...]
"""(slot, version reference), in the order of `Pin.slots`."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a version in a slot can't serve: a view that it can't read, or a version that it needs."""

    model: str
    slot: str
    version: str
    kind: Literal["reads", "needs"]
    name: str
    """The view, or the model that is needed."""
    told: str
    reading: Reading | None = None

    @property
    def identity(self) -> tuple[str, str, str, str, str]:
        """What makes two troubles the same one: whose, and with what; not which schema brings it."""
        return (self.model, self.slot, self.version, self.kind, self.name)


@dataclass(frozen=True)
class World:
    """One environment: what it serves of each view, and the versions in the slots of each model."""

    environment: str
    judgements: Judgements
    offers: Mapping[str, Offer]
    slots: Mapping[str, Slots]
    revalidated: Mapping[str, tuple[Revalidation, ...]] = field(default_factory=dict)
    registry: Registry | None = None
    """Where the pins were read."""

    @classmethod
    def of(cls, registry: Registry, environment: str, judgements: Judgements | None = None) -> World:
        """Return an environment as its pins declare it; pins that can't be read are not there.

        A pin is read when it is asked for.
        """

        def models() -> list[str]:
            return [name[1] for name in registry.names(PIN, environment)]

        def views() -> list[str]:
            return [name[1] for name in registry.names(FEATURE_PIN, environment)]

        def offer(view: str) -> Offer | None:
            pin = registry.value(FEATURE_PIN, environment, view)
            return None if pin is None else Offer.of(pin.value)

        def slots(model: str) -> Slots | None:
            pin = registry.value(PIN, environment, model)
            return None if pin is None else tuple((slot, ref) for slot, _, ref in pin.value.slots())

        def revalidated(model: str) -> tuple[Revalidation, ...] | None:
            pin = registry.value(PIN, environment, model)
            return (pin.value.revalidated or None) if pin is not None else None

        return cls(
            environment,
            judgements or Judgements(registry),
            Lazily(views, offer),
            Lazily(models, slots),
            Lazily(models, revalidated),
            registry,
        )

    def version(self, model: str, ref: str) -> ModelVersion | None:
        """Return a published version by its reference (or its bare number), or None."""
        found = self.judgements.version(model, ref)
        return None if found is None else found.value

    def placing(self, model: str, ref: str, slot: str = "stable") -> World:
        """Return this world with one slot of one model filled by another version."""
        slots = self.slots.get(model, ())
        if any(name == slot for name, _ in slots):
            filled = tuple((name, ref if name == slot else held) for name, held in slots)
        else:
            filled = ((slot, ref), *slots) if slot == "stable" else (*slots, (slot, ref))
        return replace(self, slots=_with(self.slots, model, filled))

    def serving(self, view: str, offer: Offer) -> World:
        """Return this world with another offer of one view."""
        return replace(self, offers=_with(self.offers, view, offer))

    def lifts(self, model: str, ref: str) -> tuple[Revalidation, ...]:
        """Return the revalidations that the model's pin records for one version."""
        return tuple(one for one in self.revalidated.get(model, ()) if one.version == ref)

    def readings(self, model: str, ref: str) -> tuple[Reading, ...]:
        """Return what a version would read here, view by view."""
        entry = self.judgements.version(model, ref)
        if entry is None:
            return ()
        lifts = self.lifts(model, ref)
        wanted = self.judgements.wanted(entry)
        return tuple(
            reading
            for feature in entry.value.feature_refs
            for reading in self.judgements.read(
                feature.view, feature.schema_, wanted[feature.view], self.offers.get(feature.view), lifts
            )
        )

    def view_troubles(self, view: str, model: str, slot: str, ref: str) -> Iterator[Trouble]:
        """Yield why a version in a slot can't read one view."""
        return self.offer_troubles(view, self.offers.get(view), model, slot, ref)

    def offer_troubles(
        self, view: str, offer: Offer | None, model: str, slot: str, ref: str
    ) -> Iterator[Trouble]:
        """Yield why a version in a slot could not read one view if this were served of it."""
        entry = self.judgements.version(model, ref)
        if entry is None:
            return
        for feature in entry.value.feature_refs:
            if feature.view != view:
                continue
            wanted = self.judgements.wanted(entry)[view]
            met = self.judgements.read(view, feature.schema_, wanted, offer, self.lifts(model, ref))
            for reading in met:
                if not reading.stands:
                    yield Trouble(model, slot, ref, "reads", view, reading.told, reading)

    def need_troubles(self, model: str, slot: str, ref: str) -> Iterator[Trouble]:
        """Yield the versions that a version in a slot needs and that are not served to that slot."""
        version = self.version(model, ref)
        for need in version.needs if version is not None else ():
            if not self.serves(need, slot):
                held = ", ".join(
                    ref_beside(found, need.version) for _, found in self.slots.get(need.model, ())
                )
                told = f"it needs {need.model} {ref_name(need.version)}, " + (
                    f"{self.environment} serves {held}" if held else f"{self.environment} does not pin it"
                )
                yield Trouble(model, slot, ref, "needs", need.model, told)

    def serves(self, need: Need, slot: str) -> bool:
        """Whether exactly the needed version answers here; to a standby or shadow its like does."""
        return any(
            held == need.version and (name not in ("standby", "shadow") or name == slot)
            for name, held in self.slots.get(need.model, ())
        )

    @cached_property
    def readers(self) -> Mapping[str, tuple[tuple[str, str, str], ...]]:
        """The (model, slot, reference) that read each view."""
        found: dict[str, list[tuple[str, str, str]]] = {}
        for model, slots in self.slots.items():
            for slot, ref in slots:
                version = self.version(model, ref)
                for feature in version.feature_refs if version is not None else ():
                    found.setdefault(feature.view, []).append((model, slot, ref))
        return {view: tuple(sorted(who)) for view, who in found.items()}

    @cached_property
    def dependents(self) -> Mapping[str, tuple[tuple[str, str, str], ...]]:
        """The (model, slot, reference) that need each model."""
        found: dict[str, list[tuple[str, str, str]]] = {}
        for model in sorted(self._needing):
            for slot, ref in self.slots.get(model, ()):
                version = self.version(model, ref)
                for need in version.needs if version is not None else ():
                    found.setdefault(need.model, []).append((model, slot, ref))
        return {model: tuple(sorted(who)) for model, who in found.items()}

    @cached_property
    def _needing(self) -> frozenset[str]:
        """The models that may need others: those whose pinned versions have that word, and those placed."""
        written = needing(self.registry or self.judgements.registry, self.environment)
        return written | (self.slots.placed if isinstance(self.slots, Lazily) else frozenset(self.slots))

    @cached_property
    def tied(self) -> frozenset[str]:
        """The models that `needs` of versions in slots tie to others, on either side."""
        needing = (who for holders in self.dependents.values() for who, _, _ in holders)
        return frozenset((*self.dependents, *needing))

    @cached_property
    def _broken(self) -> dict[tuple[str, Offer], tuple[Trouble, ...]]:
        return {}

    def broken_by(self, view: str, offer: Offer) -> tuple[Trouble, ...]:
        """Return who reads a view now and could not if this were served of it; worked out once an offer."""
        found = self._broken.get((view, offer))
        if found is None:
            found = self._broken[view, offer] = tuple(
                trouble
                for who in self.readers.get(view, ())
                if next(self.view_troubles(view, *who), None) is None
                for trouble in self.offer_troubles(view, offer, *who)
            )
        return found

    @cached_property
    def memo(self) -> dict[object, bool]:
        """What was asked of this world before (see `verdict.deployable`)."""
        return {}

    def troubles(self) -> Iterator[Trouble]:
        """Yield everything that is wrong here with what versions read and need."""
        for model, slots in sorted(self.slots.items()):
            for slot, ref in slots:
                for feature in found.feature_refs if (found := self.version(model, ref)) else ():
                    yield from self.view_troubles(feature.view, model, slot, ref)
                yield from self.need_troubles(model, slot, ref)

    def lost(self, model: str, ref: str) -> bool:
        """Whether nobody recorded what a version reads."""
        version = self.version(model, ref)
        return version is not None and isinstance(version.features, LostFeatures)


def _with(known: Mapping[str, T], name: str, value: T) -> Mapping[str, T]:
    return known.with_one(name, value) if isinstance(known, Lazily) else {**known, name: value}
