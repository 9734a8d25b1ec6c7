"""Tells the numbers that joblib writes between the opcodes of a pickle, and old torch behind them, apart.

A scanner of pickles stumbles over such numbers. Opcodes are followed with what they would put on a stack, as
far as that says where an array lies; none is run.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import IO, Any, Final

from modelspec.formats.pickled import MARK, Reading, effect, opcodes

_MODULE: Final = "joblib.numpy_pickle"
_WRAPPER: Final = "NumpyArrayWrapper"
_DTYPE: Final = ("numpy", "dtype")
_KIND: Final = re.compile(r"([biufcSVUmM])([0-9]{1,9})|(O)8?", re.ASCII)
_KEPT: Final = 64 * 1024 * 1024
"""So many bytes of opcodes are followed."""
_STEP: Final = 1024 * 1024
_TORCH: Final = re.compile(rb"\x80[\x02-\x05](?:\x95.{8})?\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19\.", re.DOTALL)
"""The first pickle of what torch wrote before 1.6, or writes without a zip: a number, as its mark."""
_BEHIND: Final = 4
"""So many pickles follow that mark: torch's protocol, the system, the object, its storages; then numbers."""
_TEXTS: Final = frozenset(["SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"])
_WHOLE: Final = frozenset(["BININT", "BININT1", "BININT2", "LONG1"])
_PUTS: Final = frozenset(["PUT", "BINPUT", "LONG_BINPUT"])
_GETS: Final = frozenset(["GET", "BINGET", "LONG_BINGET"])
_CONSTANTS: Final[dict[str, Any]] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_TUPLES: Final = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


@dataclass(frozen=True, slots=True)
class Woven:
    """The pickles of a file, each alone, and how many bytes of numbers lie between their opcodes."""

    pickles: tuple[bytes, ...]
    numbers: int


class _UnclearError(ValueError):
    """It is not, or not surely, what joblib writes."""


@dataclass(frozen=True, slots=True)
class _Named:
    module: str
    name: str


@dataclass(slots=True)
class _Made:
    """What something that is called gives."""

    of: Any
    arguments: Any
    state: Any = None


def unwoven(stream: Reading | IO[bytes]) -> Woven | None:
    """Return the opcodes of a file of joblib or old torch without the numbers; None where that is not sure.

    What the stream raises is raised.
    """
    kept = _Kept(stream)
    try:
        inner = _followed(kept, arrays=True)
        if _TORCH.fullmatch(kept.data):
            return _torch(kept)
    except (_UnclearError, ValueError, LookupError, TypeError, StopIteration, RecursionError):
        return None
    if kept.read(1):
        return None
    return Woven((bytes(kept.data), *inner), kept.passed - sum(map(len, inner)))


def _torch(kept: _Kept) -> Woven:
    ends = [len(kept.data)]
    for _ in range(_BEHIND):
        _followed(kept, arrays=False)
        ends.append(len(kept.data))
    pickles = tuple(bytes(kept.data[start:end]) for start, end in pairwise([0, *ends]))
    return Woven(pickles, sum(map(len, iter(lambda: kept.stream.read(_STEP), b""))))


