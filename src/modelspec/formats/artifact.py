"""What a file of an artifact is, told by its first bytes and never by its name; nothing is loaded.

What can't be told apart from something that runs code when it is loaded is taken for it: a scanner of
formats that fails open is no scanner.
"""

from __future__ import annotations

import bz2
import lzma
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final

from modelspec.formats import boosters, onnx, safetensors
from modelspec.formats.foreign import Unreadable
from modelspec.formats.pickled import runs_code
from modelspec.formats.zipped import zip_told
from modelspec.tree.data import Data

HEAD: Final = 64 * 1024
_PACKED: Final[tuple[tuple[re.Pattern[bytes], Callable[[], Any]], ...]] = (
    (re.compile(rb"\x1f\x8b"), lambda: zlib.decompressobj(31)),
    (re.compile(rb"x[\x01\x5e\x9c\xda]"), zlib.decompressobj),
    (re.compile(rb"BZh"), bz2.BZ2Decompressor),
    (re.compile(rb"\xfd7zXZ|\x5d\x00\x00"), lzma.LZMADecompressor),
)
"""What joblib packs a pickle with; lz4 and its old own format are below."""
_PACKED_OTHERWISE: Final = re.compile(rb"\x04\x22\x4d\x18|ZF0x|\x28\xb5\x2f\xfd")
_TAR: Final = 257
_LAMBDA: Final = b"Lambda"


@dataclass(frozen=True, slots=True)
class Told:
    """One file: its format ("" for what is no model, such as a configuration), whether loading it runs code.

    `why` says in words what makes it unsafe; `observed` is what its bytes say of the model.
    """

    format: str = ""
    unsafe: bool = False
    why: str = ""
    observed: dict[str, Data] = field(default_factory=dict)


def told(stream: BinaryIO) -> Told:
    """Return what a seekable stream is; raises Unreadable for a format that its own bytes contradict.

    At most its header is read, except of HDF5, which is searched for lambda layers.
    """
    stream.seek(0)
    head = stream.read(HEAD)
    for begins, read in _READERS:
        if begins(head):
            return read(stream)
    if head[_TAR : _TAR + 5] == b"ustar":
        return _unsafe("a tar archive, as old torch has")
    if runs_code(head):
        return _unsafe("a pickle")
    packed = _packed(head)
    if packed is not None:
        return packed
    return _onnx(stream, head) or Told()


def zip_files(stream: BinaryIO) -> Told:
    """Return what a zip archive is, by its members' names and first bytes."""
    name, unsafe, why = zip_told(stream, lambda data: told_bytes(data).unsafe)
    return Told(name, unsafe, why)


def told_bytes(head: bytes) -> Told:
    """Return what the beginning of a file says that lies in an archive: whether it runs code."""
    if head.startswith(b"\x93NUMPY"):
        return _numpy(head)
    if runs_code(head):
        return _unsafe("a pickle")
    return _packed(head) or Told()


def _unsafe(why: str, name: str = "pickle") -> Told:
    return Told(name, True, why)


def _packed(head: bytes) -> Told | None:
    """Return what is inside a packed file, from its first bytes alone; what can't be seen is unsafe."""
    if _PACKED_OTHERWISE.match(head):
        return _unsafe("packed, as joblib packs pickles", "joblib")
    for pattern, unpacker in _PACKED:
        if pattern.match(head) is None:
            continue
        try:
            inside = unpacker().decompress(head, 4096)
        except (zlib.error, OSError, EOFError, lzma.LZMAError, ValueError):
            # Two bytes are little: a text may begin with `x^`.
            return None if head[:1] == b"x" else _unsafe("packed, and can't be looked into")
        if runs_code(inside):
            return _unsafe("a packed pickle", "joblib")
        return Told()
    return None


def _numpy(head: bytes) -> Told:
    """An array of objects holds a pickle; the header says so in `descr`."""
    text = head[:4096].split(b"\n", 1)[0]
    match = re.search(rb"'descr':\s*'([^']*)'", text)
    if match is None or b"O" in match[1]:
        return _unsafe("an array of Python objects, which are pickled")
    return Told()


def _array(stream: BinaryIO) -> Told:
    stream.seek(0)
    return _numpy(stream.read(HEAD))


def _hdf5(stream: BinaryIO) -> Told:
    stream.seek(0)
    tail = b""
    while chunk := stream.read(1024 * 1024):
        if _LAMBDA in tail + chunk:
            return _unsafe("a Keras model with a lambda layer, which is code", "keras")
        tail = chunk[-len(_LAMBDA) :]
    return Told("keras")


def _safetensors(stream: BinaryIO) -> Told:
    return Told("safetensors", observed=safetensors.observed(stream))


def _lightgbm(stream: BinaryIO) -> Told:
    return Told("lightgbm", observed=boosters.from_lightgbm(stream))


def _xgboost(stream: BinaryIO) -> Told:
    return Told("xgboost", observed=boosters.from_xgboost(stream))


def _onnx(stream: BinaryIO, head: bytes) -> Told | None:
    # The version of the representation comes first in every writer that is known.
    if not head.startswith(b"\x08"):
        return None
    try:
        graph = onnx.read_graph(stream)
    except Unreadable:
        if b"ir_version" in head or re.match(rb"\x08[\x01-\x20][\x12\x1a\x22\x3a]", head):
            raise
        return None
    return Told("onnx", observed=onnx.observed(graph))


_READERS: Final[tuple[tuple[Callable[[bytes], bool], Callable[[BinaryIO], Told]], ...]] = (
    (lambda head: head.startswith(b"PK"), zip_files),
    (lambda head: head.startswith(b"\x89HDF\r\n\x1a\n"), _hdf5),
    (lambda head: head.startswith(b"\x93NUMPY"), _array),
    (safetensors.begins, _safetensors),
    (lambda head: head.startswith(b"GGUF"), lambda _: Told("gguf")),
    (lambda head: head.startswith(b"CBM1"), lambda _: Told("catboost")),
    (boosters.is_lightgbm, _lightgbm),
    (boosters.is_xgboost, _xgboost),
)
