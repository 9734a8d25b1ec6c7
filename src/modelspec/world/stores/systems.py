"""File systems of fsspec: opened with the libraries' own settings, asked again where a network broke it.

Endpoints and credentials come from the libraries' own chains (environment, profiles, ~/.config/fsspec), and
what their errors say is not repeated, since it may hold either.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final

from modelspec.tree.finding import Refusal
from modelspec.world.stores.packages import absent
from modelspec.world.stores.retried import CONNECT, READ, kind_of, retried
from modelspec.world.stores.web import SCHEMES, client

PART: Final = 8 * 1024 * 1024
"""Bytes of one request: what a broken connection costs, and what each of `WORKERS` holds in memory."""
WORKERS: Final = 4
_OPENING: Final = threading.Lock()
_RIGHTS: Final = "give yourself the right to it where your credentials come from"


class ShortAnswerError(OSError):
    """A server gave fewer bytes, or more, than it said that there are."""


def asked(shown: str, what: str, call: Callable[[], Any]) -> Any:
    """Return what a file system answers, tried again where a network may have broken it.

    Raises Refusal when it stays broken or there is no right to it, or nowhere to write; FileNotFoundError is
    an answer to what is read.
    """
    try:
        return retried(f"{shown} can't be {what}", call)
    except PermissionError as error:
        raise Refusal(f"{shown} can't be {what}: {kind_of(error)}", _RIGHTS) from None
    except FileNotFoundError:
        if what != "written":
            raise
        raise Refusal(
            f"{shown} can't be written: there is no such bucket or folder", "make it first"
        ) from None


def file_system(scheme: str, **more: bool | str) -> Any:
    """Return the fsspec file system of a scheme; raises Refusal when its package is not installed."""
    try:
        import fsspec

        options: dict[str, Any] = {"use_listings_cache": False} if scheme in ("s3", *SCHEMES) else {}
        if scheme in SCHEMES:
            options["client_kwargs"] = client()
        if scheme == "s3":
            once = {"connect_timeout": CONNECT, "read_timeout": READ, "retries": {"max_attempts": 0}}
            options["config_kwargs"] = once
        with _OPENING:
            system = fsspec.filesystem(scheme, **options, **more)
        if scheme == "s3":
            # What fails is tried again by `retried`, and by nobody else: tries of tries take minutes.
            system.retries = 1
        return system
    except (ImportError, ValueError):
        raise absent(scheme) from None


def opened(system: Any, key: str, mode: str) -> Any:
    """Open an object to write, so that it appears only at `commit`, and with `xb` only if there is none."""
    try:
        return system.open(key, mode, block_size=PART, autocommit=False)
    except (ValueError, NotImplementedError):
        # This library has no conditional write; that there was none was asked a moment ago.
        return system.open(key, "wb", block_size=PART, autocommit=False)
