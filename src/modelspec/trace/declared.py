"""What git declared for one pin, in the words of receipts: slots with digest and share, from when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter

from modelspec.spec.base import ref_digest, ref_name
from modelspec.spec.history import Commit, Revision
from modelspec.spec.pinned import Declared, read_pin
from modelspec.spec.receipt import ReceiptSlot


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a pin said from a commit on; no slots where it was gone, None where it can't be read."""

    commit: Commit
    slots: tuple[ReceiptSlot, ...] | None
    names: tuple[tuple[str, str], ...] = ()
    """Digest and version of what it named."""

    @property
    def since(self) -> datetime:
        """When it was merged."""
        return self.commit.time

    @property
    def digests(self) -> frozenset[str]:
        """The digests of all its slots."""
        return frozenset(slot.digest for slot in self.slots or ())


def slots_of(pin: Declared) -> tuple[ReceiptSlot, ...]:
    """Return what a pin declares as a receipt would say it: stable gets what canary and variants leave."""
    shares = {name: slot.weight for name, slot in pin.variants.items()}
    if pin.canary is not None:
        shares["canary"] = pin.canary.weight
    shares["stable"] = 100 - sum(shares.values())
    found = [
        ReceiptSlot(slot=slot, digest=ref_digest(ref), share=float(max(0, min(100, shares.get(slot, 0)))))
        for slot, _, ref in pin.slots()
    ]
    return tuple(sorted(found, key=attrgetter("slot", "digest")))


def declarations(revisions: Iterable[Revision], environment: str, model: str) -> Iterator[Declaration]:
    """Yield what one pin declared, oldest first; a change that leaves the slots as they were is none."""
    last: tuple[ReceiptSlot, ...] | None = ()
    for revision in revisions:
        if revision.blob is None:
            found: tuple[ReceiptSlot, ...] | None = ()
            names: tuple[tuple[str, str], ...] = ()
        else:
            pin = read_pin(revision.blob, environment, model)
            found = None if pin is None else slots_of(pin)
            names = (
                () if pin is None else tuple((ref_digest(ref), ref_name(ref)) for _, _, ref in pin.slots())
            )
        if found != last:
            yield Declaration(revision.commit, found, names)
        last = found


def declared_at(declared: Sequence[Declaration], at: datetime) -> Declaration | None:
    """Return what was declared at an instant, None before the first; `declared` is sorted by time."""
    return next((one for one in reversed(declared) if one.since <= at), None)
