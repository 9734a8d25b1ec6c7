"""The example's own versions as a compiled config would describe them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from modelspec.tree.digest import spec_digest, stamp

ROOT = Path(__file__).resolve().parents[2]
STORE = ROOT / "store"


def _tensors(tensors: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: tensor[key] for key in ("name", "dtype", "shape")} for tensor in tensors]


def describe(model: str, version: str, slot: str = "stable") -> dict[str, Any]:
    """The `modelspec` map of one version of the example."""
    data = yaml.safe_load((ROOT / f"registry/models/{model}/versions/{version}.yaml").read_text())
    digest = spec_digest(data)
    return {
        "model": model,
        "version": version,
        "digest": digest,
        "stamp": stamp(digest),
        "environment": "production",
        "slot": slot,
        "artifact": {"digest": data["artifact"]["digest"], "files": data["artifact"]["files"]},
        "threads": data["runtime"]["threads"],
        "inputs": _tensors(data["signature"]["inputs"]),
        "outputs": _tensors(data["signature"]["outputs"]),
        "fields": [
            {"input": tensor["name"], "field": name, "width": 1, "sensitive": False}
            for tensor in data["signature"]["inputs"]
            for name in tensor["from"]
        ],
    }


@pytest.fixture(scope="session", name="describe")
def describe_fixture() -> Callable[..., dict[str, Any]]:
    """Describe one version of the example."""
    return describe


@pytest.fixture(scope="session")
def store() -> Path:
    """The example's store."""
    return STORE
