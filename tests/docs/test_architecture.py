"""The picture of the layers says what the import contract says."""

from __future__ import annotations

import tomllib
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PICTURE = ROOT / "docs" / "architecture.svg"
SVG = "{http://www.w3.org/2000/svg}"


@dataclass(frozen=True)
class Box:
    """Where a layer is drawn, in the picture's units; y grows downwards."""

    name: str
    colour: str
    left: float
    top: float
    right: float
    bottom: float


def contract(kind: str) -> list[dict[str, object]]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        contracts = tomllib.load(file)["tool"]["importlinter"]["contracts"]
    return [one for one in contracts if one["type"] == kind]


def layers() -> list[list[str]]:
    """Return the layers of the contract from the top, each with the packages that stand side by side."""
    (found,) = contract("layers")
    return [[name.strip() for name in row.split("|")] for row in found["layers"]]  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def boxes() -> dict[str, Box]:
    found = {}
    for group in ET.parse(PICTURE).getroot().iter(f"{SVG}g"):
        name = group.get("data-layer")
        if name is None:
            continue
        rect = group.find(f"{SVG}rect")
        assert rect is not None
        left, top, width, height = (float(rect.get(key, "")) for key in ("x", "y", "width", "height"))
        found[name] = Box(name, rect.get("class", ""), left, top, left + width, top + height)
        label = group.find(f"{SVG}text")
        assert label is not None
        assert label.text == name
    return found


def test_every_layer_is_drawn_once(boxes: dict[str, Box]) -> None:
    assert sorted(boxes) == sorted(name for row in layers() for name in row)


def test_what_lies_above_may_import_what_lies_below(boxes: dict[str, Box]) -> None:
    rank = {name: number for number, row in enumerate(layers()) for name in row}
    for upper in boxes.values():
        for lower in boxes.values():
            share_a_column = upper.left < lower.right and lower.left < upper.right
            if upper is not lower and share_a_column:
                assert (upper.bottom <= lower.top) == (rank[upper.name] < rank[lower.name]), (upper, lower)


def test_what_may_not_import_world_stands_in_another_column(boxes: dict[str, Box]) -> None:
    barred = {
        str(name).removeprefix("modelspec.")
        for one in contract("forbidden")
        if one["forbidden_modules"] == ["modelspec.world"]
        for name in one["source_modules"]  # type: ignore[attr-defined]
    }
    assert barred == {name for name, box in boxes.items() if box.colour == "core"}
    assert all(boxes[name].right <= boxes["world"].left for name in barred)


def test_the_table_names_the_layers_in_the_order_of_the_contract() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    rows = [line.split("`")[1] for line in text.splitlines() if line.startswith("| `")]
    assert rows == [name for row in layers() for name in row]


def test_the_picture_is_readable_in_the_dark() -> None:
    style = PICTURE.read_text()
    light, _, dark = style.partition("@media (prefers-color-scheme: dark)")
    classes = [
        line.split("{")[0].strip() for line in light.split("<style>")[1].splitlines() if "fill:" in line
    ]
    for name in classes:
        if "fill: none" not in light.split(name)[1].split("}")[0]:
            assert all(part.strip() in dark for part in name.split(",")), name
