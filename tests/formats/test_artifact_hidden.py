"""Code that hides: each of these is run by a real loader, and none by us."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickle
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from formats.test_artifact import Canary, of
from modelspec.formats.artifact import Detected


def zipped(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return stream.getvalue()


def array(header: str, data: bytes) -> bytes:
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


@pytest.mark.parametrize(
    "before",
    [b"V" + b"a" * 100_000 + b"\n0", b"N0" * 40_000, b"N0" * 200_000, b"I0x10\n0", b"I010\n0", b"I7\0x\n0", b"L0x1fL\n0", b"F1e5\n0", b"(0", b"S'\\xff'\n0"],
)  # fmt: skip
def test_a_pickle_with_much_that_is_harmless_before_the_call(before: bytes, tmp_path: Path) -> None:
    data = before + pickle.dumps(Canary(tmp_path / "canary"), protocol=0)
    assert of(data).unsafe
    assert of(zipped({"a.bin": data})).unsafe
    assert of(gzip.compress(data)).unsafe
    assert not list(tmp_path.iterdir())
    pickle.loads(data, encoding="latin-1").close()
    assert list(tmp_path.iterdir())


def test_a_pickle_that_begins_with_the_mark_of_another_format(tmp_path: Path) -> None:
    # `G` takes eight bytes for a number: the mark of GGUF among them.
    data = b"GGUF\x03\x00\x00\x00\x000" + pickle.dumps(Canary(tmp_path / "canary"), protocol=0)
    pickle.loads(data).close()
    assert of(data).unsafe
    assert of(b"GGUF\x03\x00\x00\x00" + bytes(100)) == Detected("gguf")


def _alone(data: bytes) -> bytes:
    return lzma.compress(data, lzma.FORMAT_ALONE, filters=[{"id": lzma.FILTER_LZMA1, "dict_size": 4096}])


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress, bz2.compress, lzma.compress, _alone])
def test_a_pickle_in_packed_parts_of_which_the_first_is_harmless(pack: Callable[[bytes], bytes]) -> None:
    data = pickle.dumps(Canary(Path("never")))
    assert of(pack(data)).unsafe
    for first in (b"", b"N0"):
        assert of(pack(first) + pack(data)).unsafe
        assert of(pack(first) + bytes(5000) + pack(data)).unsafe
    assert of(pack(b"some text\n")) == Detected()
    assert of(pack(b"some text\n") + b"and no more") == Detected()


def test_what_comes_before_damage_in_a_packed_file_is_seen() -> None:
    data = pickle.dumps(Canary(Path("never")), protocol=0)
    whole = bytearray(zlib.compress(data + np.random.default_rng(1).bytes(100_000)))
    whole[20_000:] = bytes(20_000)
    assert of(bytes(whole)).unsafe


def test_a_header_of_gzip_that_is_longer_than_what_is_looked_at(tmp_path: Path) -> None:
    data = pickle.dumps(Canary(tmp_path / "canary"))
    plain = gzip.compress(data, mtime=0)
    extra = plain[:3] + b"\x04" + plain[4:10] + struct.pack("<H", 65535) + bytes(65535) + plain[10:]
    assert gzip.decompress(extra) == data
    assert of(extra).unsafe


def test_lzma_that_wants_more_memory_than_there_is_can_t_be_looked_into() -> None:
    greedy = bytearray(lzma.compress(pickle.dumps([1]), lzma.FORMAT_ALONE))
    greedy[1:5] = struct.pack("<I", 0xFFFFFF00)
    assert of(bytes(greedy)) == Detected()  # with this mark only what unpacks is packed
    assert of(gzip.compress(b"")[:-8] + b"\xff" * 8).unsafe


@pytest.mark.parametrize(
    "descr",
    ["'|O'", "'object'", "'|\\x4f'", "'<f4', 'descr': '|O'", "\"|O\", 'fortran_order': False, 'shape': (1,)} # 'descr': '<f4'", "[('a', '<f4'), ('b', '|O')]"],
)  # fmt: skip
def test_objects_in_an_array_are_told_however_the_header_spells_them(descr: str, tmp_path: Path) -> None:
    rest = "" if "#" in descr else ", 'fortran_order': False, 'shape': (1,), }"
    data = array("{'descr': " + descr + rest, pickle.dumps([Canary(tmp_path / "canary")]))
    assert of(data).unsafe
    assert of(zipped({"a.npy": data})).unsafe


@pytest.mark.parametrize(
    "value",
    [np.zeros((3, 4), "f4"), np.array(True), np.array(["a"]), np.array(["2020"], "M8[D]"), np.zeros(2, [("a", "f4"), ("b", "i4", (2,))])],
)  # fmt: skip
def test_arrays_without_objects_are_harmless(value: np.ndarray) -> None:
    stream = io.BytesIO()
    np.save(stream, value)
    assert of(stream.getvalue()) == Detected()
    assert of(zipped({"a.npy": stream.getvalue()})) == Detected()


def test_archives_in_archives_are_looked_into() -> None:
    torch = zipped({"archive/data.pkl": pickle.dumps([1])})
    assert of(zipped({"model.pt": torch})).unsafe
    assert of(zipped({"a.zip": zipped({"b.zip": zipped({"c": gzip.compress(pickle.dumps([1]))})})})).unsafe
    deep = b"text"
    for _ in range(6):
        deep = zipped({"a.zip": deep})
    assert of(deep).unsafe
    assert of(zipped({"a.zip": zipped({"zeros": bytes(10)})})) == Detected()
    assert of(zipped({"bomb.zip": zipped({"zeros": bytes(80_000_000)})})) == Detected()
    assert of(zipped({"big.zip": b"PK" + bytes(80_000_000)})).unsafe
    assert of(gzip.compress(torch)).unsafe


def test_an_archive_may_begin_with_anything() -> None:
    assert of(b"xx" + zipped({"archive/data.pkl": b""})).unsafe


def test_tar_of_the_oldest_kind_has_no_mark() -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        archive.addfile(tarfile.TarInfo("GGUF"))
    data = bytearray(stream.getvalue())
    data[257:512] = bytes(255)
    data[148:156] = b" " * 8
    data[148:156] = b"%06o\0 " % sum(data[:512])
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        assert archive.getnames() == ["GGUF"]
    for packed in (bytes(data), gzip.compress(bytes(data)), zipped({"m.pt": bytes(data)})):
        assert of(packed).unsafe


_LAMBDA = json.dumps({"class_name": "Lambda", "module": "keras.layers"})
_ESCAPED = _LAMBDA.replace("Lambda", "\\u004cambd\\u0061")


def _keras(config: bytes) -> bytes:
    return zipped({"metadata.json": b"{}", "config.json": config, "model.weights.h5": b""})


@pytest.mark.parametrize(
    "config",
    [_LAMBDA.encode(), _ESCAPED.encode(), _LAMBDA.encode("utf-16"), b'{"class_name": "__lambda__"}', b'{"class_name": "function", "module": "builtins", "config": "exec"}', b"[" * 100_000, b"{"],
)  # fmt: skip
def test_code_in_a_keras_archive(config: bytes) -> None:
    assert of(_keras(config)).unsafe
    assert of(b"xx" + _keras(config)).unsafe


def test_a_keras_archive_of_its_own_layers_is_harmless() -> None:
    layers = [{"class_name": "Dense", "module": "keras.layers", "config": {"name": "lambda_l2"}}]
    assert of(_keras(json.dumps({"config": layers, "module": "keras.src.models"}).encode())) == Detected(
        "keras"
    )


@pytest.mark.parametrize("text", [_LAMBDA, _ESCAPED])
@pytest.mark.parametrize("behind", [0, 512, 131_072])
def test_a_lambda_in_hdf5_also_behind_a_block_of_the_user(text: str, behind: int) -> None:
    mark = b"\x89HDF\r\n\x1a\n"
    found = of(b"user".ljust(behind, b"\0")[:behind] + mark + bytes(1024 * 1024 - 14) + text.encode())
    assert found.unsafe and found.format == "keras"
    assert of(b"user".ljust(behind, b"\0")[:behind] + mark + bytes(3000)) == Detected("keras")


@pytest.mark.parametrize("times", [2, 3, 9])
def test_a_pickle_that_is_compressed_more_than_once(times: int, tmp_path: Path) -> None:
    data = pickle.dumps(Canary(tmp_path / "canary"))
    safe = b"weights\n" * 1000
    for at in range(times):
        data, safe = [
            (compress(data), compress(safe)) for compress in (gzip.compress, bz2.compress, lzma.compress)
        ][at % 3]
    assert of(data).unsafe
    assert of(zipped({"a.bin": data})).unsafe
    assert of(safe).unsafe == (times > 5)
    assert not list(tmp_path.iterdir())


def test_an_archive_of_a_huge_directory_is_not_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it would be in memory, several times, before anybody could count its files."""
    data = zipped({f"{number:04}{'x' * 2000}": b"" for number in range(5_000)})
    monkeypatch.setattr(zipfile, "ZipFile", None)
    assert of(data) == Detected("zip", True, "an archive of too many files, which were not looked at")
