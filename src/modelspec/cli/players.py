"""The versions that a whole log is replayed through: each is loaded when a stamp asks for it first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelspec.tree.digest import stamp as stamp_of
from modelspec.tree.text import visible

if TYPE_CHECKING:
    from modelspec.api.trace import Held
    from modelspec.cli.tracing import Tracer
    from modelspec.runtimes.bulk import Player, Shipped
    from modelspec.tree.record import Record


class Players:
    """Chooses the version of a record by its stamp; `held` is the one that is asked whatever served."""

    def __init__(self, tracer: Tracer, held: Held | None) -> None:
        self._tracer, self._only = tracer, held
        self._known: dict[tuple[str | None, str | None], Player | str] = {}
        self._by_digest: dict[str, Player | str] = {}

    @property
    def only(self) -> str | None:
        """The stamp of the version that is asked whatever served."""
        return None if self._only is None else stamp_of(self._only.entry.digest)

    def choose(self, stamp: str | None, model: str | None, record: Record | None = None) -> Player | str:
        """Return the version to ask, or why none is; without a stamp, by the time of the record."""
        if not stamp and self._only is None and record is not None:
            return self._by_time(record)
        found = self._known.get((stamp, model))
        if found is None:
            found = self._known[stamp, model] = self._chosen(stamp, model)
        return found

    def all(self) -> list[Player]:
        """Return the versions that were asked, by model and version."""
        found = [one for one in self._by_digest.values() if not isinstance(one, str)]
        return sorted(found, key=lambda one: (one.version.model, one.version.version))

    def shipped(self) -> dict[str, Shipped]:
        """Return the versions that were chosen so far as they are sent to other machines, by stamp."""
        from modelspec.runtimes.bulk import ship

        return {
            stamp_of(one.digest): ship(one, self._tracer.loaded.folders[one.digest]) for one in self.all()
        }

    def _chosen(self, stamp: str | None, model: str | None) -> Player | str:
        from modelspec.api.trace import held

        versions = self._tracer.versions
        if self._only is not None:
            wanted = self._only.version.model
            if model is not None and model != wanted and model in versions.models():
                return f"a request to {visible(model, 60)}, not to {wanted}"
            return self._player(self._only)
        if not stamp:
            return "no stamp says which version served: --version asks one"
        found = versions.by_stamp(stamp, model if model in versions.models() else None)
        found = found or versions.by_stamp(stamp)
        if len(found) != 1:
            count = "no version has" if not found else f"{len(found)} versions have"
            return f"{count} the stamp {visible(stamp, 30)}"
        [one] = found
        known = held(self._tracer.source.registry, self._tracer.history, one.model, one.version, one.digest)
        if known is None:
            return f"the file of {one} is nowhere, not in the history here either"
        return self._player(known)

    def _by_time(self, record: Record) -> Player | str:
        from modelspec.api.trace import held

        told = self._tracer.by_time(record)
        if isinstance(told, str):
            return f"{told}: --version asks one"
        known = held(self._tracer.source.registry, self._tracer.history, *told)
        return self._player(known) if known is not None else "the file of its version is nowhere"

    def _player(self, one: Held) -> Player | str:
        from modelspec.api.trace import schemas_of
        from modelspec.runtimes.bulk import Player
        from modelspec.trace.columns import columns_of

        digest = one.entry.digest
        if digest not in self._by_digest:
            replay = self._tracer.loaded.of(one)
            columns = columns_of(one.version, schemas_of(one, self._tracer.source.registry))
            self._by_digest[digest] = replay if isinstance(replay, str) else Player(replay, digest, columns)
        return self._by_digest[digest]
