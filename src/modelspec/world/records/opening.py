"""Whether a request log is our own Parquet: its content says it, without a package that reads Parquet."""

from __future__ import annotations

from itertools import islice
from typing import Final

from modelspec.tree.requestlog import FORMAT
from modelspec.world.records.places import Located

_PARQUET: Final = b"PAR1"
_LOOKED_AT: Final = 20
_FOOTER: Final = 16 * 1024 * 1024


def is_own(located: Located) -> bool:
    """Whether one of the first files is our own Parquet, by its footer."""
    return any(isinstance(path, str) and _says(located, path) for path in islice(located.walk(), _LOOKED_AT))


def _says(located: Located, path: str) -> bool:
    """Whether a file's footer has our layout."""
    try:
        with located.place.open(path) as stream:
            if stream.read(4) != _PARQUET:
                return False
            stream.seek(-8, 2)
            tail = stream.read(8)
            size = int.from_bytes(tail[:4], "little")
            if tail[4:] != _PARQUET or size > _FOOTER:
                return False
            stream.seek(-8 - size, 2)
            return FORMAT.encode() in stream.read(size)
    except (OSError, ValueError):
        return False
