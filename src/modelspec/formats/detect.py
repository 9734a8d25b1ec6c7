"""Which format a file has, told by its bytes; and reading it as that."""

from __future__ import annotations

import re
from typing import Any, BinaryIO, Final

from modelspec.formats import arrow, avro, feast, huggingface, jsonschema, mlflow, onnx, sample, tfdv
from modelspec.formats.foreign import FORMS, Form, Imported, Unreadable
from modelspec.formats.looseyaml import read_yaml
from modelspec.formats.protobuf import BYTES, VARINT, Wire
from modelspec.formats.strictjson import LIMIT, read_json
from modelspec.tree.text import visible

_NEVER: Final = (
    (re.compile(rb"\x80[\x02-\x05]"), "a pickle, which is never read: loading one runs what it says"),
    (re.compile(rb"PK\x03\x04"), "a zip archive, which is not unpacked here"),
    (re.compile(rb"\x1f\x8b"), "gzip, which is not unpacked here"),
    (re.compile(rb"(?:BZh|\xfd7zXZ|\x28\xb5\x2f\xfd)"), "compressed, and not unpacked here"),
    (re.compile(rb"\x89HDF"), "HDF5, which is not read here"),
    (re.compile(rb"PARE"), "an encrypted Parquet file"),
    (re.compile(rb"FEA1"), "Feather version 1: write it again as version 2"),
    (re.compile(rb"\xff\xfe|\xfe\xff"), "UTF-16: save it as UTF-8"),
)
_TFDV: Final = re.compile(
    rb"(?:\s|#[^\n]*\n)*(?:(?:feature|sparse_feature|weighted_feature|string_domain|float_domain|int_domain)\s*:?\s*[{<]"
    rb"|default_environment\s*:)"
)
_YAML_KEY: Final = re.compile(rb"(?m)^([A-Za-z_]+):(?:\s|$)")
_UNTEXT: Final = re.compile(rb"[\x00-\x08\x0e-\x1f]")
_HEAD: Final = 64 * 1024


def imported(stream: BinaryIO, name: str, form: Form | None, wanted: str) -> Imported:
    """Read a seekable stream as a format, or as what its bytes say; raises Unreadable, or a Refusal.

    `name`: the file's own name, which tells Hugging Face's files apart; `wanted`: the view that is asked
    for, which chooses among several things in one file.
    """
    stream.seek(0)
    head = stream.read(_HEAD)
    if not head:
        raise Unreadable("it is empty")
    for pattern, what in _NEVER:
        if pattern.match(head):
            raise Unreadable(f"it is {what}")
    return _read(stream, name, form or detect(stream, name, head), wanted, head)


def detect(stream: BinaryIO, name: str, head: bytes) -> Form:
    """Return the format that the bytes have; raises Unreadable when they fit none, or several."""
    if name == huggingface.PREPROCESSOR or name in huggingface.TOKENIZER:
        return "huggingface"
    if head.startswith(avro.MAGIC):
        return "avro"
    if head.startswith((arrow.PARQUET, arrow.ARROW, arrow.STREAM)):
        return "arrow"
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if start[:1] in (b"{", b"["):
        return _json(read_json(_whole(stream)))
    if _UNTEXT.search(head):
        return _protobuf(stream)
    if _TFDV.match(head):
        return "tfdv"
    keys = set(_YAML_KEY.findall(head))
    if {b"flavors", b"signature", b"mlflow_version"} & keys:
        return "mlflow"
    if b"spec" in keys:
        return "feast"
    first = head.split(b"\n", 1)[0]
    if not keys and any(sign in first for sign in b",;\t|"):
        return "sample"
    if head[0] in (0x08, 0x0A):
        # A small message may have no byte that a text has not.
        return _protobuf(stream)
    raise Unreadable("nothing here knows its format", f"say what it is: --from {'|'.join(FORMS)}")


