"""Which ONNX files each release of onnxruntime loads.

Measured, not quoted: for each release below a model of one `Identity` was loaded from its wheel with every
opset and IR version, and the greatest that loads was noted (`benchmarks/onnxruntime_limits.py`). The
published table (onnxruntime.ai, Reference, Compatibility) names the ONNX release that each one implements
and agrees; where a patch release differs, the last one was measured. Releases refuse what is newer than
they know: "Opset N is under development", "Unsupported model IR version".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Limits:
    """The greatest opset of `ai.onnx` and `ai.onnx.ml`, and the greatest IR version."""

    onnx: int
    ml: int
    ir: int

    def of(self, domain: str) -> int | None:
        """Return the greatest opset of a domain, or None where this table knows nothing of it."""
        return {"": self.onnx, "ai.onnx": self.onnx, "ai.onnx.ml": self.ml}.get(domain)


LIMITS: Final[dict[tuple[int, int], Limits]] = {
    (1, 15): Limits(18, 3, 9),
    (1, 16): Limits(19, 3, 9),
    (1, 17): Limits(20, 4, 9),
    (1, 18): Limits(21, 5, 10),
    (1, 19): Limits(21, 5, 10),
    (1, 20): Limits(21, 5, 10),
    (1, 21): Limits(22, 5, 10),
    (1, 22): Limits(22, 5, 10),
    (1, 23): Limits(23, 5, 11),
    (1, 24): Limits(25, 5, 13),
    (1, 25): Limits(26, 5, 13),
    (1, 26): Limits(26, 5, 13),
    (1, 27): Limits(26, 5, 13),
    (1, 28): Limits(26, 5, 13),
    (1, 29): Limits(26, 5, 13),
    (1, 30): Limits(26, 5, 13),
    (1, 31): Limits(26, 5, 13),
    (1, 32): Limits(28, 5, 14),
}
"""By major and minor release."""


def release(version: str) -> tuple[int, int] | None:
    """Return major and minor of a version such as `1.32.0`, or None when it is none."""
    parts = version.split(".")
    if len(parts) < 2 or not all(part.isascii() and part.isdigit() and len(part) < 6 for part in parts[:2]):
        return None
    return int(parts[0]), int(parts[1])


def limits(version: str) -> Limits | None:
    """Return what a release loads, or None for one that was not measured (older or newer than the table)."""
    found = release(version)
    return None if found is None else LIMITS.get(found)
