"""The schema of a Parquet, Arrow or Feather file, read from its footer; and the columns of a sample.

pyarrow reads it (the extra `modelspec-gitops[arrow]`), imported only here and only then.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any, BinaryIO, Final, TypeVar

from modelspec.formats.foreign import Draft, Imported, Unreadable, words
from modelspec.tree.data import Data
from modelspec.tree.finding import Refusal
from modelspec.tree.text import visible

PARQUET: Final = b"PAR1"
ARROW: Final = b"ARROW1\0\0"
STREAM: Final = b"\xff\xff\xff\xff"
MAX_FOOTER: Final = 64 * 1024 * 1024
"""The most bytes of a footer: it is read into memory, and lists each column of each group of rows."""
_MAX_DEPTH: Final = 32
_MAX_STEPS: Final = 50_000
_TIMES: Final = {"time32", "time64", "duration"}
_NAMES: Final = {"halffloat": "float16", "float": "float32", "double": "float64", "bool": "bool"}
_WHOLE: Final = frozenset(["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"])

T = TypeVar("T")


def pyarrow() -> ModuleType:
    """Return pyarrow, with `parquet` and `ipc`; a refusal names the extra where it is not installed."""
    try:
        import pyarrow as found
        import pyarrow.ipc
        import pyarrow.parquet
    except ImportError:
        raise Refusal(
            "Parquet, Arrow and Feather files need pyarrow, which is not installed",
            "pip install 'modelspec-gitops[arrow]'",
        ) from None
    module: ModuleType = found
    return module


def from_arrow(stream: BinaryIO) -> Imported:
    """Return the columns of a file as fields, from its footer (of a stream: its first message)."""
    schema, what = read_schema(stream)
    # Names are decoded when they are asked for.
    return read(lambda _: _Reading(what).run(schema))


def read_schema(stream: BinaryIO) -> tuple[Any, str]:
    """Return the schema of a Parquet, Arrow or Feather file as pyarrow has it, and the kind of file."""
    stream.seek(0)
    head = stream.read(8)
    if head.startswith(PARQUET):
        return read(lambda pa: parquet(pa, stream).schema_arrow), "a Parquet file"
    if head == ARROW:
        _footer(stream, 6, b"ARROW1")
        stream.seek(0)
        return read(lambda pa: pa.ipc.open_file(pa.PythonFile(stream, mode="r")).schema), "an Arrow file"
    if head.startswith(STREAM):
        length = int.from_bytes(head[4:], "little")
        if not 0 < length <= MAX_FOOTER:
            raise Unreadable(f"its schema announces {length:,} bytes")
        stream.seek(0)
        return read(lambda pa: pa.ipc.open_stream(pa.PythonFile(stream, mode="r")).schema), "an Arrow stream"
    raise Unreadable("it is no Parquet, Arrow or Feather file")


def parquet(pa: Any, stream: BinaryIO) -> Any:
    """Open a Parquet file: its footer is read and nothing else."""
    _footer(stream, 4, PARQUET)
    stream.seek(0)
    return pa.parquet.ParquetFile(
        pa.PythonFile(stream, mode="r"),
        thrift_string_size_limit=MAX_FOOTER,
        thrift_container_size_limit=1_000_000,
    )


def read(reads: Callable[[Any], T]) -> T:
    """Call pyarrow; what it says of a broken file becomes Unreadable."""
    pa = pyarrow()
    try:
        return reads(pa)
    except (pa.lib.ArrowException, OSError, ValueError, OverflowError, UnicodeDecodeError) as error:
        if isinstance(error, pa.lib.ArrowMemoryError):
            raise
        told = " ".join(str(error).split())
        raise Unreadable(f"pyarrow can't read it: {visible(told, 160)}") from None


def _footer(stream: BinaryIO, signs: int, magic: bytes) -> None:
    """Judge the footer's length, which is read into memory, before anybody believes it."""
    size = stream.seek(0, 2)
    if size < 2 * signs + 4:
        raise Unreadable("it ends before its footer: the file is cut")
    stream.seek(size - signs - 4)
    tail = stream.read(signs + 4)
    if tail[4:] != magic:
        raise Unreadable("it does not end as it begins: the file is cut, or still being written")
    length = int.from_bytes(tail[:4], "little", signed=True)
    if not 0 < length <= min(MAX_FOOTER, size - signs - 4):
        raise Unreadable(f"its footer announces {length:,} bytes, of a file of {size:,}")


