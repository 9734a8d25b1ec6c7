"""`register` without input and output: what was captured becomes a version file, named by evidence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from modelspec.api.contract import signed, tensors
from modelspec.api.lacking import Lack, lacks
from modelspec.change.layout import laid_out
from modelspec.change.proposal import Declined, Proposal, Step
from modelspec.compat.evidence import bump, changes
from modelspec.compat.number import asked, core, following
from modelspec.spec.base import API, ref_name
from modelspec.spec.feature import FeatureSchema
from modelspec.spec.kinds import MODEL, SCHEMA, VERSION, VIEW
from modelspec.spec.model import ModelVersion
from modelspec.spec.reader import Broken, Entry
from modelspec.spec.registry import Registry
from modelspec.spec.semver import precedence
from modelspec.tree.data import Data
from modelspec.tree.digest import short
from modelspec.tree.snapshot import LIMIT, Patched
from modelspec.tree.text import visible

ORDER = (
    "apiVersion", "kind", "model", "version", "description", "created", "artifact", "code", "features",
    "request", "dataset", "runtime", "config", "signature", "metrics", "tolerance", "golden", "reference",
    "needs", "lineage",
)  # fmt: skip
"""The keys of a version file, in order."""
_MOVES = ("version", "description", "lineage")
_MANY = 1000
"""So many files are what makes a version's file long, if anything does."""
_ROW = 100
"""No file takes fewer bytes in the listing: its digest alone has 71."""


@dataclass(frozen=True, slots=True)
class Captured:
    """What was captured of a version. `parts`: top-level keys as they are to stand in its file.

    `version` None: the next one by evidence. `features`: `VIEW` or `VIEW@N`, None where nobody said.
    `inputs`: input -> the fields that fill it. `parent`: a version, "" for none, None where nobody said.
    `tool`: its signature is what a tool wrote down (an MLmodel), which knows nothing of the fields.
    """

    model: str
    version: str | None
    parts: Mapping[str, Data]
    features: tuple[str, ...] | None = None
    inputs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    parent: str | None = None
    notes: tuple[str, ...] = ()
    tool: bool = False


@dataclass(frozen=True, slots=True)
class Whole:
    """A version's data as far as it is known, its parent, and what to look at in it."""

    data: dict[str, Data]
    parent: Entry[ModelVersion] | None
    notes: tuple[str, ...]


def whole(registry: Registry, captured: Captured) -> Whole | Declined:
    """Return the data of a version as far as the registry and what was captured make it."""
    if registry.get(MODEL, captured.model) is None:
        return Declined(
            f"there is no model {captured.model} in this registry",
            f"write {MODEL.locate(captured.model)} with its owner first",
        )
    parent = _parent(registry, captured)
    if isinstance(parent, Declined):
        return parent
    data: dict[str, Data] = {
        "apiVersion": API,
        "kind": "ModelVersion",
        "model": captured.model,
        "version": captured.version or "",
        **captured.parts,
    }
    notes = list(captured.notes)
    if captured.features is not None and "features" not in data:
        features = _features(registry, captured.features, notes)
        if isinstance(features, Declined):
            return features
        data["features"] = features
    if parent is not None:
        data["lineage"] = {"parent": ref(parent)}
        _architecture(data, parent, notes)
    data |= signed(data, captured.inputs, parent, notes, tool=captured.tool)
    known = list(tensors(data.get("signature"), "inputs"))
    if known and (odd := next((name for name in captured.inputs if name not in known), None)) is not None:
        # Else what it said would be dropped, and the parent's meaning taken.
        return Declined(
            f"{visible(odd)} is no input of the artifact", f"it has {visible(', '.join(known), 300)}: --input"
        )
    return Whole({key: data[key] for key in ORDER if key in data}, parent, tuple(notes))


def missing(registry: Registry, captured: Captured) -> tuple[Lack, ...] | Declined:
    """Return all that is still missing."""
    found = whole(registry, captured)
    return found if isinstance(found, Declined) else tuple(lacks(found.data))


def crowded(registry: Registry, captured: Captured) -> Declined | None:
    """Say that the version's file would be longer than one may be.

    Asked before any byte is stored: the digests of its files, which are not known yet, all have one length.
    """
    found = whole(registry, captured)
    if isinstance(found, Declined):
        return found
    try:
        return _crowded(found.data, lambda: laid_out(found.data))
    except ValueError as error:
        return _unfit(error)


