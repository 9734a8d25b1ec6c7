"""Files below compiled/ that their manifest does not vouch for: edited by hand, or left behind."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from modelspec.tree.digest import sha256
from modelspec.tree.finding import Fault
from modelspec.tree.snapshot import Snapshot

MANIFEST: Final = "manifest.json"
_PIN_DEPTH: Final = 4
"""compiled / environment / models or features / name."""


def strange(snapshot: Snapshot, paths: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield (path, trouble) for the changed files that are not what a compile wrote; no rendering is needed.

    A file that went is reported at the manifest that still lists it.
    """
    known: dict[str, dict[str, Any] | None] = {}
    for path in paths:
        parts = path.split("/")
        folder, inner = "/".join(parts[:_PIN_DEPTH]), "/".join(parts[_PIN_DEPTH:])
        blob = snapshot.get(path)
        if not inner or inner == MANIFEST:
            if blob is not None and not inner:
                yield path, "no pin has this file: no compile wrote it"
            continue
        if folder not in known:
            known[folder] = _outputs(snapshot, folder)
        outputs = known[folder]
        if blob is None:
            if outputs is not None and inner in outputs:
                yield f"{folder}/{MANIFEST}", f"it lists {inner}, which was deleted"
        elif outputs is None:
            yield path, f"there is no {MANIFEST} that can be read beside it: no compile wrote it"
        elif inner not in outputs:
            yield path, "its manifest does not list it: no compile wrote it"
        else:
            data = blob.read()
            if isinstance(data, Fault) or outputs[inner] != sha256(data):
                yield path, "it is not what its manifest says: it was edited"


def _outputs(snapshot: Snapshot, folder: str) -> dict[str, Any] | None:
    blob = snapshot.get(f"{folder}/{MANIFEST}")
    data = blob.read() if blob is not None else b""
    if isinstance(data, Fault):
        return None
    try:
        manifest = json.loads(data)
    except (ValueError, RecursionError):
        return None
    outputs = manifest.get("outputs") if isinstance(manifest, dict) else None
    return outputs if isinstance(outputs, dict) else None
