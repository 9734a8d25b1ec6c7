"""What fitted scalers and encoders hold, read from the live object in its author's own process.

The only place that imports the author's code, and only for `register --capture`. Objects are told by the
attributes that scikit-learn gives them; scikit-learn itself is never imported.
"""

from __future__ import annotations

import importlib
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
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


@dataclass(slots=True)
class Fitted:
    """What an object holds; what it holds and is not recorded, in words, stands in `left`."""

    data: dict[str, Data] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)


class _Unfit(Exception):
    """Why a value can't be recorded."""


def captured(where: str) -> Fitted:
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
    if not told.data:
        raise Refusal(f"{visible(where)} holds no fitted scaler or encoder", "name the object after fit()")
    return told


def fitted(found: Any) -> Fitted:
    """Return what an object holds, and what its steps hold under their names."""
    told = Fitted()
    told.data = _fitted(found, (), told.left)
    return told


def _fitted(found: Any, route: tuple[str, ...], left: list[str]) -> dict[str, Data]:
    told: dict[str, Data] = {}
    for attribute in ("feature_names_in_", *_ATTRIBUTES):
        key = "feature_names" if attribute == "feature_names_in_" else attribute.rstrip("_")
        try:
            value = getattr(found, attribute, None)
            if value is None or callable(value):
                continue
            told[key] = _whole(value)
        except _Unfit as error:
            # That it was there is known; a reader must not take it for an object without.
            told[key] = {"unknown": {"reason": str(error)}}
            left.append(f"{visible('.'.join((*route, key)))} is not recorded: {error}")
        except Exception as error:
            # A property of somebody's class may raise anything.
            left.append(f"{visible('.'.join((*route, key)))} can't be read: {type(error).__name__}")
    inner: dict[str, Data] = {}
    for name, part in _steps(found):
        if len(route) >= _MAX_DEPTH:
            left.append(f"{visible('.'.join(route))} has steps deeper than {_MAX_DEPTH}: not recorded")
            break
        below = _fitted(part, (*route, name), left)
        if below:
            inner[name] = {"kind": type(part).__name__, **below}
    if inner:
        told["steps"] = inner
    return told


def _steps(found: Any) -> Iterator[tuple[str, Any]]:
    for attribute in ("steps", "transformers_"):
        steps = getattr(found, attribute, None)
        for step in steps if isinstance(steps, list | tuple) else ():
            if isinstance(step, tuple) and len(step) >= 2 and not isinstance(step[1], str):
                yield str(step[0]), step[1]


def _whole(value: Any) -> Data:
    """Return arrays, or lists of them, as lists of numbers and texts; raises _Unfit."""
    size = getattr(value, "size", None)
    if isinstance(size, int) and size > _MAX:
        raise _many(size)
    found = _plain(value)
    if (count := _count(found)) > _MAX:
        raise _many(count)
    return found


def _many(count: int) -> _Unfit:
    return _Unfit(f"{count:,} values, where {_MAX:,} are the most")


def _count(node: Data) -> int:
    return sum(map(_count, node)) if isinstance(node, list) else 1


def _plain(value: Any) -> Data:
    rows = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(rows, list | tuple):
        return list[Data](_plain(one) for one in rows)
    if isinstance(rows, float):
        return rows if math.isfinite(rows) else str(rows)
    if rows is None or isinstance(rows, bool | int | str):
        return rows
    raise _Unfit(f"no file here holds a {type(rows).__name__}")
