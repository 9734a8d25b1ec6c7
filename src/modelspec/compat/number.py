"""Version numbers: what the step from one to another is called, and which one comes next."""

from __future__ import annotations

from typing import TypeAlias

from modelspec.compat.table import Bump

Core: TypeAlias = tuple[int, int, int]


def core(version: str) -> Core:
    """Return major, minor and patch of a version; a prerelease counts as its core."""
    major, minor, patch = version.partition("-")[0].split(".")
    return int(major), int(minor), int(patch)


def asked(now: Core, wanted: Bump) -> Bump:
    """Return the bump that is asked for: on 0.y.z a major counts as a minor."""
    return min(wanted, Bump.MINOR) if now[0] == 0 else wanted


def given(was: Core, now: Core) -> Bump | None:
    """Return the bump from one core to another, or None when it does not go up."""
    if now <= was:
        return None
    return Bump.MAJOR if now[0] > was[0] else Bump.MINOR if now[1] > was[1] else Bump.PATCH


def following(was: Core, bump: Bump) -> str:
    """Return the version that comes after a core with this bump."""
    major, minor, patch = was
    if bump is Bump.MAJOR:
        return f"{major + 1}.0.0"
    return f"{major}.{minor + 1}.0" if bump is Bump.MINOR else f"{major}.{minor}.{patch + 1}"
