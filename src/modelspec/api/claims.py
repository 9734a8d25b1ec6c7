"""What a version claims about the world: bytes, commits, data, images. `world` asks; here is what to ask."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from modelspec.spec.base import ref_digest, ref_name
from modelspec.spec.environment import Level
from modelspec.spec.kinds import SCHEMA, VERSION
from modelspec.spec.model import COMPONENTS, Artifact, ModelVersion
from modelspec.spec.reader import Entry
from modelspec.spec.registry import Registry
from modelspec.tree.digest import short
from modelspec.tree.protocols import PlacedFile

ClaimKind = Literal["tree", "placed", "commit", "data", "image"]


@dataclass(frozen=True, slots=True)
class Claim:
    """One thing outside the registry that a component rests on.

    `kind` says how to read the rest. tree: `where` is the store, `digest` the tree's. placed: `where` is the
    address of a tree that was registered in place, `files` what it consists of. commit: `where` is
    the repository, `name` the commit, `digest` unused. data: `where` is the address, `digest` may be None.
    image: `name` is the image by digest.
    """

    kind: ClaimKind
    where: str = ""
    name: str = ""
    digest: str | None = None
    files: tuple[PlacedFile, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How far a claim was followed: its level, what that rests on, and whether something is wrong."""

    level: Level
    note: str = ""
    wrong: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """A claim of a component, by what it is: `artifact`, `golden`, `lock`, `image`."""

    component: str
    what: str
    claim: Claim


@dataclass(frozen=True, slots=True)
class Claims:
    """A version: what the registry alone decides of its components, and what has to be asked."""

    model: str
    version: str
    digest: str
    known: tuple[tuple[str, str, Outcome], ...]
    """(component, what, outcome) of what needs no asking."""
    parts: tuple[Part, ...]


def claims_of(registry: Registry, model: str, version: str) -> Claims | None:
    """Return what a version claims, or None when its file can't be read."""
    entry = registry.value(VERSION, model, version)
    if entry is None:
        return None
    known: list[tuple[str, str, Outcome]] = []
    for name in COMPONENTS:
        part = getattr(entry.value, name)
        unknown = getattr(part, "unknown", None)
        if part is None or unknown is not None:
            known.append((name, name, Outcome("unknown", unknown.reason if unknown else "not in the file")))
    lost = {component for component, _, _ in known}
    if "config" not in lost:
        known.append(("config", "config", Outcome("verified", "in the version's file")))
    if "features" not in lost:
        known += [("features", what, outcome) for what, outcome in _schemas(registry, entry)]
    parts = tuple(part for part in _parts(entry.value) if part.component not in lost)
    return Claims(model, version, entry.digest, tuple(known), parts)


def _schemas(registry: Registry, entry: Entry[ModelVersion]) -> Iterator[tuple[str, Outcome]]:
    if not entry.value.feature_refs:
        yield "features", Outcome("verified", "it reads none")
    for ref in entry.value.feature_refs:
        number, wanted = ref_name(ref.schema_), ref_digest(ref.schema_)
        what = f"{ref.view} {number}"
        schema = registry.value(SCHEMA, ref.view, number)
        if schema is None:
            yield what, Outcome("recorded", f"{what} can't be read", wrong=True)
        elif schema.digest != wanted:
            yield (
                what,
                Outcome("recorded", f"{what} is {short(schema.digest)}, not {short(wanted)}", wrong=True),
            )
        else:
            yield what, Outcome("verified", short(wanted))


def placed_files(artifact: Artifact) -> tuple[PlacedFile, ...]:
    """Return the files of an artifact that was registered in place."""
    return tuple(PlacedFile(one.path, one.size, one.digest, one.object or "") for one in artifact.files)


def _parts(version: ModelVersion) -> Iterator[Part]:
    artifact = version.artifact
    store = artifact.store if artifact is not None and artifact.store is not None else ""
    trees = [
        ("artifact", "artifact", artifact.digest if artifact else None),
        ("artifact", "signature", artifact.signature.digest if artifact and artifact.signature else None),
        ("artifact", "golden", version.golden),
        ("artifact", "reference", version.reference),
        ("code", "patch", version.code.patch if version.code else None),
        (
            "runtime",
            "lock",
            version.runtime.lock.digest if version.runtime and version.runtime.lock else None,
        ),
    ]
    for component, what, digest in trees:
        if what == "artifact" and artifact is not None and artifact.uri is not None:
            yield Part(
                component, what, Claim("placed", artifact.uri, digest=digest, files=placed_files(artifact))
            )
        elif digest is not None:
            yield Part(component, what, Claim("tree", store, digest=digest))
    if version.code is not None and version.code.commit is not None:
        code = version.code
        # What was not committed is in the patch, perhaps the file that trains as well.
        path = "" if code.patch is not None else code.path or ""
        yield Part("code", "commit", Claim("commit", code.repository or "", f"{code.commit}:{path}"))
    if version.dataset is not None:
        data = version.dataset
        yield Part("dataset", "dataset", Claim("data", data.uri or "", data.snapshot or "", data.digest))
    if version.runtime is not None:
        yield Part("runtime", "image", Claim("image", name=version.runtime.image or ""))
