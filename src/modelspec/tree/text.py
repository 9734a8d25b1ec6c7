"""The one escaper for untrusted text, and suggestions for words that were mistyped."""

from __future__ import annotations

import re
from collections.abc import Iterable

INVISIBLE = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufdd0-\ufdef\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff"
    "\U00013430-\U0001345f\U0001bca0-\U0001bca3\U0001d159\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
    + "".join(f"{chr(plane | 0xFFFE)}{chr(plane | 0xFFFF)}" for plane in range(0x10000, 0x110000, 0x10000))
)
"""Characters (as a regex class) that a reader of the text can't see or that reorder it.

Controls but tab and line feed, line and paragraph separators, bidi marks, what Unicode calls default
ignorable, and surrogates and noncharacters, which RFC 8785 (by RFC 7493) has no form for.
"""

_HIDDEN = re.compile(f"[\t\n{INVISIBLE}]")
_CI_COMMAND = re.compile(r"(?m)^(\s*)(::|##\[)")


def _escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def visible(text: str, limit: int = 80) -> str:
    """Return untrusted text on one line, every control and invisible character escaped, cut at `limit`.

    CI logs obey lines that begin with `::` or `##[`, so these are broken up too.
    """
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    if cut.isascii() and cut.isprintable() and not cut.lstrip(" ").startswith(("::", "##[")):
        return cut
    return _CI_COMMAND.sub(r"\1\\\2", _HIDDEN.sub(_escape, cut))


def visible_lines(text: str) -> str:
    """Like `visible`, for a text of several lines and of any length: line feeds stay."""
    return "\n".join(visible(line, limit=max(len(line), 1)) for line in text.split("\n"))


def suggestion(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that was most likely meant, or None."""
    # Only a mistyped word needs it.
    import difflib

    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return close[0] if close else None


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """Return `did you mean X?` as a fix, or None when nothing is close."""
    close = suggestion(word, known)
    return None if close is None else f"did you mean {visible(close)}?"


def plural(count: int, noun: str) -> str:
    """Return `1 finding`, `2 findings`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
