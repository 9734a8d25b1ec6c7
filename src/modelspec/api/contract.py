"""The signature of a new version: tensors from the bytes, their meaning from its author or its parent."""

from __future__ import annotations

from collections.abc import Mapping

from modelspec.spec.model import ModelVersion
from modelspec.spec.reader import Entry
from modelspec.tree.data import Data
from modelspec.tree.text import visible


def signed(
    data: Mapping[str, Data],
    inputs: Mapping[str, tuple[str, ...]],
    parent: Entry[ModelVersion] | None,
    notes: list[str],
    *,
    tool: bool = False,
) -> dict[str, Data]:
    """Return `signature` and `request` as far as they are known; `notes` gets what came from the parent.

    Names, types and shapes are the bytes' own where these tell them. What fills an input, a unit, classes:
    as given, else as the parent has it for the same tensor. `tool`: the given signature is no word of the
    author's, but a tool's, which has no place to say what a tensor means.
    """
    before = parent.document.data if parent is not None else None
    old = before.get("signature") if isinstance(before, dict) else None
    given = data.get("signature")
    found: dict[str, Data] = {}
    meant: list[str] = []
    for key in ("inputs", "outputs"):
        stated = tensors(given, key)
        seen = tensors(_observed(data), key) or stated or tensors(old, key)
        meaning = {} if tool else stated
        known = _meant(tensors(old, key), data.get("features"))
        told = [_one(tensor, key, meaning, known, inputs, meant) for tensor in seen.values()]
        # What is stated and not in the bytes stays: a rule says so.
        told += [tensor for name, tensor in stated.items() if name not in seen]
        if told:
            found[key] = list[Data](told)
    if meant:
        notes.append(f"what {', '.join(meant)} mean is what the parent says: look at `signature`")
    whole: dict[str, Data] = {"signature": found} if found else {}
    if "request" not in data and isinstance(before, dict) and before.get("request") and _asks(found):
        whole["request"] = before["request"]
        notes.append("the request's fields are those of the parent: look at `request`")
    return whole


def _one(
    tensor: Mapping[str, Data],
    key: str,
    stated: Mapping[str, dict[str, Data]],
    old: Mapping[str, dict[str, Data]],
    inputs: Mapping[str, tuple[str, ...]],
    meant: list[str],
) -> dict[str, Data]:
    name = str(tensor.get("name"))
    shape = tensor.get("shape")
    plain: dict[str, Data] = {
        "name": name,
        "dtype": tensor.get("dtype"),
        "shape": [one if isinstance(one, int) else -1 for one in shape] if isinstance(shape, list) else [],
    }
    if name in stated:
        plain |= {one: node for one, node in stated[name].items() if one not in plain}
    elif name in old and all(old[name].get(one) == plain[one] for one in plain):
        plain |= {one: node for one, node in old[name].items() if one != "from" or name not in inputs}
        if set(plain) - {"name", "dtype", "shape"}:
            meant.append(visible(name))
    if key == "inputs" and name in inputs:
        plain["from"] = list[Data](inputs[name])
    return plain


def _meant(old: dict[str, dict[str, Data]], features: Data) -> dict[str, dict[str, Data]]:
    """Return the parent's tensors; without the fields of views where it reads none (`features: []`)."""
    if features != []:
        return old
    return {
        name: {one: node for one, node in tensor.items() if one != "from" or not _of_views(node)}
        for name, tensor in old.items()
    }


def _of_views(sources: Data) -> bool:
    return isinstance(sources, list) and any(not str(one).startswith("request.") for one in sources)


def _observed(data: Mapping[str, Data]) -> Data:
    artifact = data.get("artifact")
    return artifact.get("observed") if isinstance(artifact, dict) else None


def tensors(node: Data, key: str) -> dict[str, dict[str, Data]]:
    """Return the `inputs` or `outputs` of a signature by their names."""
    listed = node.get(key) if isinstance(node, dict) else None
    rows = listed if isinstance(listed, list) else []
    return {str(one.get("name")): one for one in rows if isinstance(one, dict)}


def _asks(signature: Mapping[str, Data]) -> bool:
    """Whether an input is filled from the request."""
    for tensor in tensors(dict(signature), "inputs").values():
        sources = tensor.get("from")
        if isinstance(sources, list) and any(str(one).startswith("request.") for one in sources):
            return True
    return False
