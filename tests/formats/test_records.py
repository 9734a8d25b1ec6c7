"""Whatever a log holds, each form gives a record, a half or a reason; and numbers come out as they went in."""

from __future__ import annotations

import json
import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelspec.formats.records import FORMS
from modelspec.formats.records.fields import stamp_in, time_of
from modelspec.formats.records.payload import DTYPES, PayloadError, exact, parsed, tensors
from modelspec.tree.record import Unreadable
from modelspec.tree.recordform import Form, Piece

KEYS = [
    "captureData", "endpointInput", "endpointOutput", "eventMetadata", "eventId", "inferenceTime", "encoding", "data",
    "databricks_request_id", "request", "response", "status_code", "request_metadata", "timestamp_ms",
    "deployed_model_id", "request_payload", "response_payload", "request_id", "logging_time",
    "ReqType", "Bytes", "Id", "headers", "ce-type", "ce-id", "type", "id", "body", "Annotations", "time", "source",
    "xrequestid", "contentrange", "inputs", "outputs", "name", "datatype", "shape", "parameters", "instances",
    "predictions", "columns", "dataframe_split", "dataframe_records",
]  # fmt: skip
WORDS = [
    "CSV", "JSON", "BASE64", "1,2\n3,4", "e30=", "[[1, 2], [3]]", '{"inputs": [[1]]}', "FP32", "BYTES", "r1", "200",
    "org.kubeflow.serving.inference.request", "azureml.inference.outputs", "2026-11-02T14:03:00Z", "bytes 0-9/20",
]  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(WORDS) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=20,
)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
@given(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=8))
def test_any_object_gives_a_piece_or_a_reason(form: Form, value: dict[str, Any]) -> None:
    assert form.knows(value) in (True, False)
    told = form.piece(value, "e/v/2026/11/02/14/x.jsonl", "x:1")
    if isinstance(told, Unreadable):
        assert told.why
    else:
        assert isinstance(told, Piece) and told.record.id == told.ids[0]
        for one in (*told.record.inputs, *told.record.outputs):
            assert len(one.data) == math.prod(one.shape)


@given(st.lists(st.floats(width=32, allow_nan=False) | st.just(math.nan), min_size=1))
def test_a_float32_comes_back_bit_for_bit(values: list[float]) -> None:
    # JSON has one NaN; every other value has its bits.
    told = parsed(json.dumps([{"name": "x", "datatype": "FP32", "shape": [len(values)], "data": values}]))
    [tensor] = tensors(told)
    assert struct.pack(f"{len(values)}f", *tensor.data) == struct.pack(f"{len(values)}f", *values)


@given(
    st.sampled_from(sorted(set(DTYPES.values()) - {"string", "bool"})),
    st.integers() | st.floats(allow_nan=False),
)
def test_a_number_is_held_by_its_type_or_refused(dtype: str, value: float) -> None:
    try:
        [found] = exact([value], dtype, "x")
    except PayloadError:
        return
    if dtype.startswith("float"):
        assert isinstance(found, float)
        assert math.isinf(found) == math.isinf(value)
    else:
        assert type(found) is int and found == value


@pytest.mark.parametrize(
    ("text", "stamp"),
    [
        ("sha256-" + "ab" * 32, "sha256-" + "ab" * 32),
        ("sha256:" + "ab" * 32, "sha256-" + "ab" * 32),
        ('{"modelspec/stamp": "sha256-0123456789ab"}', "sha256-0123456789ab"),
        ("v-" + "0a" * 16, "sha256-" + "0a" * 16),
        ("sha256-0123456789a", None),
        ("c177655a453b" + "0" * 28, None),
        ("01a2106d-0833-78be-84d3-6f526c5637a4", None),
        ("2.3.0", None),
        (7, None),
    ],
)
def test_only_what_can_be_a_stamp_is_one(text: Any, stamp: str | None) -> None:
    assert stamp_in(text) == stamp


@pytest.mark.parametrize(
    "value", ["2026-11-02T14:03:00", "2026-13-01T00:00:00Z", "now", 10**30, 1.5, [], True]
)
def test_a_time_that_is_none_is_refused(value: Any) -> None:
    with pytest.raises(PayloadError):
        time_of(value)
