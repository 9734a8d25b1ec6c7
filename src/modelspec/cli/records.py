"""Request logs as the command line opens them."""

from __future__ import annotations

from modelspec.tree.protocols import Progress
from modelspec.tree.record import RecordSource


def open_records(path: str, wanted: str | None = None, progress: Progress = lambda _: None) -> RecordSource:
    """Return the request log at PATH (file, folder, glob or URL) in the format that its content tells, or in
    the one that was asked for: `modelspec`, or a name in `modelspec.formats.records.FORMS`.

    Raises Refusal when nothing is there.
    """
    from modelspec.formats.records import FORMS
    from modelspec.world.records.opening import open_log

    return open_log(path, FORMS, wanted, progress)