def _json(data: Any) -> Form:
    if isinstance(data, list):
        records = [one for one in data if isinstance(one, dict)]
        if any(one.get("type") == "record" for one in records):
            return "avro"
        if any("spec" in one for one in records):
            return "feast"
    elif isinstance(data, dict):
        found: list[Form] = []
        if data.get("type") in ("record", "error") and "fields" in data:
            found.append("avro")
        if isinstance(data.get("spec"), dict) or any(isinstance(data.get(key), list) for key in feast.LISTS):
            found.append("feast")
        if "$schema" in data or isinstance(data.get("properties"), dict):
            found.append("json-schema")
        if huggingface.is_preprocessor(data) or huggingface.tokenizer_file(data):
            found.append("huggingface")
        if len(found) == 1:
            return found[0]
        if found:
            raise Unreadable(f"it may be {' or '.join(found)}", f"say which: --from {'|'.join(found)}")
    raise Unreadable(
        "it is JSON, and no schema that is known here", f"say what it is: --from {'|'.join(FORMS)}"
    )


def _protobuf(stream: BinaryIO) -> Form:
    """Tell ONNX (a version, then a graph) from Feast's registry (messages only, in field 1 at least)."""
    numbers: set[tuple[int, int]] = set()
    try:
        for count, part in enumerate(Wire(stream).parts()):
            numbers.add((part.number, part.wire))
            if count > 1_000:
                break
    except Unreadable:
        if not numbers:
            raise Unreadable("it is binary, and of no format that is known here") from None
    if (1, VARINT) in numbers and (7, BYTES) in numbers:
        return "onnx"
    if (1, BYTES) in numbers or (6, BYTES) in numbers:
        return "feast"
    raise Unreadable("it is binary, and of no format that is known here, or it is cut")


def _read(stream: BinaryIO, name: str, form: Form, wanted: str, head: bytes) -> Imported:
    tabular = head.startswith((arrow.PARQUET, arrow.ARROW, arrow.STREAM))
    if form == "avro":
        if head.startswith(avro.MAGIC):
            return avro.from_container(stream, wanted)
        return avro.from_avsc(_whole(stream), wanted)
    if form == "arrow":
        return arrow.from_arrow(stream)
    if form == "sample":
        return sample.from_table(stream) if tabular else sample.from_csv(stream)
    if form == "onnx":
        return onnx.from_onnx(stream)
    if form == "feast":
        return _feast(stream, wanted, head)
    if form == "huggingface":
        return huggingface.from_files({_part_of(stream, name): _whole(stream, huggingface.LIMIT)})
    source = _whole(stream)
    if form == "json-schema":
        return jsonschema.from_json_schema(source)
    if form == "tfdv":
        return tfdv.from_tfdv(source)
    return mlflow.from_mlmodel(read_yaml(source))


def _feast(stream: BinaryIO, wanted: str, head: bytes) -> Imported:
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if start[:1] in (b"{", b"["):
        return feast.from_dump(read_json(_whole(stream)), wanted)
    if not _UNTEXT.search(head) and head[0] != 0x0A:
        return feast.from_dump(read_yaml(_whole(stream)), wanted)
    return feast.from_registry(stream, wanted)


def _part_of(stream: BinaryIO, name: str) -> str:
    """Return which of Hugging Face's files this is, whatever it is called."""
    if name == huggingface.PREPROCESSOR or name in huggingface.TOKENIZER:
        return name
    data = read_json(_whole(stream))
    config = data if isinstance(data, dict) else {}
    found = huggingface.tokenizer_file(config) or (huggingface.PREPROCESSOR if config else None)
    if found is None:
        raise Unreadable(f"{visible(name)} is no file of a preprocessor or a tokenizer")
    return found


def _whole(stream: BinaryIO, limit: int = LIMIT) -> bytes:
    stream.seek(0)
    source = stream.read(limit + 1)
    if len(source) > limit:
        raise Unreadable(f"it has more than {limit:,} bytes, which no schema needs", "import a smaller file")
    return source
