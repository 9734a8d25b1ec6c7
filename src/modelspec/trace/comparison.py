"""What a model answers now beside what it answered then: the same bits, within the tolerance, or different.

numpy is imported where it is used: only who compares needs it. The file stands alone: a bundle of `trace`
holds a copy, beside the script that asks the model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from modelspec.spec.model import Threshold

Verdict = Literal["bit-equal", "within tolerance", "different"]
VERDICTS: Final[tuple[Verdict, ...]] = ("bit-equal", "within tolerance", "different")
"""From best to worst; rows hold the index into it."""
FAR: Final = 2**62
"""The ulp distance of what has none: another type, a number beside NaN."""
_BITS: Final = {2: "int16", 4: "int32", 8: "int64"}


@dataclass(frozen=True, slots=True)
class Compared:
    """One answer beside another. `ulps` and `difference` are the greatest of its values; None: no measure."""

    verdict: Verdict
    ulps: int | None
    difference: float | None
    decisions: tuple[tuple[str, bool | None, bool | None], ...] = ()
    """(threshold, then, now) of each decision; None where the output has no one number for it."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Many answers beside others, one entry a row: index of the verdict, ulps, absolute difference."""

    verdicts: NDArray[Any]
    ulps: NDArray[Any]
    differences: NDArray[Any]


def compare_rows(was: NDArray[Any], now: NDArray[Any], tolerance: float) -> Rows:
    """Compare two arrays of the same rows; a row is as bad as the worst of its values.

    Equal means the same bits; any NaN equals any other, and 0 is not -0. A tolerance of 0 lets nothing else
    pass. Raises ValueError when types or shapes differ.
    """
    import numpy as np

    if was.dtype != now.dtype or was.shape != now.shape:
        raise ValueError(f"{was.dtype}{list(was.shape)} beside {now.dtype}{list(now.shape)}")
    rows = was.shape[0] if was.ndim else 1
    flat, other = was.reshape(rows, -1), now.reshape(rows, -1)
    if was.dtype.kind != "f":
        same = flat == other
        apart = np.where(same, 0.0, np.inf)
        if was.dtype.kind in "iub":
            # Those that differ do so by one at least, also where a double holds neither.
            apart = np.maximum(1.0, np.abs(flat.astype(np.float64) - other.astype(np.float64)))
            apart = np.where(same, 0.0, apart)
        steps = np.where(same, 0, FAR)
    else:
        steps = ulps(flat, other)
        same = steps == 0
        with np.errstate(invalid="ignore", over="ignore"):
            apart = np.abs(flat.astype(np.float64) - other.astype(np.float64))
        apart = np.where(same, 0.0, np.where(np.isnan(apart), np.inf, apart))
    worst = apart.max(axis=1, initial=0.0)
    equal = same.all(axis=1)
    near = (worst <= tolerance) & (tolerance > 0)
    verdicts = np.where(equal, 0, np.where(near, 1, 2)).astype(np.uint8)
    return Rows(verdicts, steps.max(axis=1, initial=0), worst)


def ulps(was: NDArray[Any], now: NDArray[Any]) -> NDArray[Any]:
    """Return how many floating point numbers lie between two, elementwise; 0 only for the same bits.

    0 and -0 are one apart; NaN is 0 from NaN and FAR from all else.
    """
    import numpy as np

    whole = _BITS[was.dtype.itemsize]
    info = np.iinfo(whole)

    def ordered(values: NDArray[Any]) -> NDArray[Any]:
        # Negative floats count down from -1: -0 comes just before 0.
        bits = np.ascontiguousarray(values).view(whole)
        return np.where(bits < 0, np.bitwise_xor(bits, info.max), bits)

    left, right = ordered(was), ordered(now)
    # A difference of int64 may overflow, and unsigned it wraps to the right number.
    wide = np.where(left > right, left, right).astype(np.int64).view(np.uint64) - np.where(
        left > right, right, left
    ).astype(np.int64).view(np.uint64)
    apart = np.minimum(wide, np.uint64(FAR)).astype(np.int64)
    first, second = np.isnan(was), np.isnan(now)
    return np.where(first & second, 0, np.where(first | second, FAR, apart))


def compare(
    was: Mapping[str, NDArray[Any]],
    now: Mapping[str, NDArray[Any]],
    tolerance: float,
    thresholds: Sequence[Threshold] = (),
) -> Compared:
    """Compare one record's answers, tensor by tensor; what only one side has is not compared.

    Raises ValueError when no tensor is on both sides.
    """
    both = [name for name in was if name in now]
    if not both:
        raise ValueError("no output is on both sides")
    worst, most, apart = 0, 0, 0.0
    for name in both:
        try:
            rows = compare_rows(was[name], now[name], tolerance)
        except ValueError:
            worst, most, apart = 2, FAR, float("inf")
            continue
        worst = max(worst, int(rows.verdicts.max(initial=0)))
        most = max(most, int(rows.ulps.max(initial=0)))
        apart = max(apart, float(rows.differences.max(initial=0.0)))
    made = tuple(
        (one.name, decision(one, was.get(one.output)), decision(one, now.get(one.output)))
        for one in thresholds
    )
    return Compared(
        VERDICTS[worst],
        None if most >= FAR else most,
        None if apart == float("inf") else apart,
        made,
    )


def decision(threshold: Threshold, output: NDArray[Any] | None) -> bool | None:
    """Return the decision on one number; None when the output has none, or several."""
    if output is None or output.size != 1 or output.dtype.kind not in "fiub":
        return None
    return bool(decisions(threshold, output)[0])


def decisions(threshold: Threshold, output: NDArray[Any]) -> NDArray[Any]:
    """Return the decision of each value; comparing with NaN is never true, as engines have it."""
    import numpy as np

    values = output.reshape(-1).astype(np.float64)
    found: NDArray[Any] = {
        "<": np.less,
        "<=": np.less_equal,
        ">": np.greater,
        ">=": np.greater_equal,
        "==": np.equal,
    }[threshold.op](values, threshold.value)
    return found
