"""What a zip archive holds, by its directory and the first bytes of its members; it is never unpacked."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from typing import BinaryIO, Final

_MEMBERS: Final = 10_000
_HEAD: Final = 4096
_CONFIG: Final = 16 * 1024 * 1024


def zip_told(stream: BinaryIO, runs_code: Callable[[bytes], bool]) -> tuple[str, bool, str]:
    """Return (format, unsafe, why). An archive that can't be read to its end is unsafe, never harmless."""
    try:
        with zipfile.ZipFile(stream) as archive:
            members = archive.infolist()
            if len(members) > _MEMBERS:
                return "zip", True, f"an archive of more than {_MEMBERS:,} files, which were not looked at"
            return _members(archive, members, runs_code)
    except Exception:
        # zipfile, and what unpacks for it, raise whatever the bytes make them raise.
        return "zip", True, "an archive that can't be read, which others may read differently"


def _members(
    archive: zipfile.ZipFile, members: list[zipfile.ZipInfo], runs_code: Callable[[bytes], bool]
) -> tuple[str, bool, str]:
    names = {member.filename for member in members}
    last = {name.rpartition("/")[2] for name in names}
    if "data.pkl" in last:
        return "torch", True, "a torch archive, whose data.pkl is a pickle"
    for member in members:
        if member.is_dir():
            continue
        with archive.open(member) as opened:
            if runs_code(opened.read(_HEAD)):
                return "zip", True, "an archive with a pickle in it"
    if "schema.json" in names:
        return "skops", False, ""
    if "config.json" in names and {"metadata.json", "model.weights.h5"} & names:
        with archive.open("config.json") as opened:
            config = opened.read(_CONFIG + 1)
        if len(config) > _CONFIG or b"Lambda" in config:
            return "keras", True, "a Keras model with a lambda layer, which is code"
        return "keras", False, ""
    return "", False, ""
