"""A request log by its path: which format it is, its content says."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Final

from modelspec.tree.finding import Refusal
from modelspec.tree.protocols import Progress
from modelspec.tree.record import RecordSource
from modelspec.tree.recordform import Form
from modelspec.tree.requestlog import FORMAT
from modelspec.tree.text import did_you_mean, visible
from modelspec.world.records.foreign import ForeignRecords
from modelspec.world.records.objects import PARQUET
from modelspec.world.records.own import OwnRecords
from modelspec.world.records.places import Located, locate

OWN: Final = "modelspec"
"""What `--log-format` calls our own Parquet."""
_LOOKED_AT: Final = 20
_FOOTER: Final = 16 * 1024 * 1024


def open_log(
    path: str, forms: Sequence[Form], wanted: str | None = None, progress: Progress = lambda _: None
) -> RecordSource:
    """Return the request log at PATH: a file, a folder, a glob, or a URL of one of these.

    `wanted` names the format; without it our own Parquet is told by the first files, and every file of
    others by its first object. `progress` is told the files that a scan is done with. Raises Refusal when
    nothing is there, and for a format that nobody knows.
    """
    names = {form.name: form for form in forms}
    if wanted is not None and wanted != OWN and wanted not in names:
        known = sorted([OWN, *names])
        raise Refusal(
            f"no request log has the format {visible(wanted)}",
            did_you_mean(wanted, known) or f"the formats are {', '.join(known)}",
        )
    located = locate(path)
    if wanted == OWN or (wanted is None and _is_own(located)):
        return OwnRecords(located, progress)
    return ForeignRecords(located, forms, names.get(wanted or ""), progress)


def _is_own(located: Located) -> bool:
    """Whether one of the first files is our own Parquet, by its footer."""
    return any(isinstance(path, str) and _says(located, path) for path in islice(located.walk(), _LOOKED_AT))


def _says(located: Located, path: str) -> bool:
    """Whether a file's footer has our layout."""
    try:
        with located.place.open(path) as stream:
            if stream.read(4) != PARQUET:
                return False
            stream.seek(-8, 2)
            tail = stream.read(8)
            size = int.from_bytes(tail[:4], "little")
            if tail[4:] != PARQUET or size > _FOOTER:
                return False
            stream.seek(-8 - size, 2)
            return FORMAT.encode() in stream.read(size)
    except (OSError, ValueError):
        return False