class _Kept:
    """A stream whose bytes are kept, but for those that are passed over."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.data = bytearray()
        self.passed = 0

    def read(self, size: int = -1, /) -> bytes:
        if len(self.data) + size > _KEPT:
            raise _UnclearError
        return self._kept(self.stream.read(size) if size else b"")

    def readline(self, size: int = -1, /) -> bytes:
        return self._kept(self.stream.readline(_STEP))

    def _kept(self, found: bytes) -> bytes:
        self.data += found
        return found

    def over(self, size: int) -> None:
        """Pass over so many bytes, which have to be there."""
        self.passed += size
        while size:
            found = self.stream.read(min(size, _STEP))
            if not found:
                raise _UnclearError
            size -= len(found)


def _followed(kept: _Kept, *, arrays: bool) -> tuple[bytes, ...]:
    """Follow a pickle to its end; return those inside it, which joblib writes for arrays of objects."""
    machine = _Machine(kept, arrays)
    for opcode, argument in opcodes(kept):
        machine.step(opcode, argument)
        if opcode.name == "STOP":
            return tuple(machine.inner)
    raise _UnclearError


class _Machine:
    """A stack and a memo, of which only what describes an array is known."""

    def __init__(self, kept: _Kept, arrays: bool) -> None:
        self.kept = kept
        self.arrays = arrays
        self.inner: list[bytes] = []
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.frame = 0
        """Where the frame that is read ends: a loader has it in memory, and reads an array behind it."""

    def step(self, opcode: Any, argument: bytes) -> None:
        """Do what an opcode does to the stack."""
        name, stack = opcode.name, self.stack
        if name == "FRAME":
            self.frame = len(self.kept.data) + self.kept.passed + int.from_bytes(argument, "little")
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name == "EMPTY_DICT":
            stack.append({})
        elif name in _WHOLE:
            stack.append(int.from_bytes(argument, "little", signed=name in ("BININT", "LONG1")))
        elif name in _TEXTS:
            stack.append(argument.decode("utf-8", "surrogatepass"))
        elif name == "MEMOIZE":
            self.memo[len(self.memo)] = stack[-1]
        elif name in _PUTS | _GETS:
            key = int(argument) if name in ("PUT", "GET") else int.from_bytes(argument, "little")
            if name in _PUTS:
                self.memo[key] = stack[-1]
            else:
                stack.append(self.memo[key])
        elif name in ("TUPLE", "SETITEMS"):
            self._listed(name)
        elif name in _TUPLES:
            at = len(stack) - _TUPLES[name]
            stack[at:] = [tuple(stack[at:])]
        elif name == "SETITEM":
            value, key = stack.pop(), stack.pop()
            _set(stack[-1], key, value)
        elif name in ("GLOBAL", "STACK_GLOBAL"):
            self._named(argument if name == "GLOBAL" else None)
        elif name in ("REDUCE", "NEWOBJ"):
            arguments, called = stack.pop(), stack.pop()
            stack.append(_Made(called, arguments))
        elif name == "BUILD":
            self._build()
        elif not effect(stack, opcode):
            raise _UnclearError

    def _listed(self, name: str) -> None:
        at = len(self.stack) - 1 - next(i for i, one in enumerate(reversed(self.stack)) if one is MARK)
        above = self.stack[at + 1 :]
        del self.stack[at:]
        if name == "TUPLE":
            self.stack.append(tuple(above))
        else:
            for key, value in zip(above[::2], above[1::2], strict=True):
                _set(self.stack[-1], key, value)

    def _named(self, lines: bytes | None) -> None:
        if lines is not None:
            module, name = lines.decode("utf-8").split("\n")
        else:
            name, module = self.stack.pop(), self.stack.pop()
        if not isinstance(module, str) or not isinstance(name, str):
            raise _UnclearError
        # What else reads on its own: arrays in files of their own, or compressed, of old joblib.
        if module.startswith("joblib") and (module, name) != (_MODULE, _WRAPPER):
            raise _UnclearError
        self.stack.append(_Named(module, name))

    def _build(self) -> None:
        state, made = self.stack.pop(), self.stack[-1]
        if not isinstance(made, _Made):
            return
        made.state = state
        if made.of == _Named(_MODULE, _WRAPPER):
            if not self.arrays or not isinstance(state, dict):
                raise _UnclearError
            self._array(state)

    def _array(self, state: dict[Any, Any]) -> None:
        shape, dtype = state["shape"], state["dtype"]
        if self.frame > len(self.kept.data) + self.kept.passed:
            raise _UnclearError
        width = _width(dtype)
        if width is None:
            inside = _Kept(self.kept.stream)
            _followed(inside, arrays=False)
            self.kept.passed += len(inside.data)
            self.inner.append(bytes(inside.data))
            return
        if state.get("numpy_array_alignment_bytes") is not None:
            length = self.kept.stream.read(1)
            self.kept.passed += 1
            self.kept.over(length[0])
        if not all(type(one) is int and one >= 0 for one in shape):
            raise _UnclearError
        self.kept.over(math.prod(shape) * width)


def _set(target: Any, key: Any, value: Any) -> None:
    if isinstance(target, dict) and isinstance(key, str):
        target[key] = value


def _width(dtype: Any) -> int | None:
    """Return how many bytes a number of an array has; None for Python objects, which are a pickle in it."""
    if not isinstance(dtype, _Made) or dtype.of != _Named(*_DTYPE):
        raise _UnclearError
    match = _KIND.fullmatch(str(dtype.arguments[0]))
    if match is None:
        raise _UnclearError
    if match[3]:
        return None
    if match[1] == "V" and _holds_objects(dtype.state):
        raise _UnclearError
    return int(match[2]) * (4 if match[1] == "U" else 1)


def _holds_objects(node: Any) -> bool:
    """Whether a field of a record is, or may be, a Python object."""
    if isinstance(node, _Made):
        return not isinstance(node.arguments, tuple) or _width(node) is None or _holds_objects(node.state)
    if isinstance(node, dict):
        return any(map(_holds_objects, node.values()))
    return isinstance(node, tuple) and any(map(_holds_objects, node))
