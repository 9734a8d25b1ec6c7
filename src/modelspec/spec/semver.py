"""The order of versions."""

from __future__ import annotations

import re


def precedence(version: str) -> tuple[object, ...]:
    """Return the key that sorts versions by SemVer precedence (semver.org, section 11)."""
    core, _, prerelease = version.partition("-")
    numbers = tuple(int(part) for part in core.split("."))
    if not prerelease:
        return (*numbers, 1)
    parts = tuple(
        (0, int(part), "") if re.fullmatch("[0-9]+", part) else (1, 0, part) for part in prerelease.split(".")
    )
    return (*numbers, 0, parts)
