"""A pin as plain data, for verbs that read thousands of them: in a tenth of the time of a checked `Pin`.

Only what the strict reader takes as well is taken here; a file that needs a closer look is left to it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from modelspec.tree.data import Data
from modelspec.tree.finding import Fault
from modelspec.tree.paths import NAME, SEMVER
from modelspec.tree.snapshot import Blob, irregular
from modelspec.tree.usual import usual

_REF: Final = re.compile(rf"{SEMVER}@sha256:[0-9a-f]{{64}}")
_NAME: Final = re.compile(NAME)
_LINK: Final = re.compile(r"https?://[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:/[^\s]*)?")
_FIXED: Final = {"apiVersion": "modelspec/v1", "kind": "Pin"}
_KEYS: Final = frozenset(
    {"apiVersion", "kind", "environment", "model", "reason", "hold", "serve", "variants"}
    | {"shadow", "standby", "canary", "stable"}
)


class Why(Protocol):
    """Why, in words and with a link."""

    @property
    def text(self) -> str: ...
    @property
    def link(self) -> str | None: ...


class Filled(Protocol):
    """What fills a slot."""

    @property
    def version(self) -> str: ...


class Weighted(Filled, Protocol):
    """What fills a slot that answers a share of the requests."""

    @property
    def weight(self) -> int: ...


class Declared(Protocol):
    """What a pin says, whether it was read as `Pin` or as plain data."""

    @property
    def environment(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def reason(self) -> Why | None: ...
    @property
    def hold(self) -> Why | None: ...
    @property
    def revalidated(self) -> tuple[Any, ...]: ...
    @property
    def serve(self) -> Mapping[str, Any]: ...
    @property
    def variants(self) -> Mapping[str, Weighted]: ...
    @property
    def shadow(self) -> Filled | None: ...
    @property
    def standby(self) -> Filled | None: ...
    @property
    def canary(self) -> Weighted | None: ...
    @property
    def stable(self) -> Filled: ...
    def slots(self) -> list[tuple[str, tuple[str, ...], str]]: ...


@dataclass(frozen=True, slots=True)
class PlainReason:
    """Why, in words and with a link."""

    text: str
    link: str | None = None


@dataclass(frozen=True, slots=True)
class PlainSlot:
    """A slot; its weight is 0 where it has none of its own."""

    version: str
    weight: int = 0


@dataclass(frozen=True, slots=True)
class PlainPin:
    """A pin; its keys mean what they mean in `Pin`."""

    environment: str
    model: str
    stable: PlainSlot
    reason: PlainReason | None = None
    hold: PlainReason | None = None
    serve: Mapping[str, Any] = field(default_factory=dict)
    variants: Mapping[str, PlainSlot] = field(default_factory=dict)
    shadow: PlainSlot | None = None
    standby: PlainSlot | None = None
    canary: PlainSlot | None = None
    revalidated: tuple[Any, ...] = ()

    def slots(self) -> list[tuple[str, tuple[str, ...], str]]:
        """Return (slot, its route, version reference): stable, canary, variants, standby, shadow."""
        found: list[tuple[str, tuple[str, ...], str]] = [("stable", ("stable",), self.stable.version)]
        if self.canary is not None:
            found.append(("canary", ("canary",), self.canary.version))
        found += [(name, ("variants", name), slot.version) for name, slot in sorted(self.variants.items())]
        if self.standby is not None:
            found.append(("standby", ("standby",), self.standby.version))
        if self.shadow is not None:
            found.append(("shadow", ("shadow",), self.shadow.version))
        return found


def plain_pin(source: bytes, environment: str, model: str) -> PlainPin | None:
    """Return the pin that a file of the usual layout holds, or None when the strict reader has to look."""
    data = usual(source)
    if data is None or not data.keys() <= _KEYS:
        return None
    wanted = {**_FIXED, "environment": environment, "model": model}
    try:
        if any(data[key] != value for key, value in wanted.items()):
            return None
        return PlainPin(
            environment,
            model,
            _slot(data["stable"]),
            reason=_reason(data["reason"]) if "reason" in data else None,
            hold=_reason(data["hold"]) if "hold" in data else None,
            serve=_named(data["serve"]) if "serve" in data else {},
            variants=(
                {name: _slot(slot, weighted=True) for name, slot in _named(data["variants"]).items()}
                if "variants" in data
                else {}
            ),
            shadow=_slot(data["shadow"]) if "shadow" in data else None,
            standby=_slot(data["standby"]) if "standby" in data else None,
            canary=_slot(data["canary"], weighted=True) if "canary" in data else None,
        )
    except (KeyError, TypeError, ValueError):
        return None


def _map(data: Data, *keys: str) -> dict[str, Data]:
    if type(data) is not dict or (keys and not data.keys() <= set(keys)):
        raise ValueError
    return data


def _slot(data: Data, *, weighted: bool = False) -> PlainSlot:
    found = _map(data, "version", "weight") if weighted else _map(data, "version")
    version, weight = found["version"], found["weight"] if weighted else 0
    if type(version) is not str or type(weight) is not int or not _REF.fullmatch(version):
        raise ValueError
    return PlainSlot(version, weight)


def _reason(data: Data) -> PlainReason:
    found = _map(data, "text", "link")
    text, link = found["text"], found.get("link")
    if type(text) is not str or not text:
        raise ValueError
    if link is not None and (type(link) is not str or not _LINK.fullmatch(link)):
        raise ValueError
    return PlainReason(text, link)


def _named(data: Data) -> dict[str, Any]:
    found = _map(data)
    if not all(_NAME.fullmatch(name) and type(value) is dict for name, value in found.items()):
        raise ValueError
    return found


def read_pin(blob: Blob, environment: str, model: str) -> Declared | None:
    """Return what a pin's file says, or None when it can't be read; `check` of that commit says why."""
    data = irregular(blob.mode) or blob.read()
    if isinstance(data, Fault):
        return None
    plain = plain_pin(data, environment, model)
    if plain is not None:
        return plain
    from modelspec.spec.kinds import PIN
    from modelspec.spec.reader import Entry, Reader

    entry = Reader().read(PIN, (environment, model), PIN.locate(environment, model), blob)
    return entry.value if isinstance(entry, Entry) else None


def meaning(pin: Declared) -> tuple[Any, ...]:
    """Return what a pin means, for comparing two that may have been read in different ways."""
    canary = 0 if pin.canary is None else pin.canary.weight
    weights = {name: slot.weight for name, slot in pin.variants.items()}
    whys = [None if why is None else (why.text, why.link) for why in (pin.reason, pin.hold)]
    return (pin.slots(), canary, weights, whys, dict(pin.serve), pin.revalidated)
