"""The signature in an MLflow `MLmodel` file: its inputs are fields. MLflow itself is never imported."""

from __future__ import annotations

from typing import Any, Final

from modelspec.formats.foreign import Draft, Imported, Unreadable, words
from modelspec.formats.strictjson import read_json
from modelspec.tree.data import Data
from modelspec.tree.text import visible

COLUMNS: Final = {
    "boolean": "bool", "integer": "int32", "long": "int64", "float": "float32", "double": "float64",
    "string": "string", "binary": "bytes", "datetime": "timestamp",
}  # fmt: skip
TENSORS: Final = frozenset(
    ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "float16", "float32", "float64"]
)  # fmt: skip
_MAX_DEPTH: Final = 16


def from_mlmodel(data: Any) -> Imported:
    """Return the inputs of the signature of an MLmodel file, given as data; raises Unreadable."""
    signature = data.get("signature") if isinstance(data, dict) else None
    if not isinstance(signature, dict) or not signature.get("inputs"):
        raise Unreadable(
            "the model has no signature with inputs", "log it with a signature, and import again"
        )
    inputs = _schema(signature["inputs"])
    draft = Draft("an MLflow signature")
    for number, column in enumerate(inputs):
        if not isinstance(column, dict):
            raise Unreadable(f"input {number} of the signature is no map")
        _column(draft, column, number)
    for key in ("outputs", "params"):
        if signature.get(key) not in (None, "", "null"):
            belongs = "a version's `signature`" if key == "outputs" else "a version's `config`"
            draft.note(None, f"the signature's {key} are left out: they belong into {belongs}")
    return draft.finish()


def _schema(written: Any) -> list[Any]:
    """Return the inputs; MLflow writes them as JSON in a text of the YAML."""
    found: Any = read_json(written.encode()) if isinstance(written, str) else written
    if not isinstance(found, list):
        raise Unreadable("the inputs of the signature are no list")
    return found


def _column(draft: Draft, column: dict[str, Any], number: int) -> None:
    name, kind = column.get("name"), column.get("type")
    if name is None:
        name = f"column_{number}"
        draft.note(name, f"has no name in the source: it is input {number}, by position")
    name, required = str(name), column.get("required", not column.get("optional", False))
    nullable = None if required in (True, "true") else True
    if kind == "tensor":
        _tensor(draft, name, column, nullable)
    else:
        _typed(draft, name, column, nullable, [], 0)


def _typed(
    draft: Draft, name: str, typed: dict[str, Any], nullable: bool | None, shape: list[Data], depth: int
) -> None:
    kind = typed.get("type")
    if depth > _MAX_DEPTH:
        raise Unreadable(f"{visible(name)} is nested deeper than {_MAX_DEPTH} levels")
    if isinstance(kind, str) and kind in COLUMNS:
        draft.add(name, COLUMNS[kind], nullable=nullable, shape=shape)
    elif kind == "array" and isinstance(typed.get("items"), dict):
        _typed(draft, name, typed["items"], nullable, [*shape, -1], depth + 1)
    elif kind == "object" and isinstance(typed.get("properties"), dict) and not shape:
        draft.note(None, f"the properties of {visible(name)} are fields of their own here")
        for key, inner in typed["properties"].items():
            if not isinstance(inner, dict):
                raise Unreadable(f"the property {visible(key)} of {visible(name)} is no map")
            optional = nullable or inner.get("required") is False or None
            _typed(draft, f"{name}.{key}", inner, optional, [], depth + 1)
    else:
        draft.lost(name, f"no field is {visible(str(kind), 40)}{' in a list' if shape else ''}")


def _tensor(draft: Draft, name: str, column: dict[str, Any], nullable: bool | None) -> None:
    spec = column.get("tensor-spec")
    if not isinstance(spec, dict) or not isinstance(spec.get("shape"), list):
        raise Unreadable(f"the tensor {visible(name)} has no `tensor-spec` with a shape")
    dtype, shape = str(spec.get("dtype")), list(spec["shape"])
    if not all(type(size) is int for size in shape):
        raise Unreadable(f"the shape of {visible(name)} is no list of whole numbers")
    ours = {"str": "string", "object": "string", "bytes": "bytes"}.get(
        dtype, dtype if dtype in TENSORS else ""
    )
    if not ours:
        draft.lost(name, f"no field is {visible(dtype, 40)}")
        return
    rest = [size if size > 0 else -1 for size in (shape[1:] if shape[:1] == [-1] else shape)]
    called = draft.add(name, ours, shape=[] if rest == [1] else list(rest), nullable=nullable)
    if dtype == "object":
        draft.note(called, "is `object` in the source, which says nothing of its type: taken for text")
    if rest not in ([], [1]):
        dims = words(str(size) for size in rest)
        draft.note(
            called, f"one value has the shape [{dims}]: a tensor's columns have no names in the source"
        )
