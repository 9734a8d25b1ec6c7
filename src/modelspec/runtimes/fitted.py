"""What fitted scalers and encoders hold, read from the live object in its author's own process.

The only place that imports the author's code, and only for `register --capture`. Objects are told by the
attributes that scikit-learn gives them; scikit-learn itself is never imported.
"""

from __future__ import annotations

import importlib
import math
import sys
from pathlib import Path
from typing import Any, Final

from modelspec.tree.data import Data
from modelspec.tree.finding import Refusal
from modelspec.tree.text import visible

_ATTRIBUTES: Final = (
    "mean_", "scale_", "var_", "min_", "data_min_", "data_max_", "center_", "max_abs_", "categories_",
    "classes_", "statistics_", "quantiles_", "bin_edges_", "lambdas_",
)  # fmt: skip
_MAX: Final = 10_000
_MAX_DEPTH: Final = 8


def captured(where: str) -> dict[str, Data]:
    """Import MODULE and return what its OBJECT holds: `feature_names`, `classes`, parameters by step.

    Runs the module. Raises Refusal when it can't be imported or holds nothing that is known.
    """
    module, colon, name = where.partition(":")
    if not colon or not name:
        raise Refusal(f"{visible(where)} is not MODULE:OBJECT", "name it as in training.model:pipeline")
    # As `python -m` has it: the author's own folder comes first.
    sys.path.insert(0, str(Path.cwd()))
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (Exception, SystemExit) as error:
        raise Refusal(
            f"{visible(where)} can't be imported: {type(error).__name__}: {visible(str(error), 200)}"
        ) from None
    finally:
        sys.path.pop(0)
    told = fitted(found)
    if not told:
        raise Refusal(f"{visible(where)} holds no fitted scaler or encoder", "name the object after fit()")
    return told


def fitted(found: Any) -> dict[str, Data]:
    """Return what an object holds, and what its steps hold under their names."""
    return _fitted(found, 0)


def _fitted(found: Any, depth: int) -> dict[str, Data]:
    told: dict[str, Data] = {}
    names = _plain(getattr(found, "feature_names_in_", None))
    if names is not None:
        told["feature_names"] = names
    for attribute in _ATTRIBUTES:
        value = _plain(getattr(found, attribute, None))
        if value is not None:
            told[attribute.rstrip("_")] = value
    steps = [*getattr(found, "steps", ()), *getattr(found, "transformers_", ())]
    inner: dict[str, Data] = {}
    for step in steps if depth < _MAX_DEPTH else ():
        name, part = step[0], step[1]
        below = _fitted(part, depth + 1) if not isinstance(part, str) else {}
        if below:
            inner[str(name)] = {"kind": type(part).__name__, **below}
    if inner:
        told["steps"] = inner
    return told


def _plain(value: Any) -> Data:
    """Return arrays, or lists of them, as lists of numbers and texts; None for what is none or long."""
    if value is None or callable(value):
        return None
    rows = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(rows, list | tuple):
        if len(rows) > _MAX:
            return None
        inner = [_plain(one) for one in rows]
        return None if any(one is None for one in inner) else list[Data](inner)
    if isinstance(rows, float):
        return rows if math.isfinite(rows) else str(rows)
    return rows if isinstance(rows, bool | int | str) else None
