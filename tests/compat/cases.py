"""The cases of the change table: one YAML file a group, read for every test that needs them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from modelspec.spec.feature import Feature, FeatureSchema
from modelspec.spec.model import ModelVersion

FOLDER = Path(__file__).parent / "rows"


def cases(group: str) -> list[dict[str, Any]]:
    """Return the cases of a group, in the order of its file."""
    return list(YAML(typ="safe").load((FOLDER / f"{group}.yaml").read_text()))


def schema(number: int, content: dict[str, Any]) -> FeatureSchema:
    """Return a schema of view `v`."""
    head = {"apiVersion": "modelspec/v1", "kind": "FeatureSchema", "view": "v", "number": number}
    return FeatureSchema.model_validate(head | content)


def of_field(number: int, keys: dict[str, Any]) -> FeatureSchema:
    """Return a schema with one field `x`, a float32 unless the keys say otherwise."""
    return schema(number, {"fields": [field(keys).model_dump(by_alias=True, exclude_none=True)]})


def field(keys: dict[str, Any]) -> Feature:
    """Return a field `x`, a float32 unless the keys say otherwise."""
    return Feature.model_validate({"name": "x", "dtype": "float32"} | keys)


def sides(case: dict[str, Any]) -> tuple[FeatureSchema, FeatureSchema]:
    """Return the older and the newer schema of a case."""
    if "in_old" in case:
        return schema(1, case["in_old"]), schema(2, case["in_new"])
    return of_field(1, case["old"]), of_field(2, case["new"])


def version(content: dict[str, Any]) -> ModelVersion:
    """Return a version of model `m`; `inputs`, `outputs`, `thresholds` and `captured` may stand at the top."""
    keys = dict(content)
    head: dict[str, Any] = {
        "apiVersion": "modelspec/v1",
        "kind": "ModelVersion",
        "model": "m",
        "version": "1.0.0",
    }
    tensors = {key: keys.pop(key) for key in ("inputs", "outputs") if key in keys}
    head["signature"] = tensors
    if "thresholds" in keys:
        head["config"] = {"thresholds": keys.pop("thresholds")}
    if "captured" in keys:
        head["artifact"] = {"captured": keys.pop("captured")}
    return ModelVersion.model_validate(head | keys)
