"""Names and numbers that serving systems put limits on."""

from __future__ import annotations

import hashlib
import re
from typing import Final

from modelspec.spec.target import Naming

_FITS: Final = {
    "dns-label": re.compile(r"[a-z](?:[a-z0-9-]*[a-z0-9])?"),
    "dns-subdomain": re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*"),
    "identifier": re.compile(r"[A-Za-z_][A-Za-z0-9_]*"),
    "path": re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?"),
}
_STRANGE: Final = {
    "dns-label": re.compile(r"[^a-z0-9]+"),
    "dns-subdomain": re.compile(r"[^a-z0-9]+"),
    "identifier": re.compile(r"[^A-Za-z0-9]+"),
    "path": re.compile(r"[^a-z0-9.]+"),
}
_RESERVED: Final = ("canary", "standby", "shadow")
_TAKEN: Final = re.compile(rf".*-(?:{'|'.join(_RESERVED)}|[0-9a-f]{{8}})")
"""Names of models that read like another model's slot, or like a shortened name."""


def object_name(model: str, slot: str, naming: Naming) -> str:
    """Return the name of the object that serves a slot of a model, different for every (model, slot).

    It is the model for stable and `<model>-<slot>` for canary, standby and shadow. Where that does not fit
    the pattern, is too long, or could be another slot's, and for variants always (`a-b` is also a name of
    a model), it ends in eight hex digits of a hash.
    """
    plain = model if slot == "stable" else f"{model}-{slot}"
    clear = not _TAKEN.fullmatch(model) if slot == "stable" else slot in _RESERVED
    if clear and len(plain) <= naming.max and _FITS[naming.pattern].fullmatch(plain):
        return plain
    joint = "_" if naming.pattern == "identifier" else "-"
    head = _STRANGE[naming.pattern].sub(joint, plain)
    if not head[0].isalpha():
        head = "m" + joint + head
    tail = hashlib.sha256(f"{model}/{slot}".encode()).hexdigest()[:8]
    return head[: naming.max - 9].rstrip("-_.") + joint + tail


_PARTS: Final = re.compile(r"([0-9]+)\.([0-9]+)\.([0-9]+)(?:-rc\.([0-9]+))?")


def integer(version: str) -> int | None:
    """Return the version as an integer that keeps its order, or None where it does not fit.

    major·10⁹ + minor·10⁶ + patch·10³ + (n of `-rc.n`, else 999); minor and patch up to 999, n up to 998.
    """
    match = _PARTS.fullmatch(version)
    if match is None:
        return None
    major, minor, patch = (int(part) for part in match.groups()[:3])
    candidate = 999 if match.group(4) is None else int(match.group(4))
    if minor > 999 or patch > 999 or (match.group(4) is not None and candidate > 998):
        return None
    number = major * 10**9 + minor * 10**6 + patch * 10**3 + candidate
    return number if number < 2**53 else None
