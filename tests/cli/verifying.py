"""The example with its artifacts, and what `verify` says of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from conftest import ROOT

ETA = "sha256-a874cb04b712ac095cea11e4463842290fc72b7892556154f0bbdc5a2782c5ce"
PRODUCTION = "registry/environments/production/environment.yaml"


@pytest.fixture
def stored(example: Path) -> Path:
    """The example with its store."""
    shutil.copytree(ROOT / "store", example / "store")
    return example


def rows(text: str) -> dict[str, dict[str, object]]:
    return {f"{row['model']}@{row['version']}": row for row in json.loads(text)["versions"]}


def damage(root: Path) -> None:
    model = root / "store" / ETA / "model.onnx"
    model.chmod(0o644)
    data = bytearray(model.read_bytes())
    data[100] ^= 1
    model.write_bytes(data)
