"""What a loader would run is found, whatever stands around it; what no loader takes is none."""

from __future__ import annotations

import io
import itertools
import os
import pickle
import random
import re
import resource
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelspec.formats.artifact import Detected, detect
from modelspec.formats.pickled import runs_code


class Called:
    def __reduce__(self) -> object:
        return (os.getpid, ())


class _Noting:
    """Has nothing real behind a name; notes what is imported and what is called."""

    imported = called = False

    def find_class(self, module: str, name: str) -> Any:
        self.imported = True
        if re.fullmatch(r"[A-Za-z_][\w.]*", f"{module}.{name}", re.ASCII) is None:
            raise ImportError
        return self._call

    def _call(self, *arguments: Any, **named: Any) -> None:
        self.called = True


class _InC(_Noting, pickle.Unpickler):
    pass


class _InPython(_Noting, pickle._Unpickler):  # type: ignore[name-defined, misc]
    """From which joblib and old torch have theirs."""


def loaded(data: bytes) -> tuple[bool, bool]:
    """Return whether a loader would import, and whether it would call."""
    loaders = [kind(io.BytesIO(data), encoding="latin-1") for kind in (_InC, _InPython)]
    for loader in loaders:
        with suppress(Exception):
            loader.load()
    return any(one.imported for one in loaders), any(one.called for one in loaders)


CALL = b"cos\nsystem\n(S'true'\ntR."


@pytest.mark.parametrize(
    "data",
    [
        *(pickle.dumps(Called(), protocol) for protocol in range(6)),
        *(pickle.dumps(Called(), protocol) + b"\xff garbage" for protocol in range(6)),
        # A frame that is said to be as long as it is, and one of nothing.
        b"\x80\x04\x95" + struct.pack("<Q", len(CALL)) + CALL,
        b"\x80\x04\x95" + struct.pack("<Q", 0) + CALL,
        b"\x80\x00" + CALL,
        b"\x80\x02\x80\x03" + CALL,
        b"\x80\x02" + CALL[:-1],
        b"\x80\x02Vlong" + b"x" * 200_000 + b"\n0" + CALL,
        b"\x80\x02" + b"N0" * 200_000 + CALL,
        # Lines that a loader takes, and a strict reader does not.
        *(mark + line + b"0" + CALL for mark in (b"", b"\x80\x02") for line in (
            b"S'a\0b'\n", b"Np+0\n", b"Np0_0\n", b"Np-0\n", b"Np0\ng+0\n0", b"Np0\ng0_0\n0", b"Np\v0 \n", b"I\0x\n", b"L0 L\n")),
        # Marked, an import is enough: it runs what is in the module.
        b"\x80\x02cthis\ns\n",
        b"\x80\x02cth\xc3\xafs\ns\n.",
        b"\x80\x04\x8c\x04this\x8c\x01s\x93",
    ],
)  # fmt: skip
def test_what_a_loader_runs_is_found(data: bytes) -> None:
    assert any(loaded(data))
    assert runs_code(io.BytesIO(data))
    assert detect(io.BytesIO(data)).unsafe


@pytest.mark.parametrize(
    "data", [pickle.dumps({"w": [1.0]}, 2), pickle.dumps([1] * 99, 5), pickle.dumps({"w": [1.0]}, 4)[:-9],
     b"\x80\x04\x95" + struct.pack("<Q", 3) + CALL, b"\x80\x04\x95" + struct.pack("<Q", 9**18) + CALL,
     b"\x80\x06", b"\x80\x08\xff", b"\x80\x02R" + bytes(4096), b"\x80\x02Ino number\n" + CALL],
)  # fmt: skip
def test_a_pickle_that_runs_nothing_or_is_cut_off_or_of_later_is_one(data: bytes) -> None:
    assert detect(io.BytesIO(data)).unsafe


@pytest.mark.parametrize(
    "data",
    [
        np.full(4096, -128, np.int8).tobytes(),
        np.array([-128, 2, -1, 5] * 1000, np.int8).tobytes(),
        np.array([-128, 4, 0, 0, 1, 0] * 1000, np.int8).tobytes(),
        b"\x80" + np.arange(4096, dtype="<f4").tobytes(),
        b"\x80\x3f" * 4096,
    ],
)
def test_numbers_that_begin_as_a_pickle_does_are_none(data: bytes) -> None:
    assert loaded(data) == (False, False)
    assert detect(io.BytesIO(data)) == Detected()


@pytest.fixture
def little_memory() -> Iterator[None]:
    """Four bytes can ask a loader for gigabytes."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    has = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (has + 256 * 1024**2, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.usefixtures("little_memory")
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="no other system keeps to a limit")
@pytest.mark.parametrize("protocol", range(6))
def test_no_change_of_bytes_hides_what_a_loader_still_runs(protocol: int) -> None:
    whole = pickle.dumps({"w": [1.5, 7, "text", (1, 2), {3}], "called": Called(), "b": b"bytes"}, protocol)
    rng = random.Random(protocol)
    ran = 0
    for _ in range(1500):
        data = bytearray(whole)
        for _ in range(rng.randrange(1, 4)):
            at = rng.randrange(len(data))
            match rng.randrange(3):
                case 0:
                    data[at] = rng.randrange(256)
                case 1:
                    data.insert(at, rng.randrange(256))
                case _:
                    del data[at]
        imports, calls = loaded(bytes(data))
        ran += calls
        marked = data[0] == 0x80 and data[1] <= pickle.HIGHEST_PROTOCOL
        if calls or (marked and imports):
            assert runs_code(io.BytesIO(bytes(data))), bytes(data)
    assert ran > 200


def test_opcodes_that_only_the_end_of_a_frame_shows_are_found() -> None:
    call = b"ca\nb\n(tR."
    for data in (
        b"\x95" + struct.pack("<Q", 5) + b"Px\nG" + bytes(8) + b"uB\x01\0\0\0aQ" + call,
        b"\x80\x04\x95" + struct.pack("<Q", 3) + b"NU\x01" + b"\xffaa" + call,
        b"\x95" + struct.pack("<Q", 25) + b"M\x01\x02\x95" + bytes(8) + b"2\x80\x04\x95"
        + struct.pack("<Q", 3) + b"e" + call,
    ):  # fmt: skip
        assert runs_code(io.BytesIO(data)), data


@pytest.mark.parametrize("before", [b"I", b"L", b"F", b"S", b"Np", b"Np0\n0g", b"V", b"P"])
def test_no_line_that_a_loader_takes_ends_the_search(before: bytes) -> None:
    odd = bytes([0, 1, 9, 11, 12, 13, 28, 32, 0x85, 0xA0, 0xFF]) + b"019aALlexXobBnifyN_+-.'\"#,"
    lines = [bytes(line) for size in (1, 2, 3) for line in itertools.product(odd, repeat=size)]
    for line in random.Random(1).sample(lines, 4000):
        data = before + line + b"\n0" + CALL
        assert runs_code(io.BytesIO(data)) or not loaded(data)[1], data
