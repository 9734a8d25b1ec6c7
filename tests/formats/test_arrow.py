"""Parquet, Arrow and Feather: every type, footers that lie, and the extra that is not installed."""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest

from formats.fixture import FIXTURES
from modelspec.formats.arrow import from_arrow
from modelspec.formats.foreign import Unreadable
from modelspec.formats.sample import from_table
from modelspec.tree.finding import Refusal

pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
import pyarrow.parquet as pq  # noqa: E402


def stream(schema: Any, rows: Any = None) -> io.BytesIO:
    """An Arrow file of a schema, with no rows by default."""
    sink = io.BytesIO()
    with pa.ipc.new_file(sink, schema) as writer:
        for row in rows or ():
            writer.write_batch(row)
    return io.BytesIO(sink.getvalue())


@pytest.mark.parametrize(
    ("type_", "wanted"),
    [
        (pa.uint64(), {"dtype": "uint64"}),
        (pa.float16(), {"dtype": "float16"}),
        (pa.large_string(), {"dtype": "string"}),
        (pa.large_binary(), {"dtype": "bytes"}),
        (pa.binary(4), {"dtype": "bytes"}),
        (pa.date64(), {"dtype": "date"}),
        (pa.timestamp("us"), {"dtype": "timestamp"}),
        (pa.timestamp("s", tz="Europe/Lisbon"), {"dtype": "timestamp", "tz": "Europe/Lisbon"}),
        (pa.decimal256(50, 3), {"dtype": "decimal", "precision": 50, "scale": 3}),
        (pa.duration("ns"), {"dtype": "int64", "unit": "ns"}),
        (pa.time64("us"), {"dtype": "int64", "unit": "us"}),
        (pa.dictionary(pa.int8(), pa.string()), {"dtype": "string"}),
        (pa.dictionary(pa.int8(), pa.int64()), {"dtype": "int64"}),
        (pa.run_end_encoded(pa.int32(), pa.float64()), {"dtype": "float64"}),
        (pa.large_list(pa.list_(pa.int8(), 2)), {"dtype": "int8", "shape": [-1, 2]}),
    ],
)
def test_types(type_: Any, wanted: dict[str, Any]) -> None:
    (field,) = from_arrow(stream(pa.schema([pa.field("x", type_, nullable=False)]))).fields
    assert field == {"name": "x", "nullable": False, **wanted}


@pytest.mark.parametrize(
    "type_", [pa.null(), pa.map_(pa.string(), pa.string()), pa.list_(pa.struct([("a", pa.int8())]))]
)
def test_what_no_field_has_is_said(type_: Any) -> None:
    found = from_arrow(stream(pa.schema([("x", type_), ("y", pa.int8())])))
    assert [field["name"] for field in found.fields] == ["y"]
    assert any(note.message.startswith("x is left out") for note in found.notes)


def test_only_the_footer_of_parquet_is_read() -> None:
    class Counting(io.BytesIO):
        got = 0

        def read(self, size: int | None = -1) -> bytes:
            data = super().read(size)
            self.got += len(data)
            return data

    sink = io.BytesIO()
    # Random bits do not compress: the file is large and its footer small.
    import random

    column = pa.array([random.Random(1).random() for _ in range(1)] + [n * 0.1 for n in range(400_000)])
    pq.write_table(pa.table({"x": column}), sink, use_dictionary=False, compression="none")
    source = Counting(sink.getvalue())
    from_arrow(source)
    assert len(sink.getvalue()) > 3_000_000
    assert source.got < 200_000


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"PAR1", "the file is cut"),
        (b"PAR1" + b"\0" * 20, "does not end as it begins"),
        (b"PAR1" + b"\xff\xff\xff\x7fPAR1", "announces 2,147,483,647 bytes"),
        (b"PAR1" + b"\0\0\0\0PAR1", "announces 0 bytes"),
        (b"PAR1" + b"\x15" * 40 + b"\x20\0\0\0PAR1", "pyarrow can't read it"),
        (b"ARROW1\0\0" + b"\x7f" * 40 + b"\x20\0\0\0ARROW1", "pyarrow can't read it"),
        (b"ARROW1\0\0" + b"\xff\xff\xff\xffARROW1", "announces -1 bytes"),
        (b"\xff\xff\xff\xff" + b"\xff\xff\xff\x7f", "announces 2,147,483,647 bytes"),
        (b"\xff\xff\xff\xff\x10\0\0\0" + b"\x01" * 16, "pyarrow can't read it"),
        (b"nothing", "no Parquet"),
    ],
)
def test_what_is_wrong_is_said(data: bytes, told: str) -> None:
    with pytest.raises(Unreadable, match=told):
        from_arrow(io.BytesIO(data))


@pytest.mark.parametrize("name", ["trips.parquet", "trips.feather", "trips.arrows"])
@pytest.mark.parametrize("reads", [from_arrow, from_table])
def test_cut_and_flipped_files_give_an_error_or_a_schema(name: str, reads: Any) -> None:
    data = (FIXTURES / name).read_bytes()
    broken = [data[:length] for length in range(0, len(data), 211)]
    broken += [data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :] for at in range(0, len(data), 97)]
    for one in broken:
        try:
            reads(io.BytesIO(one))
        except (Unreadable, MemoryError) as error:
            assert str(error)


def test_the_extra_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(Refusal) as refused:
        from_arrow((FIXTURES / "trips.parquet").open("rb"))
    assert "modelspec-gitops[arrow]" in str(refused.value.hint)


def test_only_the_first_rows_of_a_sample_are_looked_at() -> None:
    batch = pa.record_batch([pa.array(range(30_000))], names=["x"])
    found = from_table(stream(batch.schema, [batch] * 5))
    assert any("the first 100,000 rows" in note.message for note in found.notes)
