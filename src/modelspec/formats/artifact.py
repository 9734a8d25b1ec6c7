"""What a file of an artifact is, told by its first bytes and never by its name; nothing is loaded.

What can't be told apart from something that runs code when it is loaded is taken for it: a scanner of
formats that fails open is no scanner.
"""

from __future__ import annotations

import io
import re
import tarfile
import zipfile
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import IO, BinaryIO, Final

from modelspec.formats import arrays, boosters, keras, onnx, safetensors, skops
from modelspec.formats.compressed import COMPRESSED, DecompressionError, decompressed
from modelspec.formats.foreign import Unreadable
from modelspec.formats.pickled import runs_code
from modelspec.formats.zipped import detect_zip, is_zip
from modelspec.tree.data import Data

HEAD: Final = 64 * 1024
_DEPTH: Final = 4
"""How often a file may be compressed."""
_COMPRESSED_OTHERWISE: Final = re.compile(rb"\x04\x22\x4d\x18|ZF0x|\x28\xb5\x2f\xfd")
"""What joblib compresses with as well, and can't be looked into here: lz4, its own old format, zstd."""
_HDF5: Final = b"\x89HDF\r\n\x1a\n"
_TAR: Final = 512
TOLD: Final = frozenset(["catboost", "gguf", "keras", "lightgbm", "onnx", "safetensors", "skops"])
"""The formats that bytes always tell; old xgboost and torch have forms that they don't."""
Opened = Callable[[], AbstractContextManager[IO[bytes]]]
"""Opens a stream, from its beginning each time."""


@dataclass(frozen=True, slots=True)
class Detected:
    """One file: its format ("" for what is no model, such as a configuration), whether loading it runs code.

    `why` says in words what makes it unsafe; `observed` is what its bytes say of the model; `beside` are the
    files without which it is not whole, as it names them from its own folder.
    """

    format: str = ""
    unsafe: bool = False
    why: str = ""
    observed: dict[str, Data] = field(default_factory=dict)
    beside: tuple[str, ...] = ()

    def places(self, path: str) -> dict[str, str]:
        """Return name -> path of the files that it needs beside it, at `path`: none lies above its folder."""
        folder = path.split("/")[:-1]
        return {
            name: "/".join([*folder, *(part for part in name.split("/") if part not in ("", "."))])
            for name in self.beside
            # Beneath its own folder, as an engine demands.
            if not name.startswith("/")
        }

    def lacking(self, path: str, paths: Collection[str]) -> list[str]:
        """Return which files it needs beside it, at `path`, that are none of these."""
        places = self.places(path)
        return [name for name in self.beside if places.get(name) not in paths]


def model_of(found: Sequence[tuple[str, Detected]], form: str) -> tuple[str, Detected] | None:
    """Return which of an artifact's files is the model: the only one of its format, or the only one."""
    fit = [one for one in found if one[1].format == form]
    return fit[0] if len(fit) == 1 else found[0] if len(found) == 1 else None


_NO_MODEL: Final = Detected()
"""One for all: a fork that has looked at thousands sends it once."""


def detect(stream: BinaryIO) -> Detected:
    """Return what a seekable stream is; raises Unreadable for a format that its own bytes contradict.

    At most its header is read, except of HDF5, which is searched for code.
    """
    stream.seek(0)
    head = stream.read(HEAD)
    # First what runs code, whatever else it may be: a few bytes of a mark are an opcode's argument as well.
    if _runs_code(stream, head):
        return _unsafe("a pickle")
    if _is_tar(head):
        return _unsafe("a tar archive, as old torch has")
    for begins, read in _READERS:
        if begins(head):
            return read(stream)
    found = _compressed(partial(_again, stream), head)
    if found is not None:
        return found
    found = _onnx(stream, head)
    if found is not None:
        return found
    if is_zip(stream):
        return zip_files(stream)
    return _hdf5_behind(stream, head) or _NO_MODEL


def zip_files(stream: BinaryIO) -> Detected:
    """Return what a zip archive is, by its members' names and first bytes."""
    name, unsafe, why = detect_zip(stream, _inside)
    if name != "skops":
        return Detected(name, unsafe, why)
    try:
        with zipfile.ZipFile(stream) as archive:
            return Detected(name, observed=skops.observed(archive))
    except Exception:
        # Its members' first bytes could be read, and not all of this one.
        return _unsafe("an archive that can't be read, which others may read differently", "zip")


def _runs_code(stream: BinaryIO, head: bytes) -> bool:
    """Whether a stream that begins so runs code; most say by their first byte that they don't."""
    if not runs_code(io.BytesIO(head), len(head)):
        return False
    stream.seek(0)
    return runs_code(stream)


