"""What XGBoost's and LightGBM's model files say of themselves; the trees are skipped."""

from __future__ import annotations

import re
from typing import Any, BinaryIO, Final

from modelspec.formats.foreign import Unreadable
from modelspec.formats.skipjson import without
from modelspec.formats.ubjson import read_ubjson
from modelspec.tree.data import Data

_LIGHTGBM: Final = re.compile(rb"tree\r?\nversion=v[0-9]+\r?\n")
_JSON: Final = re.compile(rb'\s*\{\s*"(?:learner|version)"\s*:')
# A map whose first key, of eight or one byte of length, is "learner" or "version".
_UBJSON: Final = re.compile(rb"\{(?:[iU]\x07|I\x00\x07|l\x00{3}\x07|L\x00{7}\x07)(?:learner|version)")
_WIDTH: Final = re.compile(r"[0-9]{1,9}")
_HEADER: Final = 8 * 1024 * 1024
_TREES: Final = "gradient_booster"
_MAX_JSON: Final = 512 * 1024 * 1024
_MAX_REST: Final = 8 * 1024 * 1024
"""The most bytes of a model's JSON without its trees: names, parameters, attributes."""


def is_lightgbm(head: bytes) -> bool:
    """Whether it begins as LightGBM's text does."""
    return _LIGHTGBM.match(head) is not None


def is_xgboost(head: bytes) -> bool:
    """Whether it begins as XGBoost's JSON or UBJSON does."""
    return _JSON.match(head) is not None or _UBJSON.match(head) is not None


def from_lightgbm(stream: BinaryIO) -> dict[str, Data]:
    """Return what the header of a LightGBM model says; raises Unreadable when it is cut off."""
    stream.seek(0)
    text = stream.read(_HEADER).decode("utf-8", "replace")
    header, mark, _ = text.partition("\nTree=0")
    lines = dict(line.split("=", 1) for line in header.splitlines() if "=" in line)
    stream.seek(0, 2)
    stream.seek(max(stream.tell() - _HEADER, 0))
    if not mark or b"end of trees" not in stream.read(_HEADER):
        raise Unreadable("it is a LightGBM model that is cut off", "save it again")
    names = lines.get("feature_names", "").split()
    found: dict[str, Data] = {"producer": f"lightgbm {lines.get('version', '')}".strip()}
    if _WIDTH.fullmatch(lines.get("max_feature_idx", "")):
        found["width"] = int(lines["max_feature_idx"]) + 1
    if names:
        found["names"] = list[Data](names)
    objective = lines.get("objective", "").split()
    if objective:
        found["objective"] = objective[0]
    return found


def from_xgboost(stream: BinaryIO) -> dict[str, Data]:
    """Return what an XGBoost model says of itself, without its trees; raises Unreadable."""
    stream.seek(0)
    head = stream.read(256)
    stream.seek(0)
    data = _json(stream) if _JSON.match(head) else read_ubjson(stream, skip=(_TREES,))
    learner: Any = data.get("learner") if isinstance(data, dict) else None
    if not isinstance(learner, dict):
        raise Unreadable("it is an XGBoost model without a learner", "save it again with save_model")
    version = data.get("version") if isinstance(data, dict) else None
    said = ".".join(str(one) for one in version) if isinstance(version, list) else ""
    found: dict[str, Data] = {"producer": f"xgboost {said}".strip()}
    param, objective = learner.get("learner_model_param"), learner.get("objective")
    width = str(param.get("num_feature", "")) if isinstance(param, dict) else ""
    if _WIDTH.fullmatch(width):
        found["width"] = int(width)
    names = learner.get("feature_names")
    if isinstance(names, list) and names:
        found["names"] = [str(one) for one in names]
    if isinstance(objective, dict) and isinstance(objective.get("name"), str):
        found["objective"] = objective["name"]
    return found


def _json(stream: BinaryIO) -> Data:
    """Read it without its trees: JSON has no lengths to skip by, so all of it is gone through."""
    import json

    if stream.seek(0, 2) > _MAX_JSON:
        raise Unreadable("it is an XGBoost model of more than 512 MiB of JSON", "save it as .ubj")
    stream.seek(0)
    source = without(stream, _TREES, _MAX_REST)
    try:
        data: Data = json.loads(source)
    except (ValueError, RecursionError):
        raise Unreadable("it is an XGBoost model that is cut off or damaged", "save it again") from None
    return data