def register(registry: Registry, captured: Captured) -> Proposal | Declined:
    """Return the file of a version; none where the same was registered already."""
    found = whole(registry, captured)
    if isinstance(found, Declined):
        return found
    model = captured.model
    same = _registered(registry, model, found.data, captured.version)
    if same is not None:
        already = (f"{model} {same.value.version} is already registered: {ref(same)}",)
        return Proposal("register", "", f"register/{model}", already=already, notes=found.notes)
    version = captured.version or _next(registry, found)
    if isinstance(version, Declined):
        return version
    data = {**found.data, "version": version}
    if registry.get(VERSION, model, version) is not None:
        return _taken(registry, model, version, data)
    try:
        text = laid_out(data)
    except ValueError as error:
        return _unfit(error)
    if (crowd := _crowded(data, lambda: text)) is not None:
        return crowd
    path = VERSION.locate(model, version)
    entry = read_as(registry, path, text)
    was = found.parent.value.version if found.parent is not None else ""
    return Proposal(
        "register",
        f"Register: {model} {version}",
        f"register/{model}-{version}",
        {path: text},
        (Step("register", model, "", "", version),),
        notes=(*found.notes, *((f"its parent is {was}",) if was else ())),
        results=(f"its reference is {ref(entry) if isinstance(entry, Entry) else version}",),
    )


def read_as(registry: Registry, path: str, text: bytes) -> Entry[ModelVersion] | Broken[ModelVersion] | None:
    """Return what a version file that is not written yet would be read as."""
    found: Entry[ModelVersion] | Broken[ModelVersion] | None = Registry(
        Patched(registry.snapshot, {path: text}), registry.reader
    ).at(path)
    return found


def ref(entry: Entry[ModelVersion]) -> str:
    """Return how others name a version: by its number and its digest."""
    return f"{entry.value.version}@{entry.digest}"


def releases(registry: Registry, model: str) -> list[Entry[ModelVersion]]:
    """Return the versions of a model that are no prereleases, the highest last."""
    found = [one for one in registry.entries(VERSION, model) if "-" not in one.value.version]
    return sorted(found, key=lambda one: precedence(one.value.version))


def evidence(registry: Registry, parent: Entry[ModelVersion], text: bytes, path: str) -> str | Declined:
    """Return the least free version after the parent that what changed asks for; `text` is read at `path`."""
    draft = read_as(registry, path, text)
    if not isinstance(draft, Entry):
        fault = draft.faults[0].message if isinstance(draft, Broken) and draft.faults else "it can't be read"
        return Declined(f"its file would not be read: {fault}", "correct what was given")

    def schema(view: str, ref: str) -> FeatureSchema | None:
        entry = registry.value(SCHEMA, view, ref_name(ref))
        return None if entry is None else entry.value

    was = core(parent.value.version)
    wanted = bump(list(changes(parent.value, draft.value, schema)))
    number = following(was, asked(was, wanted))
    taken = {name[1] for name in registry.names(VERSION, parent.value.model)}
    while number in taken:
        number = following(core(number), asked(was, wanted))
    return number


def _next(registry: Registry, found: Whole) -> str | Declined:
    model = str(found.data["model"])
    if found.parent is None:
        return Declined(
            f"{model} has no version yet that a next one could follow", "name the first: 1.0.0, say"
        )
    # Any free number will do to read it: what it asks for does not depend on it.
    draft = "999999.0.0"
    try:
        text = laid_out({**found.data, "version": draft})
    except ValueError as error:
        return _unfit(error)
    if (crowd := _crowded(found.data, lambda: text)) is not None:
        return crowd
    return evidence(registry, found.parent, text, VERSION.locate(model, draft))


def _unfit(error: ValueError) -> Declined:
    return Declined(f"no file can hold it: {visible(str(error), 300)}", "correct what was given")


def _crowded(data: Mapping[str, Data], text: Callable[[], bytes]) -> Declined | None:
    artifact = data.get("artifact")
    files = artifact.get("files") if isinstance(artifact, dict) else None
    count = len(files) if isinstance(files, list) else 0
    # A million files are not laid out to find that they are too many.
    if count * _ROW <= LIMIT and len(text()) <= LIMIT:
        return None
    long = f"the version's file would have more than {LIMIT:,} bytes, as no file of a registry may"
    if count < _MANY:
        return Declined(long, "leave bulk out of it: what is long belongs into a file of the artifact")
    return Declined(
        f"{long}: it lists each of the artifact's {count:,} files",
        "pack what is small and many into fewer files, an archive or the format's own shards; or register "
        "parts that are models by themselves apart, and name them with --need",
    )


