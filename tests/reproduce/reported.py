"""What reproduce.json says, for the tests beside this file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modelspec.tree.yaml import read


def report(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "reproduce.json").read_text())
    assert found["format"] == "modelspec/reproduce/1"
    return found


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def states(found: Mapping[str, Any]) -> dict[str, str]:
    return {f"{part['component']}/{part['what']}": part["state"] for part in found["parts"]}


def part(found: Mapping[str, Any], what: str) -> dict[str, Any]:
    [one] = [one for one in found["parts"] if one["what"] == what]
    return dict(one)


def tree_of(root: Path, digest: str) -> Path:
    return root / "store" / digest.replace(":", "-")


def version_data(root: Path) -> dict[str, Any]:
    data, _ = read((root / "registry/models/eta/versions/3.0.1.yaml").read_bytes())
    assert isinstance(data, dict)
    return data
