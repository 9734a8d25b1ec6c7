"""What an MLflow `MLmodel` says beside its inputs' fields: tensors in and out, flavour, Python, run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from modelspec.formats.foreign import Unreadable
from modelspec.formats.looseyaml import read_yaml
from modelspec.formats.mlflow import COLUMNS, TENSORS
from modelspec.formats.strictjson import read_json
from modelspec.tree.data import Data
from modelspec.tree.text import visible


@dataclass(frozen=True, slots=True)
class MlModel:
    """`signature` as a version has it, as far as the file says it; a column is a tensor of its own.

    `unnamed`: inputs or outputs -> what to say of the names that they got here, as they have none.
    """

    flavour: str | None
    python: str | None
    signature: dict[str, Data]
    notes: tuple[str, ...]
    unnamed: dict[str, str]


def read_mlmodel(source: bytes) -> MlModel:
    """Return what an MLmodel file says; raises Unreadable."""
    data: Any = read_yaml(source)
    flavours = data.get("flavors") if isinstance(data, dict) else None
    if not isinstance(flavours, dict):
        raise Unreadable("it is no MLmodel: it has no flavors")
    own = sorted(name for name in flavours if name != "python_function")
    function = flavours.get("python_function")
    python = function.get("python_version") if isinstance(function, dict) else None
    notes: list[str] = []
    unnamed: dict[str, str] = {}
    signature: dict[str, Data] = {}
    said = data.get("signature") or {}
    if not isinstance(said, dict):
        raise Unreadable("its signature is no map")
    for key in ("inputs", "outputs"):
        written = said.get(key)
        tensors = _tensors(written, key, notes, unnamed) if written else []
        if tensors:
            signature[key] = list[Data](tensors)
    flavour = own[0] if len(own) == 1 else None
    return MlModel(flavour, str(python) if python else None, signature, tuple(notes), unnamed)


def _tensors(written: Any, key: str, notes: list[str], unnamed: dict[str, str]) -> list[dict[str, Data]]:
    rows: Any = read_json(written.encode()) if isinstance(written, str) else written
    found: list[dict[str, Data]] = []
    without: list[str] = []
    rows = [] if rows is None else rows
    if not isinstance(rows, list):
        raise Unreadable(f"{key} of its signature is no list of maps")
    for number, row in enumerate(rows):
        if not isinstance(row, dict):
            raise Unreadable(f"{key} of its signature is no list of maps")
        name = str(row.get("name") or (f"{key[:-1]}_{number}" if len(rows) > 1 else key[:-1]))
        spec = row.get("tensor-spec")
        if isinstance(spec, dict) and isinstance(spec.get("shape"), list):
            dtype, shape = str(spec.get("dtype")), [_size(one) for one in spec["shape"]]
            dtype = {"str": "string", "object": "string"}.get(dtype, dtype if dtype in TENSORS else "")
        else:
            dtype, shape = COLUMNS.get(str(row.get("type")), ""), [-1]
        if not dtype:
            notes.append(f"{key}: {visible(name)} is of a type that no tensor has here, and left out")
            continue
        found.append({"name": name, "dtype": dtype, "shape": list[Data](shape)})
        without += [] if row.get("name") else [name]
    if without:
        # MLflow takes the whole array, or columns by position; whoever asks by a name has to know one.
        called = f"is called {without[0]}" if len(without) == 1 else f"are called {without[0]} and so on"
        count = "one" if len(without) == 1 else str(len(without))
        unnamed[key] = f"{key}: {count} without a name in its MLmodel {called} here (MLServer: {key[:-1]}-0)"
    return found


def _size(node: Any) -> int:
    try:
        return max(int(node), -1)
    except (TypeError, ValueError):
        return -1
