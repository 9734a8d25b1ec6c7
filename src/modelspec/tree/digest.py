"""The two digests: of a document as data (RFC 8785), and of a tree of files (the `sha256sum` listing)."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from typing import Any, Final

import rfc8785

from modelspec.tree.data import Data

DIGEST = r"sha256:[0-9a-f]{64}"
_DIGEST = re.compile(DIGEST)
_EXACT: Final = 2**53
"""Up to here a double that has no fraction is written as the integer that it equals."""
_encode: Final = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, sort_keys=True, separators=(",", ":")
).encode


def is_digest(text: str) -> bool:
    """Whether the whole text is `sha256:` and 64 lower-case hex digits."""
    return _DIGEST.fullmatch(text) is not None


def sha256(data: bytes) -> str:
    """Return the digest of bytes: `sha256:<hex>`."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def canonical(data: Data) -> bytes:
    """Return the RFC 8785 canonical JSON of the data.

    Python's own encoder, in C, writes the same bytes for nearly every document, in a seventh of the time;
    the few where it would not (see `_simple`) go to the reference implementation.
    """
    try:
        return _encode(_simple(data)).encode()
    except _Special:
        return rfc8785.dumps(data)


class _Special(Exception):
    """This document holds what Python's encoder writes differently."""


def _simple(node: Any) -> Any:
    """Return the node with whole floats as integers.

    Raises _Special for keys that UTF-16 may order differently (any that are not ASCII), floats that Python
    writes with an exponent, numbers that RFC 8785 has no form for, and what is not data.
    """
    kind = type(node)
    if kind is str or kind is bool or node is None:
        return node
    if kind is dict:
        if not all(type(key) is str and key.isascii() for key in node):
            raise _Special
        return {key: _simple(value) for key, value in node.items()}
    if kind is list:
        return [_simple(item) for item in node]
    if kind is int and -_EXACT < node < _EXACT:
        return node
    if kind is float and (node == 0 or 1e-4 <= abs(node) < _EXACT):
        whole = int(node)
        return whole if whole == node else node
    raise _Special


def spec_digest(data: Data) -> str:
    """Return the digest of a document: sha256 of its RFC 8785 canonical JSON.

    It covers what the author wrote as data: layout, comments and the spelling of equal numbers do not
    count, everything else does.
    """
    return sha256(canonical(data))


def listing(files: Iterable[tuple[str, str]]) -> bytes:
    """Return what `sha256sum` prints for (path, digest) pairs, sorted by path in byte order."""
    rows = sorted((path.encode(), digest.removeprefix("sha256:").encode()) for path, digest in files)
    return b"".join(hexa + b"  " + path + b"\n" for path, hexa in rows)


def artifact_digest(files: Iterable[tuple[str, str]]) -> str:
    """Return the digest of a tree of files, given (path, digest) of each: sha256 of its listing."""
    return sha256(listing(files))


def stamp(digest: str) -> str:
    """Return the digest as it stands on outputs and records: `sha256-<hex>`."""
    return digest.replace(":", "-", 1)


def short(digest: str) -> str:
    """Return the digest as people read it: `sha256:` and its first 12 hex digits."""
    return digest[: len("sha256:") + 12]
