"""Answers beside golden ones: the same bits, within the tolerance, or different."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest

from modelspec.runtimes.check_golden import answers, compare


@pytest.mark.parametrize(
    ("was", "now", "difference", "within"),
    [
        (np.array([1.0, math.nan]), np.array([1.25, math.nan]), 0.25, True),
        (np.array([0.0]), np.array([-0.0]), 0.0, True),
        (np.array([1.0]), np.array([math.nan]), None, False),
        (np.array([1.0]), np.array([1.0], np.float32), None, False),
        (np.array([True]), np.array([False]), 1.0, False),
        (np.array([3, 1]), np.array([3, 5]), 4.0, False),
        # Next to each other, where doubles are further apart than one.
        (np.array([2**60]), np.array([2**60 + 1]), 1.0, False),
        (np.array([2**64 - 1], np.uint64), np.array([2**64 - 2], np.uint64), 1.0, False),
    ],
)
def test_what_differs_is_within_half_or_not(
    was: np.ndarray[Any, Any], now: np.ndarray[Any, Any], difference: float | None, within: bool
) -> None:
    assert compare(was, now, 0.5) == {"same": False, "difference": difference, "within": within}
    assert compare(was, now, 0.0)["within"] is False
    assert compare(was, was, 0.0) == {"same": True, "difference": 0.0, "within": True}


def test_an_onnxruntime_that_takes_no_numbers_from_memory_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(ort.SessionOptions, "add_external_initializers_from_files_in_memory")
    with pytest.raises(RuntimeError, match=f"onnxruntime {ort.__version__} can't be given those"):
        answers("onnx", b"", None, 1, {"b.bin": b"1"})
