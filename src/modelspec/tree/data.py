"""What a strict document holds."""

from __future__ import annotations

from typing import TypeAlias

Scalar: TypeAlias = bool | int | float | str | None
Data: TypeAlias = "Scalar | list[Data] | dict[str, Data]"


def at(data: Data, route: tuple[str | int, ...]) -> Data:
    """Return the node at `route`, or None when there is none."""
    node: Data = data
    for part in route:
        if isinstance(node, dict) and isinstance(part, str):
            node = node.get(part)
        elif isinstance(node, list) and isinstance(part, int) and 0 <= part < len(node):
            node = node[part]
        else:
            return None
    return node


def spelled(node: Data) -> str:
    """Return a scalar as the text that identifies it; "" for a list, a map or nothing."""
    if node is None or isinstance(node, list | dict):
        return ""
    if isinstance(node, bool):
        return "true" if node else "false"
    return str(node)
