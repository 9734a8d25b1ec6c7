"""Request ids: UUIDv7, so that an id alone says in which hour its record lies."""

from __future__ import annotations

import secrets
import time
import uuid


def request_id() -> str:
    """Return a new UUIDv7 (RFC 9562): milliseconds since 1970 in front, random bits behind."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds << 80) | secrets.randbits(80)
    value = (value & ~(0xF << 76)) | (0x7 << 76)
    value = (value & ~(0x3 << 62)) | (0x2 << 62)
    return str(uuid.UUID(int=value))
