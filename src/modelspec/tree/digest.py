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
"""From here on not every integer is a double of its own."""
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

    Python's own encoder, in C, writes the same bytes for nearly every document, in a tenth of the time;
    the few where it would not (see `_is_simple`) go to the reference implementation.
    """
    return _encode(data).encode() if _is_simple(data) else rfc8785.dumps(data)


def _is_simple(node: Any) -> bool:
    """Whether Python's encoder writes the node as RFC 8785 does.

    It does not for keys that UTF-16 may order differently (any that are not ASCII), floats that are whole or
    that Python writes with an exponent, numbers that RFC 8785 has no form for, and what is not data.
    """
    kind = type(node)
    if kind is dict:
        for key, value in node.items():
            if type(key) is not str or not key.isascii():
                return False
            if type(value) is not str and not _is_simple(value):
                return False
        return True
    if kind is list:
        return all(type(item) is str or _is_simple(item) for item in node)
    if kind is float:
        return not node.is_integer() and 1e-4 <= abs(node) < _EXACT
    return kind is str or kind is bool or node is None or (kind is int and -_EXACT < node < _EXACT)


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
