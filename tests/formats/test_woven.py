"""The opcodes of what joblib and old torch write, without the numbers; `fixtures/artifacts/make.py` made it."""

from __future__ import annotations

import gzip
import io
import pickle
import pickletools
from pathlib import Path

import pytest

from modelspec.formats.woven import unwoven

DATA = (Path(__file__).parent / "fixtures/artifacts/arrays.joblib").read_bytes()


def test_each_byte_is_an_opcode_or_a_number() -> None:
    with pytest.raises(ValueError, match="opcode"):
        list(pickletools.genops(DATA))
    found = unwoven(io.BytesIO(DATA))
    assert found is not None and len(found.pickles) == 2
    assert sum(map(len, found.pickles)) + found.numbers == len(DATA)
    # 40 doubles, 12 floats, two texts of 3 characters, 3 records, a double: and up to 17 bytes before each.
    assert 444 <= found.numbers - 6 <= 444 + 6 * 17
    whole, inner = ([one.arg for one, *_ in pickletools.genops(data)] for data in found.pickles)
    assert len(whole) > len(inner) > 10
    assert b"late" in found.pickles[1]


def test_what_comes_after_the_numbers_is_among_the_opcodes() -> None:
    found = unwoven(io.BytesIO(DATA[:-1] + b"0cos\nsystem\n(S'true'\ntR."))
    assert found is not None and found.pickles[0].endswith(b"tR.")


def torch(
    *pickles: object, numbers: bytes = b"\x04\0\0\0\0\0\0\0" + b"\x80" * 16, protocol: int = 2
) -> bytes:
    """Return what torch writes without a zip."""
    mark = pickle.dumps(0x1950A86A20F9469CFC6C, protocol=protocol)
    return mark + b"".join(pickle.dumps(one, protocol=protocol) for one in pickles) + numbers


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_old_torch_has_five_pickles_and_then_numbers(protocol: int) -> None:
    data = torch(1001, {"little_endian": True}, {"weights": [1.0]}, ["0"], protocol=protocol)
    found = unwoven(io.BytesIO(data))
    assert found is not None and (len(found.pickles), found.numbers) == (5, 24)
    assert b"".join(found.pickles) == data[:-24]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        # What is taken together without a mark before it.
        b"\x80\x02tcos\nsystem\n.",
        b"\x80\x02}ucos\nsystem\n.",
        # An array of records whose description holds itself.
        b"\x80\x02cjoblib.numpy_pickle\nNumpyArrayWrapper\n)\x81}(X\5\0\0\0shapeK\1\x85X\5\0\0\0dtype"
        b"cnumpy\ndtype\nX\2\0\0\0V8\x85Rq\0(h\0tbub" + b"\0" * 8 + b".",
        torch(1001, {}, {}),
        torch(numbers=b""),
        torch(1001, {}, b"a", numbers=b"\x80\x02cos"),
        DATA[:-1],
        DATA[:500],
        DATA + b"N.",
        gzip.compress(DATA),
        DATA.replace(b"joblib.numpy_pickle", b"joblib.numpy_pickl3"),
        # A frame that reaches past an array: a loader has it in memory, and reads the array behind it.
        b"\x80\x04\x95" + (len(DATA) - 11).to_bytes(8, "little") + DATA[11:],
        # An array that is said to be longer than the file.
        DATA.replace(b"K(\x85", b"J\xff\xff\xff\x7f\x85"),
        DATA.replace(b"\x8c\x02f8", b"\x8c\x02q8"),
        # A type that is described by a tuple in a tuple in a tuple.
        b"\x80\x03cjoblib.numpy_pickle\nNumpyArrayWrapper\n)\x81}(\x8c\x05shapeK\x02\x85\x8c\x05dtype"
        b"cnumpy\ndtype\n\x8c\x02V8\x85R)" + b"\x85" * 10_000 + b"bub" + bytes(16) + b".",
    ],
)
def test_what_is_not_surely_as_joblib_writes_it_is_not_told(data: bytes) -> None:
    assert unwoven(io.BytesIO(data)) is None
