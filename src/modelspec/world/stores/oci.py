"""A store in an OCI registry: one artifact for each tree, in the layout of the CNCF ModelPack and of ORAS.

The tag of a tree is `sha256-<hex>`; each file is one layer, uncompressed, so that the layer's digest is the
file's own and equal files are held once. `oras pull` lays the files out by their titles.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from modelspec.tree.data import Data
from modelspec.tree.digest import artifact_digest, canonical, is_digest, listing, sha256, stamp
from modelspec.tree.finding import Refusal
from modelspec.tree.listing import paths_trouble
from modelspec.tree.protocols import Chunk, Progress, SourceFile, StoredFile, StoredTree
from modelspec.tree.text import visible
from modelspec.world.clock import now
from modelspec.world.files import hashed_source
from modelspec.world.parallel import each
from modelspec.world.stores.names import REPAIR, tree_name
from modelspec.world.stores.oci_http import RegistryHttp
from modelspec.world.stores.sent import ordered

MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
ARTIFACT: Final = "application/vnd.cncf.model.manifest.v1+json"
CONFIG: Final = "application/vnd.cncf.model.config.v1+json"
LAYER: Final = "application/vnd.cncf.model.weight.v1.raw"
TITLE: Final = "org.opencontainers.image.title"
FILEPATH: Final = "org.cncf.model.filepath"
CREATED: Final = "org.opencontainers.image.created"
EMPTY: Final = "application/vnd.oci.empty.v1+json"
STORED: Final = ".stored"
STORED_TYPE: Final = "application/vnd.modelspec.stored.v1"
WORKERS: Final = 4
Layers = dict[str, tuple[str, int]]
"""Path -> (digest, size) of the layers of a tree."""
_REMEMBERED: Final = 32


@dataclass(frozen=True, slots=True)
class OciStore:
    """Trees in one repository of a registry."""

    uri: str
    http: RegistryHttp = field(repr=False)
    _read: dict[str, Layers] = field(default_factory=dict, init=False, repr=False, compare=False)
    """The layers of the trees that were read last: else each file of thousands asks for all of them again."""

    @property
    def shown(self) -> str:
        """The address as the registry of models has it."""
        return visible(self.uri, 200)

    def put(self, files: Iterable[SourceFile], progress: Progress = lambda _: None) -> StoredTree:
        """Push a tree: its files, then the manifest that makes it exist. What is there is not sent again.

        The registry itself compares each blob with its digest before it keeps it.
        """
        sources = ordered(files)
        hashed = tuple(each(hashed_source, sources))
        tree = StoredTree(artifact_digest((file.path, file.digest) for file in hashed), hashed)
        # Before the bytes and after them: `gc` goes by this time, and lets the tree alone from here on.
        self.note(tree.digest)
        # Equal files are one blob: it is sent once.
        once = {known.digest: (file, known) for file, known in zip(sources, hashed, strict=True)}
        each(lambda pair: self._send(*pair, progress), once.values(), workers=WORKERS)
        config = _config(hashed)
        manifest = _manifest(hashed, self.http.upload_bytes(config), len(config))
        self.http.put_manifest(stamp(tree.digest), manifest, MANIFEST)
        self.note(tree.digest)
        return tree

    def exists(self, digest: str) -> bool:
        """Whether the tree's manifest is there."""
        return self._layers(digest) is not None

    def listing(self, digest: str) -> bytes | None:
        """Return the listing that the manifest's layers make."""
        layers = self._layers(digest)
        return None if layers is None else listing((path, row[0]) for path, row in layers.items())

    def files(self, digest: str) -> Mapping[str, int]:
        """Return path and size of every layer whose blob is there."""
        layers = self._layers(digest) or {}
        there = each(lambda row: self.http.has_blob(row[0]), layers.values(), workers=WORKERS)
        return {path: row[1] for (path, row), found in zip(layers.items(), there, strict=True) if found}

    def open(self, digest: str, path: str, start: int = 0) -> Iterator[Chunk]:
        """Yield the bytes of one layer."""
        # What was read is good enough to ask for a blob by its digest: the bytes are judged by that.
        known = self._read.get(digest)
        row = (known if known is not None else self._layers(digest) or {}).get(path)
        if row is None:
            raise Refusal(f"{visible(path, 200)} of {stamp(digest)} is missing in {self.shown}", REPAIR)
        return self.http.blob(*row, start)

    def trees(self) -> Iterator[str]:
        """Yield the digests of the trees, sorted."""
        digests = (tag.replace("-", ":", 1) for tag in self.http.tags())
        yield from sorted(digest for digest in digests if is_digest(digest))

    def unlisted(self) -> Iterator[str]:
        """Yield nothing: a registry collects the blobs that no manifest names."""
        return iter(())

    def delete(self, digest: str) -> None:
        """Remove the manifest; the registry's own collection removes blobs that nothing names."""
        for tag in (tree_name(digest), stamp(digest) + STORED):
            data = self.http.manifest(tag, MANIFEST)
            if data is not None:
                self.http.delete_manifest(sha256(data))

    def stored(self, digest: str) -> datetime | None:
        """Return the time that whoever stored the tree last noted; None for what was pushed by others.

        A registry says of no manifest when it came.
        """
        data = self.http.manifest(tree_name(digest) + STORED, MANIFEST)
        try:
            when = datetime.fromisoformat(json.loads(data or b"")["annotations"][CREATED])
        except (ValueError, KeyError, TypeError, RecursionError):
            return None
        return when if when.tzinfo is not None else None

    def note(self, digest: str) -> None:
        """Note the time beside the tree, under a tag of its own."""
        empty: dict[str, Data] = {"mediaType": EMPTY, "digest": self.http.upload_bytes(b"{}"), "size": 2}
        told: dict[str, Data] = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": STORED_TYPE,
            "config": empty,
            "layers": [dict(empty)],
            # Each tree has a note of its own: a registry removes by digest, and with it every tag of that.
            "annotations": {CREATED: now().isoformat(), TITLE: digest},
        }
        self.http.put_manifest(tree_name(digest) + STORED, canonical(told), MANIFEST)

    def tidy(self, before: datetime) -> None:
        """Nothing to do: a registry collects the uploads that never ended."""

    def deletes(self) -> None:
        """Raise Refusal when the registry has removing switched off, as most have by default."""
        self.http.may_delete()

    def _send(self, file: SourceFile, known: StoredFile, progress: Progress) -> None:
        if not self.http.has_blob(known.digest):
            self.http.upload(file, known)
        progress(known.size)

    def _layers(self, digest: str) -> Layers | None:
        """Ask for the layers of a tree, and remember them; None when there is no such tree."""
        data = self.http.manifest(tree_name(digest), MANIFEST)
        if data is None:
            self._read.pop(digest, None)
            return None
        try:
            rows: list[Any] = json.loads(data)["layers"]
            found = [(str(row["annotations"][TITLE]), (str(row["digest"]), int(row["size"]))) for row in rows]
            if not all(is_digest(row[0]) and row[1] >= 0 for _, row in found):
                raise ValueError
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            raise Refusal(
                f"the manifest of {stamp(digest)} in {self.shown} does not describe a tree", REPAIR
            ) from None
        trouble = paths_trouble(path for path, _ in found)
        if trouble is not None:
            raise Refusal(f"{stamp(digest)} in {self.shown} is refused: {trouble}", REPAIR)
        # Of a list: other threads may remember trees meanwhile.
        for oldest in list(self._read)[: max(0, len(self._read) + 1 - _REMEMBERED)]:
            self._read.pop(oldest, None)
        layers = self._read[digest] = dict(found)
        return layers


def _config(files: Iterable[StoredFile]) -> bytes:
    digests = [file.digest for file in files]
    return canonical({"config": {}, "descriptor": {}, "modelfs": {"type": "layers", "diffIds": [*digests]}})


def _manifest(files: Iterable[StoredFile], config: str, size: int) -> bytes:
    """Return the manifest: the same bytes for the same tree, so that two pushes are one."""
    return canonical(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": ARTIFACT,
            "config": {"mediaType": CONFIG, "digest": config, "size": size},
            "layers": [
                {
                    "mediaType": LAYER,
                    "digest": file.digest,
                    "size": file.size,
                    "annotations": {TITLE: file.path, FILEPATH: file.path},
                }
                for file in files
            ],
        }
    )


def oci_store(uri: str) -> OciStore:
    """Return the store at `oci://registry/repository`."""
    host, _, repository = uri.removeprefix("oci://").partition("/")
    return OciStore(uri, RegistryHttp(host, repository))