def _again(stream: BinaryIO) -> AbstractContextManager[IO[bytes]]:
    stream.seek(0)
    return nullcontext(stream)


def _inside(opened: Opened) -> bool:
    """Whether what lies in an archive runs code."""
    with opened() as stream:
        head = stream.read(HEAD)
    found = _compressed(opened, head)
    return found.unsafe if found is not None else _bare(opened, head)


def _bare(opened: Opened, head: bytes) -> bool:
    """Whether what is not compressed runs code."""
    if head.startswith(arrays.MAGIC):
        return arrays.has_objects(head)
    if _is_tar(head):
        return True
    with opened() as stream:
        return runs_code(stream)


def _unsafe(why: str, name: str = "pickle") -> Detected:
    return Detected(name, True, why)


def _compressed(opened: Opened, head: bytes, deeper: int = _DEPTH) -> Detected | None:
    """Return what a compressed file holds; what can't be seen is unsafe. None for what is not compressed."""
    if _COMPRESSED_OTHERWISE.match(head):
        return _unsafe("compressed, as joblib compresses pickles", "joblib")
    for pattern, decompressor in COMPRESSED:
        if pattern.match(head) is None:
            continue
        content = partial(decompressed, opened, decompressor)
        try:
            with content() as stream:
                inside = stream.read1(HEAD)
            if inside.startswith(b"PK"):
                return _unsafe("a compressed archive, which was not looked into", "zip")
            if not deeper:
                return _unsafe("compressed again and again, and was not looked into")
            again = _compressed(content, inside, deeper - 1)
            if again is not None:
                return again
            if _bare(content, inside):
                return _unsafe("a compressed pickle", "joblib")
        except DecompressionError as error:
            # Two bytes are little: a text may begin with `x^`.
            weak = head[:1] in (b"x", b"]") and not error.begun
            return None if weak else _unsafe("compressed, and can't be looked into")
        return Detected()
    return None


def _is_tar(head: bytes) -> bool:
    """Whether a tar archive begins here, by the sum of its header: the oldest kind has no mark."""
    try:
        tarfile.TarInfo.frombuf(head[:_TAR], "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError):
        return False
    return True


def _array(stream: BinaryIO) -> Detected:
    stream.seek(0)
    if arrays.has_objects(stream.read(HEAD)):
        return _unsafe("an array of Python objects, which are pickled")
    return Detected()


def _hdf5(stream: BinaryIO) -> Detected:
    stream.seek(0)
    code = keras.code_in_hdf5(stream)
    return Detected("keras") if code is None else _unsafe(f"a Keras model with {code}", "keras")


def _hdf5_behind(stream: BinaryIO, head: bytes) -> Detected | None:
    """Return what HDF5 is that lies behind a block of the user's: of 512 bytes, or of a multiple by two."""
    at, size = 512, len(head)
    while at < size:
        if at < len(head):
            found = head.startswith(_HDF5, at)
        else:
            stream.seek(at)
            found = stream.read(len(_HDF5)) == _HDF5
        if found:
            return _hdf5(stream)
        at *= 2
        if at == HEAD:
            size = stream.seek(0, io.SEEK_END)
    return None


def _safetensors(stream: BinaryIO) -> Detected:
    return Detected("safetensors", observed=safetensors.observed(stream))


def _lightgbm(stream: BinaryIO) -> Detected:
    return Detected("lightgbm", observed=boosters.from_lightgbm(stream))


def _xgboost(stream: BinaryIO) -> Detected:
    return Detected("xgboost", observed=boosters.from_xgboost(stream))


def _onnx(stream: BinaryIO, head: bytes) -> Detected | None:
    # The version of the representation comes first in every writer that is known.
    if not head.startswith(b"\x08"):
        return None
    try:
        graph = onnx.read_graph(stream)
    except Unreadable:
        if b"ir_version" in head or re.match(rb"\x08[\x01-\x20][\x12\x1a\x22\x3a]", head):
            raise
        return None
    return Detected("onnx", observed=onnx.observed(graph), beside=graph.beside)


_READERS: Final[tuple[tuple[Callable[[bytes], bool], Callable[[BinaryIO], Detected]], ...]] = (
    (lambda head: head.startswith(b"PK"), zip_files),
    (lambda head: head.startswith(_HDF5), _hdf5),
    (lambda head: head.startswith(arrays.MAGIC), _array),
    (safetensors.begins, _safetensors),
    (lambda head: head.startswith(b"GGUF"), lambda _: Detected("gguf")),
    (lambda head: head.startswith(b"CBM1"), lambda _: Detected("catboost")),
    (boosters.is_lightgbm, _lightgbm),
    (boosters.is_xgboost, _xgboost),
)
