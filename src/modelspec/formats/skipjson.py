"""JSON of which the value of one key is passed over: in memory is the rest, however much lies there."""

from __future__ import annotations

import re
from typing import BinaryIO, Final

from modelspec.formats.foreign import Unreadable

_CHUNK: Final = 1024 * 1024
_SPACES: Final = 64
_OUTSIDE: Final = re.compile(rb'["\[\]{}]')
_INSIDE: Final = re.compile(rb'["\\]')


def without(stream: BinaryIO, key: str, most: int) -> bytes:
    """Return the rest of a stream as JSON, with null for each map or list that is the value of a key.

    Of what is passed over only the end is looked for: it need not be JSON. Raises Unreadable when the rest
    has more than `most` bytes.
    """
    # A quote within a text is escaped: these bytes are a key, or the end of a longer one.
    begins = re.compile(rb'"%s"\s{0,%d}:\s{0,%d}[\[{]' % (re.escape(key.encode()), _SPACES, _SPACES))
    kept, tail = bytearray(), b""
    while True:
        chunk = stream.read(_CHUNK)
        both = tail + chunk
        match = begins.search(both)
        if match is not None:
            kept += both[: match.end() - 1] + b"null"
            tail = _behind(stream, both[match.end() :])
        else:
            # What begins at the end is looked at with what follows.
            end = max(0, len(both) - len(key) - 2 * _SPACES - 4) if chunk else len(both)
            kept += both[:end]
            tail = both[end:]
        if len(kept) > most:
            raise Unreadable(f"it holds more than {most:,} bytes besides its `{key}`")
        if not chunk and match is None:
            return bytes(kept)


def _behind(stream: BinaryIO, data: bytes) -> bytes:
    """Read to the end of a map or list that has begun; return what was read of what follows it."""
    depth, at, text = 1, 0, False
    while True:
        while (match := (_INSIDE if text else _OUTSIDE).search(data, at)) is not None:
            mark, at = match[0], match.end()
            if mark == b"\\":
                at += 1
            elif mark == b'"':
                text = not text
            elif mark in (b"[", b"{"):
                depth += 1
            else:
                depth -= 1
                if not depth:
                    return data[at:]
        # One byte too far is the one that a backslash at the very end escapes.
        at = max(0, at - len(data))
        data = stream.read(_CHUNK)
        if not data:
            return b""