def _parent(registry: Registry, captured: Captured) -> Entry[ModelVersion] | Declined | None:
    if captured.parent == "":
        return None
    if captured.parent is not None:
        entry = registry.value(VERSION, captured.model, ref_name(captured.parent))
        if entry is None or captured.parent not in (ref_name(captured.parent), ref(entry)):
            return Declined(
                f"the parent {visible(captured.parent)} is no version of {captured.model}",
                f"modelspec list {captured.model} lists them; --parent none for a first one",
            )
        return entry
    known = releases(registry, captured.model)
    if captured.version is not None:
        known = [one for one in known if precedence(one.value.version)[:3] < precedence(captured.version)[:3]]
    return known[-1] if known else None


def _architecture(data: dict[str, Data], parent: Entry[ModelVersion], notes: list[str]) -> None:
    """Take the kind of model from the parent where nobody said and the format is the same."""
    artifact, before = data.get("artifact"), parent.value.artifact
    if not isinstance(artifact, dict) or "architecture" in artifact or before is None:
        return
    if before.architecture is not None and artifact.get("format") == before.format:
        data["artifact"] = {**artifact, "architecture": before.architecture}
        notes.append(f"the architecture is the parent's, {visible(before.architecture)}: --architecture")


def _features(registry: Registry, wanted: tuple[str, ...], notes: list[str]) -> list[Data] | Declined:
    found: list[Data] = []
    for one in wanted:
        view, at, number = one.partition("@")
        numbers = sorted((int(name[1]) for name in registry.names(SCHEMA, view)), reverse=True)
        head = registry.value(VIEW, view)
        gone = {int(ref_name(out.schema_)) for out in head.value.withdrawn} if head is not None else set()
        if not at:
            fit = [each for each in numbers if each not in gone]
            number = str(fit[0]) if fit else ""
            if fit:
                notes.append(f"{view} was named without a number: taken at its newest, {number}")
        entry = registry.value(SCHEMA, view, number) if number.isascii() and number.isdigit() else None
        if entry is None:
            listed = ", ".join(str(each) for each in numbers[:10]) or "none"
            return Declined(
                f"{visible(one)} is no feature schema that can be read",
                f"schemas of {visible(view)}: {listed}",
            )
        found.append({"view": view, "schema": f"{number}@{entry.digest}"})
    return found


def _registered(
    registry: Registry, model: str, data: dict[str, Data], version: str | None
) -> Entry[ModelVersion] | None:
    """Return the version that says the same: every component, with the same bytes.

    The commit may have moved on since: to register is itself a commit, where both are one repository.
    """
    wanted = _identity(data)
    for entry in reversed(list(registry.entries(VERSION, model))):
        if version not in (None, entry.value.version):
            continue
        there = entry.document.data
        if isinstance(there, dict) and _identity(there) == wanted and _known(data):
            return entry
    return None


def _identity(data: Mapping[str, Data]) -> dict[str, Data]:
    code = data.get("code")
    kept = {key: node for key, node in code.items() if key != "commit"} if isinstance(code, dict) else code
    whole = {key: node for key, node in data.items() if key not in _MOVES}
    artifact = data.get("artifact")
    if isinstance(artifact, dict) and isinstance(signature := artifact.get("signature"), dict):
        # Signing the same bytes again gives another bundle: who signed is what counts.
        by = {key: node for key, node in signature.items() if key != "digest"}
        whole["artifact"] = {**artifact, "signature": by}
    return {**whole, "code": kept}


def _known(data: Mapping[str, Data]) -> bool:
    """Whether it has bytes to be told by: two versions whose artifacts are lost are not the same."""
    artifact = data.get("artifact")
    return isinstance(artifact, dict) and "digest" in artifact


def _taken(registry: Registry, model: str, version: str, data: dict[str, Data]) -> Declined:
    entry = registry.get(VERSION, model, version)
    fix = "give it a version of its own: --next"
    if not isinstance(entry, Entry) or not isinstance(entry.document.data, dict):
        return Declined(f"{model} {version} has a file already, which can't be read", fix)
    there = entry.document.data
    keys = [key for key in ORDER if there.get(key) != data.get(key) and key not in _MOVES]
    return Declined(
        f"{model} {version} is published ({short(entry.digest)}) with another {', '.join(keys)}: "
        "a version is written once",
        fix,
    )
