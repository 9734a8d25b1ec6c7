"""The opcodes of what joblib writes, without the numbers between them; `fixtures/artifacts/make.py` made it."""

from __future__ import annotations

import gzip
import io
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


@pytest.mark.parametrize(
    "data",
    [
        b"",
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
