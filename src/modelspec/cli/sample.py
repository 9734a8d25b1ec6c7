"""Reads a training sample for `skew --ks`: the numbers of each feature, and bins of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelspec.tree.finding import Refusal
from modelspec.tree.text import visible

if TYPE_CHECKING:
    from modelspec.trace.bins import Bins
    from modelspec.trace.columns import Column


def sampled(path: Path, columns: Sequence[Column]) -> tuple[dict[str, Any], dict[str, Bins]]:
    """Return the finite numbers of each feature as an array, by `view.field`, and the bins of the sample.

    A column of the sample is called as the field is, short or whole. Raises Refusal for what is no sample.
    """
    import numpy as np

    from modelspec.formats.bins import columns_of_sample, reference
    from modelspec.formats.foreign import Unreadable
    from modelspec.trace.bins import read_bins

    shown = visible(str(path), 200)
    try:
        with path.open("rb") as stream:
            data, _ = reference(stream)
            stream.seek(0)
            found = columns_of_sample(stream)
    except Unreadable as error:
        raise Refusal(f"{shown} is no sample: {visible(error.message, 200)}") from None
    except OSError as error:
        raise Refusal(f"{shown} can't be read: {error.strerror}") from None
    names = [one.name for one in columns]
    shorts = [name.rpartition(".")[2] for name in names]
    values = {}
    for name, short in zip(names, shorts, strict=True):
        wanted = name if name in found else short if shorts.count(short) == 1 else None
        if wanted in found:
            values[name] = np.array(found[wanted], dtype=np.float64)
    if not values:
        raise Refusal(
            f"{shown} has no column that is called as a feature is", f"the features: {', '.join(names)}"
        )
    return values, read_bins(json.loads(data))
