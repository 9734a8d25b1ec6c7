"""Whether bytes are a pickle that would run something. Opcodes are read, and none is run."""

from __future__ import annotations

import pickle
import pickletools
import re
from collections.abc import Callable, Iterator
from typing import IO, Any, Final, Protocol

_MARK: Final = 0x80
"""The opcode that says a protocol: a pickle of protocol 2 and later begins with it."""
_PROTOCOL: Final = pickle.HIGHEST_PROTOCOL
_LATER: Final = _PROTOCOL + 3
"""What a later Python may write. Its opcodes are not known here, so they can't be followed."""
_NAMES: Final = re.compile(rb"[A-Za-z_][A-Za-z0-9_.]*")
_TEXTS: Final = {
    "INT": re.compile(rb"\s*[-+]?[0-9][0-9A-Za-z_]*\s*|"),
    "LONG": re.compile(rb"\s*[-+]?[0-9][0-9A-Za-z_]*\s*L?"),
    "FLOAT": re.compile(rb"\s*[-+]?[0-9A-Za-z_.+-]+\s*"),
    "STRING": re.compile(rb"\"[^\n]*\"|'[^\n]*'"),
    "GET": re.compile(rb"\s*[-+]?[0-9][0-9_]*\s*"),
    "PUT": re.compile(rb"\s*[-+]?[0-9][0-9_]*\s*"),
}
"""What a line after an opcode has to be at least. The loader in C reads numbers up to a zero, in any base,
and takes nothing at all for one."""
_OPCODES: Final = {one.code: one for one in pickletools.opcodes}
_LENGTHS: Final = {
    pickletools.TAKEN_FROM_ARGUMENT1: 1,
    pickletools.TAKEN_FROM_ARGUMENT4: 4,
    pickletools.TAKEN_FROM_ARGUMENT4U: 4,
    pickletools.TAKEN_FROM_ARGUMENT8U: 8,
}
_RUNS: Final = frozenset(["REDUCE", "BUILD", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX"])
_ENDS: Final = _RUNS | {"STOP"}
_IMPORTS: Final = frozenset(["GLOBAL", "STACK_GLOBAL", "EXT1", "EXT2", "EXT4"])
MARK: Final = object()
"""On a stack, what an opcode takes everything above of."""
_VALUE: Final = object()
_MAX_OPCODES: Final = 100_000
_MAX_BYTES: Final = 16 * 1024 * 1024


class Reading(Protocol):
    """What can be read from its beginning, once."""

    def read(self, size: int = -1, /) -> bytes:
        """Return up to so many bytes."""
        ...

    def readline(self, size: int = -1, /) -> bytes:
        """Return a line, or so many bytes of it."""
        ...


def runs_code(stream: Reading | IO[bytes], most: int = _MAX_BYTES) -> bool:
    """Whether a loader would take what a stream gives for a pickle that runs something.

    What begins with the mark of a protocol, as all pickles have from 2 on, is one when it calls, imports,
    reaches its end or is cut off: it is something else, such as numbers of which the first byte happens to
    be 128, only where a byte is reached that no loader has an opcode for. Older protocols have no mark and
    look like text: their opcodes are followed as far as a loader's stack would bear them, and it is one when
    something is called, or imported and kept. It is also one when there are more opcodes or bytes (`most`)
    than are followed, and when something is read across the end of a frame.

    What the stream raises is raised.
    """
    bounded = _Bounded(stream, most)
    head = bounded.peek(3)
    marked = len(head) > 1 and head[0] == _MARK and head[1] <= _LATER
    if marked and head[1] > _PROTOCOL:
        # A zero is no opcode, and begins the rest of many a length.
        return head[2:] != b"\0"
    stack: list[Any] = []
    imported = False
    frame = _Frame()
    for count, (opcode, argument) in enumerate(opcodes(bounded, checked=not marked)):
        if frame.left(bounded.at) or (opcode.name == "FRAME" and frame.entered(argument)):
            return True
        imports = opcode.name in _IMPORTS
        # Behind a mark no stack is trusted to say that a loader stops.
        if count > _MAX_OPCODES or (marked and (imports or opcode.name in _ENDS)):
            return True
        if not marked and not effect(stack, opcode):
            return False
        if opcode.name in _RUNS:
            return True
        if opcode.name == "GLOBAL" and not all(map(_NAMES.fullmatch, argument.split(b"\n"))):
            return False
        imported = imported or imports
        if opcode.name == "STOP":
            return imported
    return bounded.spent or frame.left(bounded.at) or (marked and bounded.ended)


def opcodes(stream: Reading, *, checked: bool = True) -> Iterator[tuple[Any, bytes]]:
    """Yield opcodes with their arguments as bytes, as far as they are any.

    `checked`: ends at a line that is none of its opcode's, such as a number that no loader reads.
    `pickletools.genops` decodes arguments, and stops at what a loader with another encoding takes.
    """
    while (opcode := _OPCODES.get(stream.read(1).decode("latin-1"))) is not None:
        kind = opcode.arg.n if opcode.arg is not None else 0
        if kind == pickletools.UP_TO_NEWLINE:
            lines = [stream.readline() for _ in range(2 if opcode.name in ("GLOBAL", "INST") else 1)]
            whole = all(line.endswith(b"\n") for line in lines)
            argument = b"\n".join(line[:-1] for line in lines)
            text = _TEXTS.get(opcode.name)
            read = argument if opcode.name == "STRING" else argument.split(b"\0")[0]
            if not whole or (checked and text is not None and not text.fullmatch(read)):
                return
        else:
            if kind in _LENGTHS:
                kind = int.from_bytes(stream.read(_LENGTHS[kind]), "little")
            argument = stream.read(kind)
            if len(argument) < kind:
                return
        yield opcode, argument


class _Frame:
    """Where the frame ends that is read.

    The loader in C forgets what it had of one when it reads across that end, and others go on as if there
    were none: nobody can say which opcodes follow.
    """

    def __init__(self) -> None:
        self._at = self._end = 0

    def left(self, at: int) -> bool:
        """Whether it was read across its end, up to `at`."""
        across = self._at < self._end < at
        self._at = at
        return across

    def entered(self, length: bytes) -> bool:
        """Begin one; whether it reaches out of the one that it is in. One inside has no end of its own."""
        end = self._at + int.from_bytes(length, "little")
        out = self._at < self._end < end
        self._end = max(self._end, end)
        return out


class _Bounded:
    """A stream of which so many bytes are read; notes when it has more (`spent`), and no more (`ended`)."""

    def __init__(self, stream: Reading | IO[bytes], most: int) -> None:
        self._stream = stream
        self._left = most
        self._head = b""
        self.at = 0
        self.spent = False
        self.ended = False

    def peek(self, size: int) -> bytes:
        self._head = self._take(self._stream.read, size)
        return self._head

    def read(self, size: int = -1, /) -> bytes:
        held, self._head = self._head[:size], self._head[size:]
        found = held + self._take(self._stream.read, size - len(held))
        self.ended = self.ended or len(found) < size
        self.at += len(found)
        return found

    def readline(self, size: int = -1, /) -> bytes:
        held, newline, self._head = self._head.partition(b"\n")
        found = held + (newline or self._take(self._stream.readline, self._left))
        self.ended = self.ended or not found.endswith(b"\n")
        self.at += len(found)
        return found

    def _take(self, source: Callable[[int], bytes], size: int) -> bytes:
        # What is longer than the rest of the file ends the reading by itself.
        found = source(min(size, self._left)) if size else b""
        self._left -= len(found)
        self.spent = self.spent or (self._left == 0 and size > 0)
        return found


def effect(stack: list[Any], opcode: Any) -> bool:
    """Do to a stack of marks and values what an opcode does; False where a loader would stop.

    What comes onto it is a value of which nothing is known.
    """
    before, after = opcode.stack_before, opcode.stack_after
    if opcode.name == "POP" and stack and stack[-1] is MARK:
        # It takes a mark away as well.
        stack.pop()
        return True
    if pickletools.markobject in before:
        if not any(one is MARK for one in reversed(stack)):
            return False
        while stack.pop() is not MARK:
            pass
        before = before[: before.index(pickletools.markobject)]
    if len(stack) < len(before) or any(one is MARK for one in stack[len(stack) - len(before) :]):
        return False
    del stack[len(stack) - len(before) :]
    stack.extend(MARK if one is pickletools.markobject else _VALUE for one in after)
    return True
