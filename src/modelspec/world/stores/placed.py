"""A tree that stays where it is in a bucket: pinned by the version of each object, and never copied.

Only buckets that count versions: elsewhere an object that is overwritten is gone, and a digest of what is
gone brings nothing back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final, NoReturn, cast

from modelspec.tree.digest import artifact_digest, listing
from modelspec.tree.finding import Refusal
from modelspec.tree.listing import paths_trouble
from modelspec.tree.protocols import Chunk, PlacedFile, Progress, SourceFile, StoredTree
from modelspec.tree.text import visible
from modelspec.tree.uri import store_uri_trouble
from modelspec.world.parallel import ahead, each
from modelspec.world.stores.systems import PART, WORKERS, ShortAnswerError, asked, file_system

_VERSIONS: Final = {"s3": ("VersionId", "version_id"), "gs": ("generation", "generation")}
"""What the library of a scheme calls the version of an object: in what it says of one, and to read it."""
_NO_VERSION: Final = (None, "", "null")
"""What a bucket says of objects when it does not count versions."""


@dataclass(frozen=True, slots=True)
class PlacedTree:
    """The files of one tree where they lie: a store that holds one tree, to be read only."""

    uri: str
    placed: tuple[PlacedFile, ...]
    system: Any = field(repr=False)
    """The fsspec file system, which knows versions."""
    by_path: Mapping[str, PlacedFile] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Know each file by its path: each of thousands is asked for."""
        object.__setattr__(self, "by_path", {file.path: file for file in self.placed})

    @property
    def shown(self) -> str:
        """The address, as the version has it."""
        return visible(self.uri, 200)

    @property
    def _word(self) -> str:
        return _VERSIONS[self.uri.partition("://")[0]][1]

    @property
    def digest(self) -> str:
        """The digest of the tree."""
        return artifact_digest((file.path, file.digest) for file in self.placed)

    @property
    def size(self) -> int:
        """How many bytes there are."""
        return sum(file.size for file in self.placed)

    def address(self, path: str) -> str:
        """Return where a file lies: a tree of one file may be that file itself."""
        alone = len(self.placed) == 1 and self.uri.endswith("/" + path)
        return self.uri if alone else f"{self.uri}/{path}"

    def exists(self, digest: str) -> bool:
        """Whether this is that tree."""
        return digest == self.digest

    def listing(self, digest: str) -> bytes | None:
        """Return the listing that the version itself gives."""
        found = listing([(file.path, file.digest) for file in self.placed])
        return found if self.exists(digest) else None

    def files(self, digest: str) -> Mapping[str, int]:
        """Return path and size of what a server that loads the address gets; Refusal for newer objects.

        The objects that were registered may still be there below: `open` reads those.
        """
        found = {}
        for file, info in zip(self.placed, each(self._newest, self.placed, workers=WORKERS), strict=True):
            if info is None:
                continue
            if info["version"] != file.object:
                raise Refusal(
                    f"{visible(file.path, 200)} at {self.shown} was overwritten: the newest object "
                    "there is not the one that was registered",
                    "put that version of the object on top again, or register what is there as a new version",
                )
            found[file.path] = int(info["size"])
        if self.address(self.placed[0].path) != self.uri:
            start = len(self.system._strip_protocol(self.uri)) + 1
            beside = self._asked(lambda: self.system.find(self.uri, detail=True))
            found |= {
                name[start:]: int(info["size"] or 0)
                for name, info in beside.items()
                if name[start:] not in self.by_path
            }
        return found

    def open(self, digest: str, path: str, start: int = 0) -> Iterator[Chunk]:
        """Yield the bytes of the object version that was registered."""
        file = self.by_path[path]
        yield from ahead(
            lambda at: self._range(file, at, min(at + PART, file.size)),
            range(start, file.size, PART),
            workers=WORKERS,
        )

    def stream(self, path: str) -> AbstractContextManager[BinaryIO]:
        """Open one file to read here and there in it."""
        file = self.by_path[path]
        found = self._asked(
            lambda: self.system.open(self.address(path), "rb", block_size=PART, **{self._word: file.object})
        )
        return cast("AbstractContextManager[BinaryIO]", found)

    def put(self, files: Sequence[SourceFile], progress: Progress = lambda _: None) -> StoredTree:
        """Refuse: what is in place is somebody else's."""
        self._refuse()

    def trees(self) -> Iterator[str]:
        """Yield the digest of the one tree."""
        yield self.digest

    def delete(self, digest: str) -> None:
        """Refuse: what is in place is somebody else's."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise Refusal(f"{self.shown} is read in place: nothing is written or removed there")

    def _asked(self, call: Any) -> Any:
        return asked(self.shown, "read", call)

    def _newest(self, file: PlacedFile) -> Mapping[str, Any] | None:
        try:
            return _info(self.system, self.shown, self.address(file.path))
        except FileNotFoundError:
            return None

    def _range(self, file: PlacedFile, start: int, end: int) -> bytes:
        def ask() -> bytes:
            data: bytes = self.system.cat_file(
                self.address(file.path), start=start, end=end, **{self._word: file.object}
            )
            if len(data) != end - start:
                raise ShortAnswerError
            return data

        if end <= start:
            return b""
        try:
            found: bytes = self._asked(ask)
        except FileNotFoundError:
            raise Refusal(
                f"{visible(file.path, 200)} at {self.shown}: the object that was registered is gone",
                "bring that version of the object back, or put the artifact into a store from a copy",
            ) from None
        return found


def placed_tree(uri: str, files: Sequence[PlacedFile]) -> PlacedTree:
    """Return a tree that a version says lies in place; nothing is asked yet.

    Raises Refusal for an address that is none, and for files that no tree has.
    """
    trouble = paths_trouble(file.path for file in files)
    if trouble is not None or not all(file.object for file in files):
        raise Refusal(
            trouble or "a file in place has no version of its object", "`modelspec check` says where"
        )
    return PlacedTree(uri, tuple(files), _system(uri))


def placed_at(uri: str, progress: Progress = lambda _: None) -> PlacedTree:
    """Read what lies at an address, once, and return it with the digests and object versions that it has.

    Raises Refusal when there is nothing, and when the bucket does not count the versions of its objects.
    """
    system, shown = _system(uri), visible(uri, 200)
    try:
        found = _objects(system, shown, uri)
    except FileNotFoundError:
        found = []
    if not found:
        raise Refusal(f"there is nothing at {shown}", "name an object, or a folder of objects")
    trouble = paths_trouble(name for name, _ in found)
    if trouble is not None:
        raise Refusal(
            f"what is at {shown} can't be one artifact: {trouble}", "name a folder that holds it alone"
        )
    if any(info["version"] in _NO_VERSION for _, info in found) or not _counted(system, uri, shown):
        raise Refusal(
            f"{shown} lies in a bucket that does not count the versions of its objects: what is overwritten "
            "there is gone",
            "switch versioning on for the bucket and write the objects again; or register a local "
            "copy, which is put into a store",
        )
    unread = tuple(
        PlacedFile(name, int(info["size"]), "", str(info["version"]))
        for name, info in sorted(found, key=lambda row: row[0].encode())
    )
    tree = PlacedTree(uri, unread, system)

    def hashed(file: PlacedFile) -> PlacedFile:
        total = hashlib.sha256()
        for chunk in tree.open("", file.path):
            total.update(chunk)
            progress(len(chunk))
        return PlacedFile(file.path, file.size, "sha256:" + total.hexdigest(), file.object)

    return PlacedTree(uri, tuple(each(hashed, unread)), system)


def _objects(system: Any, shown: str, uri: str) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the objects at an address by their paths below it, and what is known of each.

    Raises FileNotFoundError where there is nothing.
    """
    info, own = _info(system, shown, uri), uri.rpartition("/")[2]
    if info["type"] == "file":
        return [(own, info)]
    start = len(system._strip_protocol(uri)) + 1
    names = [str(name)[start:] for name in asked(shown, "read", lambda: system.find(uri))]
    if names == [own]:
        raise Refusal(f"the folder {shown} holds one object of its own name", "name the object itself")
    infos = each(lambda name: _info(system, shown, f"{uri}/{name}"), names, workers=WORKERS)
    return list(zip(names, infos, strict=True))


