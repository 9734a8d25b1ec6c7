"""Traces one request: asks the log's record, the receipts, the history and, where it helps, the models."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from modelspec.api import trace
from modelspec.api.trace import Asked, Held, Traced
from modelspec.cli.replaying import Loaded, artifacts
from modelspec.cli.source import Source
from modelspec.spec.receipt import Receipt
from modelspec.spec.registry import Registry
from modelspec.trace.candidates import (
    Agreement,
    Evidence,
    Identified,
    Place,
    identify,
    named_by,
    witnessed,
)
from modelspec.trace.columns import Mismatch, columns_of
from modelspec.trace.contract import Judged
from modelspec.trace.declared import Declaration
from modelspec.trace.receipts import fold
from modelspec.trace.served import of_pin, served_then
from modelspec.trace.stamps import Versions
from modelspec.tree.record import Record
from modelspec.tree.requestlog import time_of
from modelspec.tree.text import visible

if TYPE_CHECKING:
    from modelspec.world.git import Repository
    from modelspec.world.history import GitHistory
    from modelspec.world.receipts import Branch

_NEAR = 1e-5
"""How far a replay under another runtime may be off, beside the answer, and still agree."""


@dataclass(frozen=True, slots=True)
class Asking:
    """What the caller says: what the log leaves out, and how much is asked."""

    model: str | None
    environment: str | None
    around: datetime | None
    replay: bool


class Tracer:
    """One run of `trace`: the registry, its history and its receipts, opened once."""

    def __init__(
        self, source: Source, repository: Repository, history: GitHistory, branch: Branch, loaded: Loaded,
        asking: Asking,
    ) -> None:  # fmt: skip
        self.source, self.history, self.loaded, self.asking = source, history, loaded, asking
        self._repository = repository
        self.versions = Versions(source.registry, history)
        self._branch = branch
        self._helds: dict[str, Held | None] = {}
        self._receipted: dict[tuple[str, str], list[Receipt]] = {}
        self._declared: dict[tuple[str, str | None], dict[str, tuple[Declaration, ...]]] = {}

    def trace(self, record: Record, copies: int) -> Traced:
        """Return one request, traced."""
        at, at_by = self._instant(record)
        notes: list[str] = []
        model = self._model(record, notes)
        stamped = self._stamped(record, model, notes)
        if stamped:
            model = stamped[0][0]
        places = self._places(model, record, at)
        digests = None if not record.stamp else tuple(digest for _, _, digest in stamped)
        found = identify(Evidence(at, digests, record.slot, places))
        names = self._names(model, found, stamped)
        replays: dict[str, Asked] = {}
        if found.askable:
            found, replays = self._witness(record, found, names)
        held = self._held(found.digest, names)
        replay = replays.get(found.digest or "")
        if held is not None and replay is None and self.asking.replay:
            replay = self._ask(record, held)
        return self._traced(record, copies, at, at_by, found, names, held, replay, notes, places)

    def by_time(self, record: Record) -> tuple[str, str, str] | str:
        """Return (model, version, digest) of who answered a record without a stamp, or why nobody is named.

        Receipts and git alone are asked: for a whole log, where a replay is to follow anyway.
        """
        at, _ = self._instant(record)
        model = self._model(record, [])
        found = identify(Evidence(at, None, record.slot, self._places(model, record, at)))
        name = self.versions.name(model, found.digest) if model is not None and found.digest else None
        if found.digest is None or name is None or model is None:
            return "no stamp, and neither receipts nor git name one version alone"
        return model, name, found.digest

    def receipts(self, traced: Traced) -> list[Receipt]:
        """Return the receipts that a trace rests on: of the model, in the environments in question."""
        model = traced.names[traced.identified.digest or ""][0]
        places = sorted({pin.environment for pin in traced.pins} | {traced.record.environment or ""})
        return [one for place in places if place for one in self._receipts(place, model)]

    def registry_then(self, traced: Traced) -> tuple[Registry, str | None]:
        """Return the registry of then, with its commit, if the version is in it; else where it was last."""
        held, at = traced.held, traced.at
        assert held is not None
        commit = self.history.at(at) if at is not None else None
        if commit is not None:
            then = Registry(self.history.snapshot(commit.id), self.source.registry.reader)
            entry = then.at(held.entry.path)
            if getattr(entry, "digest", None) == held.entry.digest:
                return then, commit.id
        return held.registry, held.commit

    def _instant(self, record: Record) -> tuple[datetime | None, str]:
        if record.time is not None:
            return record.time, "the record"
        told = time_of(record.id)
        if told is not None:
            return told, "its id"
        return self.asking.around, "the caller" if self.asking.around is not None else ""

    def _model(self, record: Record, notes: list[str]) -> str | None:
        """Return which model it was: as the caller says, or as the log says it by a name that is known."""
        known = self.versions.models()
        said, asked = record.model, self.asking.model
        if asked is not None:
            if said in known and said != asked:
                notes.append(f"The log says that this is a request to {said}, not to {asked}.")
                return said
            return asked
        if said is not None and said not in known:
            notes.append(f"The log calls the model {visible(said, 60)}, which no model here is called.")
            return known[0] if len(known) == 1 else None
        return said if said is not None else known[0] if len(known) == 1 else None

    def _stamped(self, record: Record, model: str | None, notes: list[str]) -> list[tuple[str, str, str]]:
        if not record.stamp:
            return []
        found = self.versions.by_stamp(record.stamp, model)
        if not found and model is not None:
            found = self.versions.by_stamp(record.stamp)
            if found:
                notes.append(f"The record's stamp is of {found[0]}, no version of {model}.")
        kept = set(named_by(record.stamp, [one.digest for one in found]))
        return [(one.model, one.version, one.digest) for one in found if one.digest in kept]

    def _places(self, model: str | None, record: Record, at: datetime | None) -> tuple[Place, ...]:
        if model is None or at is None:
            return ()
        environment = self.asking.environment or record.environment
        key = (model, environment)
        if key not in self._declared:
            self._declared[key] = trace.places_of(self.history, self.source.registry, model, environment)
        known = self._declared[key]
        found = []
        for place, declared in known.items():
            lines = of_pin(fold(self._receipts(place, model)), place, model)
            then = served_then(lines, at, declared)
            found.append(Place(place, then, declared, tuple(lines)))
        return tuple(found)

    def _receipts(self, environment: str, model: str) -> list[Receipt]:
        from modelspec.cli.branch import good

        if (environment, model) not in self._receipted:
            self._receipted[environment, model] = good(self._branch.of(environment, model))
        return self._receipted[environment, model]

    def _names(
        self, model: str | None, found: Identified, stamped: list[tuple[str, str, str]]
    ) -> dict[str, tuple[str, str]]:
        names = {digest: (one, version) for one, version, digest in stamped}
        for suspect in found.candidates:
            if suspect.digest not in names and model is not None:
                version = self.versions.name(model, suspect.digest)
                if version is not None:
                    names[suspect.digest] = (model, version)
        return names

    def _held(self, digest: str | None, names: dict[str, tuple[str, str]]) -> Held | None:
        if digest is None or digest not in names:
            return None
        if digest not in self._helds:
            self._helds[digest] = trace.held(self.source.registry, self.history, *names[digest], digest)
        return self._helds[digest]

    def _witness(
        self, record: Record, found: Identified, names: dict[str, tuple[str, str]]
    ) -> tuple[Identified, dict[str, Asked]]:
        """Ask every candidate again, and let that decide."""
        asked: dict[str, Asked] = {}
        said: dict[str, tuple[Agreement, str]] = {}
        helds: dict[str, Held | None] = {}
        for one in found.candidates:
            held = helds[one.digest] = self._held(one.digest, names)
            told = Asked(None, why_not="no file of it is left") if held is None else self._ask(record, held)
            asked[one.digest] = told
            said[one.digest] = _agreement(told, record)
        return witnessed(found, said, artifacts(helds)), asked

    def _ask(self, record: Record, held: Held) -> Asked:
        replay = self.loaded.of(held)
        if isinstance(replay, str):
            return Asked(None, why_not=replay)
        from modelspec.runtimes.replay import doubts
        from modelspec.runtimes.rows import arrays_of

        columns = columns_of(held.version, trace.schemas_of(held, self.source.registry))
        try:
            rows = arrays_of(record, held.version, columns)
            _, compared = replay.again(rows, held.version.tolerance or 0.0)
        except Mismatch as error:
            return Asked(None, why_not=str(error))
        unsure = () if self.loaded.isolated else doubts(held.version)
        if compared is None:
            return Asked(None, why_not="no answer was logged to compare with", doubts=unsure)
        return Asked(compared.verdict, compared.ulps, compared.difference, doubts=unsure)

    def _traced(
        self, record: Record, copies: int, at: datetime | None, at_by: str, found: Identified,
        names: dict[str, tuple[str, str]], held: Held | None, replay: Asked | None, notes: list[str],
        places: tuple[Place, ...],
    ) -> Traced:  # fmt: skip
        declared = {place.environment: place.declared for place in places}
        pins: tuple[trace.PinThen, ...] = ()
        fields: tuple[Judged, ...] = ()
        retired = ""
        if found.digest is not None and found.digest in names:
            model = names[found.digest][0]
            registry = self.source.registry
            declared = declared or trace.places_of(self.history, registry, model, record.environment)
            pins = trace.pins_then(self.history, registry, model, found.digest, at, declared)
            retired = trace.retired_as(registry, model, found.digest)
        if held is not None:
            fields, trouble = trace.fields_of(record, held, trace.schemas_of(held, self.source.registry))
            notes += [f"The values can't be laid beside the contract: {trouble}."] if trouble else []
        answers, trouble = trace.answers_of(record, held.version if held is not None else None)
        notes += [f"The answer does not fit the signature: {trouble}."] if trouble else []
        return Traced(
            record, copies, at, at_by, found, names, held,
            trace.shown_version(held) if held is not None else None,
            self._levels(held, replay) if held is not None else {}, retired, pins, fields, answers,
            trace.decisions_of(held.version, answers) if held is not None else (), replay, tuple(notes),
        )  # fmt: skip

    def _levels(self, held: Held, replay: Asked | None) -> dict[str, tuple[str, str]]:
        from modelspec.cli.levels import levels

        found = levels(self.source, held, self._repository, self.loaded.network)
        if replay is not None and replay.verdict is not None:
            found["artifact"] = ("verified", "every byte, when it was loaded for the replay")
        return found


def _agreement(asked: Asked, record: Record) -> tuple[Agreement, str]:
    if asked.verdict is None:
        return "unknown", asked.why_not
    words = asked.verdict if asked.difference is None else f"{asked.verdict}, off by {asked.difference:.3g}"
    if asked.verdict != "different":
        return "agrees", words
    largest = max((abs(one) for one in _numbers(record)), default=0.0)
    near = asked.difference is not None and asked.difference <= _NEAR * max(1.0, largest)
    return ("agrees", f"{words}, under another runtime") if near and asked.doubts else ("differs", words)


def _numbers(record: Record) -> Iterator[float]:
    for output in record.outputs:
        for value in output.data:
            if isinstance(value, int | float) and value == value:
                yield float(value)


@contextmanager
def open_tracer(
    root: str | None, ref: str | None, asking: Asking, *, network: bool, isolated: bool = False
) -> Iterator[Tracer]:
    """Open what a trace needs: the work tree, its history, its receipts."""
    from modelspec.cli.branch import open_receipts
    from modelspec.cli.past import open_past
    from modelspec.cli.source import open_registry
    from modelspec.cli.where import repository_of

    with ExitStack() as stack:
        source = stack.enter_context(open_registry(root, None))
        repository, prefix, _ = repository_of(root)
        history = stack.enter_context(open_past(root, ref, (repository, prefix)))
        branch = stack.enter_context(open_receipts(repository, prefix))
        loaded = Loaded(source, network, isolated, stack)
        yield Tracer(source, repository, history, branch, loaded, asking)
