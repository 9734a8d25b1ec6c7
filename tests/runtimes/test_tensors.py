"""Request tensors: exactly the declared names, types and shapes; anything else is told to the caller."""

from __future__ import annotations

from typing import Any

import pytest

np = pytest.importorskip("numpy", reason="the runtimes' extra is not installed")

from modelspec.runtimes.served import Tensor  # noqa: E402
from modelspec.runtimes.tensors import Given, RequestError, arrays  # noqa: E402

FEATURES = Tensor(name="features", dtype="float32", shape=(-1, 3))


def one(dtype: Any, datatype: str, shape: list[int], data: Any) -> Any:
    declared = Tensor(name="x", dtype=dtype, shape=(-1,) * len(shape))
    return arrays([Given("x", datatype, shape, data)], [declared])["x"]


def test_values_become_the_declared_type() -> None:
    given = Given("features", "FP32", [2, 3], [0.1, 1, 2, 3, 4, 5])
    array = arrays([given], [FEATURES])["features"]
    assert array.dtype == np.float32
    assert array.tolist() == [[np.float32(0.1), 1, 2], [3, 4, 5]]


def test_nested_data_is_the_same_as_flat() -> None:
    assert one("int64", "INT64", [2, 2], [[1, 2], [3, 4]]).tolist() == [[1, 2], [3, 4]]


def test_strings_and_bytes_are_text() -> None:
    assert one("string", "BYTES", [2], ["a", b"b"]).tolist() == ["a", "b"]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([], "inputs are none"),
        ([Given("other", "FP32", [1, 3], [1, 2, 3])], "'other', the model takes 'features'"),
        ([Given("features", "FP32", [1, 3], [1, 2, 3])] * 2, "each once"),
        ([Given("features", "FP64", [1, 3], [1, 2, 3])], "datatype FP64, the model takes FP32"),
        ([Given("features", "FP32", [1, 4], [1, 2, 3, 4])], r"shape \[1, 4\], the model takes \[-1, 3\]"),
        ([Given("features", "FP32", [3], [1, 2, 3])], r"shape \[3\]"),
        ([Given("features", "FP32", [0, 3], [])], r"shape \[0, 3\]"),
        ([Given("features", "FP32", [2, 3], [1, 2, 3])], r"3 values, shape \[2, 3\] has 6"),
        ([Given("features", "FP32", [1, 3], [1, None, 3])], "no float32"),
        ([Given("features", "FP32", [1, 3], [1, "2", 3])], "no float32"),
        ([Given("features", "FP32", [1, 3], [True, False, True])], "no float32"),
        ([Given("features", "FP32", [1, 3], [1e300, 2, 3])], "too large for float32"),
        ([Given("features", "FP32", [1, 3], [[1, 2], [3]])], "ragged"),
    ],
)
def test_what_does_not_fit_is_refused(given: list[Given], says: str) -> None:
    with pytest.raises(RequestError, match=says):
        arrays(given, [FEATURES])


@pytest.mark.parametrize(
    ("dtype", "datatype", "value"),
    [
        ("int64", "INT64", 1.5),
        ("int8", "INT8", 128),
        ("uint8", "UINT8", -1),
        ("int64", "INT64", 2**70),
        ("bool", "BOOL", 1),
        ("string", "BYTES", 1),
        ("string", "BYTES", b"\xff"),
    ],
)
def test_a_value_of_another_type_is_refused(dtype: str, datatype: str, value: Any) -> None:
    with pytest.raises(RequestError):
        one(dtype, datatype, [1], [value])