class _Reading:
    """One schema and the draft that is made of it."""

    def __init__(self, what: str) -> None:
        self._draft = Draft(what)
        self._steps = 0

    def run(self, schema: Any) -> Imported:
        kept = {key for key in schema.metadata or {} if key not in (b"pandas", b"ARROW:schema")}
        if kept:
            listed = words(key.decode("utf-8", "replace") for key in sorted(kept))
            self._draft.note(None, f"the file's metadata under {listed} is not read")
        for field in schema:
            self._field(field.name, field, nullable=False, depth=0)
        return self._draft.finish()

    def _field(self, name: str, field: Any, *, nullable: bool, depth: int) -> None:
        self._steps += 1
        if depth > _MAX_DEPTH or self._steps > _MAX_STEPS:
            raise Unreadable("its structs are nested too deep, or are too many")
        dtype, nullable = field.type, nullable or field.nullable
        shape: list[Data] = []
        while (inner := item(dtype)) is not None:
            size, value = inner
            shape.append(size)
            if value.nullable and len(shape) == 1:
                self._draft.note(None, f"an item of {visible(name)} may be null, which nothing here can say")
            dtype = value.type
            if len(shape) > _MAX_DEPTH:
                raise Unreadable(f"{visible(name)} is a list in more than {_MAX_DEPTH} lists")
        kind = str(dtype)
        if kind.startswith("struct<"):
            if shape:
                self._draft.lost(name, "it is a list of structs")
                return
            self._draft.note(None, f"the fields of the struct {visible(name)} are fields of their own here")
            for child in dtype:
                self._field(f"{name}.{child.name}", child, nullable=nullable, depth=depth + 1)
            return
        found = dtype_of(dtype)
        if found is None:
            self._draft.lost(name, f"no field is {visible(kind.split('<')[0], 60)}")
            return
        ours, keys, told = found
        called = self._draft.add(name, ours, shape=shape, nullable=nullable, **keys)
        if told:
            self._draft.note(called, told)
        metadata = {key for key in field.metadata or {} if not key.startswith((b"PARQUET:", b"ARROW:"))}
        if metadata:
            listed = words(key.decode("utf-8", "replace") for key in sorted(metadata))
            self._draft.note(called, f"its metadata under {listed} is not read")


def item(dtype: Any) -> tuple[int, Any] | None:
    """Return the size (-1: it varies) and the field of the items of a list type, or None for another type."""
    kind = str(dtype)
    if kind.startswith("fixed_size_list<"):
        return dtype.list_size, dtype.value_field
    if kind.startswith(("list<", "large_list<", "list_view<", "large_list_view<")):
        return -1, dtype.value_field
    return None


def dtype_of(dtype: Any) -> tuple[str, dict[str, Data], str] | None:
    """Return our type of an Arrow type, further keys of the field, and what is lost; None: it has none."""
    kind = str(dtype)
    if kind in _WHOLE:
        return kind, {}, ""
    if kind in _NAMES:
        return _NAMES[kind], {}, ""
    if kind.startswith("extension<"):
        found = dtype_of(dtype.storage_type) if item(dtype.storage_type) is None else None
        return None if found is None else (*found[:2], f"its extension type {visible(kind, 60)} is not kept")
    if kind in ("string", "large_string", "string_view"):
        return "string", {}, ""
    if kind in ("binary", "large_binary", "binary_view"):
        return "bytes", {}, ""
    if kind.startswith("fixed_size_binary"):
        return "bytes", {}, f"is always {dtype.byte_width} bytes long, which nothing here says"
    if kind.startswith("decimal"):
        if dtype.scale < 0:
            return None
        return "decimal", {"precision": dtype.precision, "scale": dtype.scale}, ""
    if kind.startswith("date"):
        return "date", {}, ""
    if kind.startswith("timestamp"):
        return "timestamp", {"tz": dtype.tz} if dtype.tz else {}, ""
    if kind.split("[")[0] in _TIMES:
        whole = "int32" if kind.startswith("time32") else "int64"
        told = "a duration" if kind.startswith("duration") else "a time of day"
        return whole, {"unit": dtype.unit}, f"is {told}, counted in {dtype.unit}"
    if kind.startswith("dictionary<"):
        found = dtype_of(dtype.value_type)
        told = "is dictionary-encoded: its categories are in the data, not in the schema (`--from sample`)"
        return None if found is None else (found[0], found[1], told)
    if kind.startswith("run_end_encoded<"):
        return dtype_of(dtype.value_type)
    return None
