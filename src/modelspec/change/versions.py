"""Two version tuples beside each other: which of the six components moved, and in what."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from modelspec.change.leaves import Leaf, leaves
from modelspec.spec.base import ref_name
from modelspec.spec.model import COMPONENTS, ModelVersion
from modelspec.spec.reader import Entry
from modelspec.tree.data import Data

_BESIDE: Final = ("description", "created", "tolerance", "golden", "reference", "needs", "lineage")


@dataclass(frozen=True, slots=True)
class SchemaMove:
    """A view that two versions read at different schemas; a side is None where it is not read."""

    view: str
    was: str | None
    now: str | None


@dataclass(frozen=True, slots=True)
class TensorMove:
    """What happened to one tensor of the signature or one input of the request."""

    kind: str
    """`input added`, `output removed`, `input dtype`, `request range`, `output order`, ..."""
    name: str
    was: Data
    now: Data


@dataclass(frozen=True, slots=True)
class VersionDiff:
    """What differs between two versions of one model. Routes of leaves begin at the document's root."""

    model: str
    was: str
    now: str
    moved: tuple[str, ...]
    """The components that differ, in the order of the file."""
    components: tuple[Leaf, ...]
    """What differs in them, hyperparameters, thresholds and schemas apart."""
    hyperparameters: tuple[Leaf, ...]
    thresholds: tuple[Leaf, ...]
    schemas: tuple[SchemaMove, ...]
    metrics: tuple[Leaf, ...]
    contract: tuple[TensorMove, ...]
    """The signature and the inputs that come with the request."""
    beside: tuple[Leaf, ...]
    """Description, tolerance, needs, lineage and the like."""

    @property
    def same(self) -> tuple[str, ...]:
        """The components that do not differ."""
        return tuple(name for name in COMPONENTS if name not in self.moved)

    @property
    def empty(self) -> bool:
        """Whether the two mean the same."""
        return not (self.moved or self.metrics or self.contract or self.beside)


def version_diff(was: Entry[ModelVersion], now: Entry[ModelVersion]) -> VersionDiff:
    """Return what differs between two versions, by their documents: what is not written does not differ."""
    old, new = _data(was), _data(now)
    moved = tuple(name for name in COMPONENTS if _differ(old.get(name), new.get(name)))
    found = [
        leaf for name in moved if name != "features" for leaf in leaves(old.get(name), new.get(name), (name,))
    ]
    settled = [
        leaf for leaf in found if leaf.route[:2] in (("config", "hyperparameters"), ("config", "thresholds"))
    ]
    return VersionDiff(
        model=now.value.model,
        was=was.value.version,
        now=now.value.version,
        moved=moved,
        components=tuple(leaf for leaf in found if leaf not in settled),
        hyperparameters=tuple(leaf for leaf in settled if leaf.route[1] == "hyperparameters"),
        thresholds=tuple(leaf for leaf in settled if leaf.route[1] == "thresholds"),
        schemas=tuple(_schemas(was.value, now.value)),
        metrics=tuple(leaves(old.get("metrics") or {}, new.get("metrics") or {})),
        contract=tuple(_contract(old, new)),
        beside=tuple(leaf for key in _BESIDE for leaf in leaves(old.get(key), new.get(key), (key,))),
    )


def _data(entry: Entry[ModelVersion]) -> dict[str, Data]:
    data = entry.document.data
    assert isinstance(data, dict)
    return data


def _differ(was: Data, now: Data) -> bool:
    return next(leaves(was, now), None) is not None


def _schemas(was: ModelVersion, now: ModelVersion) -> Iterator[SchemaMove]:
    old, new = ({ref.view: ref.schema_ for ref in side.feature_refs} for side in (was, now))
    for view in sorted(old.keys() | new.keys()):
        if old.get(view) != new.get(view):
            yield SchemaMove(view, old.get(view), new.get(view))


def _contract(old: dict[str, Data], new: dict[str, Data]) -> Iterator[TensorMove]:
    ours, theirs = old.get("signature") or {}, new.get("signature") or {}
    assert isinstance(ours, dict)
    assert isinstance(theirs, dict)
    for word, key in (("input", "inputs"), ("output", "outputs")):
        yield from _tensors(word, ours.get(key), theirs.get(key))
    yield from _tensors("request", old.get("request"), new.get("request"))


def _tensors(word: str, was: Data, now: Data) -> Iterator[TensorMove]:
    old, new = _by_name(was), _by_name(now)
    for name in [*old, *(name for name in new if name not in old)]:
        if name not in new:
            yield TensorMove(f"{word} removed", name, old[name], None)
        elif name not in old:
            yield TensorMove(f"{word} added", name, None, new[name])
        else:
            ours, theirs = old[name], new[name]
            for key in [*ours, *(key for key in theirs if key not in ours)]:
                if _differ(ours.get(key), theirs.get(key)):
                    yield TensorMove(f"{word} {key}", name, ours.get(key), theirs.get(key))
    kept = [[name for name in side if name in old and name in new] for side in (old, new)]
    if kept[0] != kept[1]:
        yield TensorMove(f"{word} order", "", list(kept[0]), list(kept[1]))


def _by_name(items: Data) -> dict[str, dict[str, Any]]:
    listed = items if isinstance(items, list) else []
    return {str(item["name"]): item for item in listed if isinstance(item, dict) and "name" in item}


def moved_text(diff: VersionDiff) -> str:
    """Return which components moved and which did not, in a sentence."""
    if not diff.moved:
        return "all six components are the same"
    return f"{', '.join(diff.moved)} moved" + (f"; {', '.join(diff.same)} same" if diff.same else "")


def number_of(ref: str | None) -> str:
    """Return the number of a schema reference, "none" for None."""
    return "none" if ref is None else ref_name(ref)
