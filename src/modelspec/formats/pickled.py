"""Whether bytes are a pickle that would run something. Opcodes are read with `pickletools`; none is run."""

from __future__ import annotations

import io
import pickletools
import re
from typing import Any, Final

_MARKED: Final = re.compile(rb"\x80[\x00-\xff]")
_NAMES: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.]* [A-Za-z_][A-Za-z0-9_.]*")
_RUNS: Final = frozenset(["REDUCE", "BUILD", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX"])
_IMPORTS: Final = frozenset(["GLOBAL", "STACK_GLOBAL", "EXT1", "EXT2", "EXT4"])
_MAX_OPCODES: Final = 100_000


def runs_code(head: bytes) -> bool:
    """Whether a loader would take these first bytes of a file for a pickle that runs something.

    Whatever begins with the mark of a protocol (2 and later) is one, whole or not: a loader obeys what
    comes before the damage. Older protocols have no mark and look like text, so their opcodes are followed
    as far as a loader's stack would bear them: it is one when something is called, or imported and kept.
    """
    if _MARKED.match(head):
        return True
    stack: list[bool] = []
    imported = False
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(io.BytesIO(head))):
            if not _step(stack, opcode) or count > _MAX_OPCODES:
                return count > _MAX_OPCODES
            if opcode.name in _RUNS:
                return True
            if opcode.name == "GLOBAL" and _NAMES.fullmatch(str(argument)) is None:
                return False
            imported = imported or opcode.name in _IMPORTS
            if opcode.name == "STOP":
                return imported
    except Exception:
        # Its parser raises whatever the bytes make it raise; nothing was called up to here.
        return False
    return False


def _step(stack: list[bool], opcode: Any) -> bool:
    """Do to a stack of marks (True) and values what an opcode does; False where a loader would stop."""
    before, after = opcode.stack_before, opcode.stack_after
    if pickletools.markobject in before:
        if True not in stack:
            return False
        while not stack.pop():
            pass
        before = before[: before.index(pickletools.markobject)]
    if len(stack) < len(before) or any(stack[len(stack) - len(before) :]):
        return False
    del stack[len(stack) - len(before) :]
    stack.extend(one is pickletools.markobject for one in after)
    return True
