"""What `world` implements and everything above asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from modelspec.tree.data import Data
from modelspec.tree.place import Route

Chunk = bytes | memoryview
"""Some bytes of a file."""
Progress = Callable[[int], object]
"""Is told how many bytes more were done; called from any thread."""


@dataclass(frozen=True, slots=True)
class RenderFault:
    """Why a template gave nothing: the line of its source (from 1) where that is known, and how to mend it.

    `rule` is the name of the MS6 rule that it breaks.
    """

    rule: str
    message: str
    line: int | None = None
    fix: str | None = None


@dataclass(frozen=True, slots=True)
class Hole:
    """One `{{ }}` that was filled: where its value went in the data, and where in the context it came from.

    `source` is empty when the value is no single node of the context (a constant, a comparison).
    """

    route: Route
    source: Route
    line: int
    key: bool = False


@dataclass(frozen=True, slots=True)
class Rendered:
    """The data that a template described, and the holes that were filled in it."""

    data: Data
    holes: tuple[Hole, ...]


class Renderer(Protocol):
    """Renders one template with holes to data. Both may be hostile."""

    def render(self, source: str, context: Mapping[str, Data]) -> Rendered | RenderFault:
        """Return the data that the template describes, or why there is none."""
        ...


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One file of a tree: its path in the tree, its size in bytes, its sha256."""

    path: str
    size: int
    digest: str


@dataclass(frozen=True, slots=True)
class PlacedFile(StoredFile):
    """One file that lies in place in a bucket, and the version of the object there."""

    object: str


@dataclass(frozen=True, slots=True)
class StoredTree:
    """A tree of files by its artifact digest; files sorted by path in byte order."""

    digest: str
    files: tuple[StoredFile, ...]


@dataclass(frozen=True, slots=True)
class Dead:
    """A tree that nothing needs, and the bytes that go with it: of files that no tree has which stays."""

    digest: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Swept:
    """What was found in one store."""

    store: str
    dead: tuple[Dead, ...]
    kept: int
    young: int
    """Trees that nothing needs yet: they are within the grace time."""


class SourceFile(Protocol):
    """One file on its way into a store."""

    @property
    def path(self) -> str:
        """Its path in the tree."""
        ...

    def chunks(self) -> Iterator[Chunk]:
        """Yield its bytes; a chunk is valid until the next one is asked for.

        Raises Refusal when it can't be read, and when it changed while it was.
        """
        ...


class Store(Protocol):
    """Where artifact bytes live: one tree of files for each artifact digest (`sha256:<hex>`).

    A tree exists when its listing does, which is written last. What a store gives back is never trusted:
    whoever reads compares digests.
    """

    @property
    def shown(self) -> str:
        """What messages call it; without endpoint or credentials."""
        ...

    def put(self, files: Sequence[SourceFile], progress: Progress = ...) -> StoredTree:
        """Store a tree and return what it is; no byte gets its final name before its digest is known.

        Raises Refusal when a source changes, when the store can't be written, and for paths that no tree
        may have.
        """
        ...

    def exists(self, digest: str) -> bool:
        """Whether the whole tree is there, by its listing alone."""
        ...

    def listing(self, digest: str) -> bytes | None:
        """Return the listing of a tree as it lies there, None when there is no such tree."""
        ...

    def files(self, digest: str) -> Mapping[str, int]:
        """Return the path and the size in bytes of every file that really lies in a tree."""
        ...

    def open(self, digest: str, path: str, start: int = 0) -> Iterator[Chunk]:
        """Yield the bytes of one file as they lie there, from byte `start` on.

        A chunk is valid until the next one. Raises Refusal when the file is missing, no regular file, or
        can't be read to its end.
        """
        ...

    def trees(self) -> Iterator[str]:
        """Yield the digests of the trees, sorted."""
        ...

    def delete(self, digest: str) -> None:
        """Remove a tree, its listing first; nothing when it is not there."""
        ...


class Observer(Protocol):
    """Looks at one serving system, or at what somebody saved of it. What it gives is not to be trusted."""

    @property
    def shown(self) -> str:
        """What messages call it; without credentials."""
        ...

    def look(self) -> Iterator[tuple[str, bytes]]:
        """Yield what was asked, in words, and the JSON that was the answer; both within limits.

        Raises Refusal when it can't be asked.
        """
        ...
