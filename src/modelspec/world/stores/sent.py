"""The files that a store is sent: in one order everywhere, and the same bytes whenever they are read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import TypeVar

from modelspec.tree.finding import Refusal
from modelspec.tree.listing import paths_trouble
from modelspec.tree.protocols import Chunk, SourceFile, StoredFile
from modelspec.tree.text import visible

F = TypeVar("F", bound=SourceFile)


def ordered(files: Iterable[F]) -> list[F]:
    """Return the files of a tree in byte order of their paths; raises Refusal for none, or hostile paths."""
    found = sorted(files, key=lambda file: file.path.encode("utf-8", "surrogateescape"))
    trouble = paths_trouble(file.path for file in found)
    if trouble is not None or not found:
        raise Refusal(
            trouble or "there are no files to store",
            "name at least one file, and rename what has such a path",
        )
    return found


def unchanged(file: SourceFile, known: StoredFile) -> Iterator[Chunk]:
    """Yield the bytes of a source; raises Refusal at their end when they are not those that were hashed."""
    found = hashlib.sha256()
    for chunk in file.chunks():
        found.update(chunk)
        yield chunk
    if "sha256:" + found.hexdigest() != known.digest:
        raise Refusal(f"{visible(file.path, 200)} changed while it was read", "wait until nothing writes it")
