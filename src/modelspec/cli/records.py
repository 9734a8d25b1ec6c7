"""Request logs as the command line opens them."""

from __future__ import annotations

from typing import Final

from modelspec.tree.finding import Refusal
from modelspec.tree.protocols import Progress
from modelspec.tree.record import RecordSource
from modelspec.tree.text import did_you_mean, visible

OWN: Final = "modelspec"
"""What `--log-format` calls our own Parquet."""
FORMATS: Final = (OWN, "azureml", "databricks", "kserve", "open-inference", "sagemaker", "vertex")
"""What `--log-format` may say."""


def open_records(path: str, wanted: str | None = None, progress: Progress = lambda _: None) -> RecordSource:
    """Return the request log at PATH: a file, a folder, a glob, or a URL of one of these.

    `wanted` names the format: `modelspec`, or a name in `modelspec.formats.records.FORMS`. Without it our own
    Parquet is told by its footer, and every file of others by its first object. `progress` is told how many
    files more a scan is done with. Raises Refusal when nothing is there, and for a format that nobody knows.
    """
    # What others write is imported only when it is read: a look-up in our own log is quick.
    from modelspec.world.records.opening import is_own
    from modelspec.world.records.own import OwnRecords
    from modelspec.world.records.places import locate

    located = locate(path)
    if wanted == OWN or (wanted is None and is_own(located)):
        return OwnRecords(located, progress)
    from modelspec.formats.records import FORMS
    from modelspec.world.records.foreign import ForeignRecords

    names = {form.name: form for form in FORMS}
    if wanted is not None and wanted not in names:
        known = sorted([OWN, *names])
        raise Refusal(
            f"no request log has the format {visible(wanted)}",
            did_you_mean(wanted, known) or f"the formats are {', '.join(known)}",
        )
    return ForeignRecords(located, FORMS, names.get(wanted or ""), progress)