def _system(uri: str) -> Any:
    trouble = store_uri_trouble(uri)
    if trouble is not None:
        # It may hold a password: it is not repeated.
        raise Refusal(
            f"the address of the artifact {trouble}", "write a plain address such as s3://bucket/folder"
        )
    scheme = uri.partition("://")[0]
    if scheme not in _VERSIONS:
        raise Refusal(
            f"what lies at {scheme}:// can't be registered in place: only s3:// and gs:// pin an object",
            "give `register` a local copy, which it puts into a store",
        )
    # gcsfs takes the generation as it is, and else reads one out of `#` in the name of an object.
    return file_system(scheme, version_aware=scheme == "s3")


def _counted(system: Any, uri: str, shown: str) -> bool:
    """Whether a bucket keeps the versions of its objects: in GCS each has a number, kept or not."""
    scheme, _, rest = uri.partition("://")
    if scheme != "gs":
        return True
    bucket = rest.partition("/")[0]
    said = asked(shown, "read", lambda: system.call("GET", "b/{}", bucket, json_out=True))
    return bool((said.get("versioning") or {}).get("enabled"))


def _info(system: Any, shown: str, address: str) -> Mapping[str, Any]:
    def ask() -> Mapping[str, Any]:
        # What was listed a moment ago may be there now.
        system.invalidate_cache()
        found: Mapping[str, Any] = system.info(address)
        return {**found, "version": found.get(_VERSIONS[address.partition("://")[0]][0])}

    found: Mapping[str, Any] = asked(shown, "read", ask)
    return found
