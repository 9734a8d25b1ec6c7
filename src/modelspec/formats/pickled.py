"""Whether bytes are a pickle that would run something. Opcodes are read with `pickletools`; none is run."""

from __future__ import annotations

import io
import pickletools
import re
from typing import Final

_MARKED: Final = re.compile(rb"\x80[\x00-\xff]")
_RUNS: Final = frozenset(
    ["GLOBAL", "STACK_GLOBAL", "REDUCE", "BUILD", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "EXT1", "EXT2",
     "EXT4", "PERSID", "BINPERSID"]
)  # fmt: skip
_MAX_OPCODES: Final = 100_000


def runs_code(head: bytes) -> bool:
    """Whether a loader would take these first bytes of a file for a pickle that may run something.

    Whatever begins with the mark of a protocol (2 and later) is one, whole or not: a loader obeys what
    comes before the damage. Older protocols have no mark, so their opcodes are looked for.
    """
    if _MARKED.match(head):
        return True
    try:
        for count, (opcode, _, _) in enumerate(pickletools.genops(io.BytesIO(head))):
            if opcode.name in _RUNS:
                return True
            if count > _MAX_OPCODES:
                return True
    except Exception:
        # Its parser raises whatever the bytes make it raise.
        return False
    return False
