"""How a plain scalar is typed, and which ones are refused because YAML dialects disagree on them.

Compared: YAML 1.1 (PyYAML), YAML 1.2 (ruamel.yaml, the core schema), and go-yaml v3.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from modelspec.tree.data import Scalar

MAX_INTEGER: Final = 2**53 - 1
"""RFC 8785 numbers are IEEE doubles: larger integers have no canonical form."""

_WORDS: Final[dict[str, Scalar]] = {"": None, "null": None, "~": None, "true": True, "false": False}
_MEANT: Final = {
    spelling: meant
    for meant, words in {
        "true": ("y", "yes", "on", "true"),
        "false": ("n", "no", "off", "false"),
        "null": ("null",),
    }.items()
    for word in words
    for spelling in (word, word.capitalize(), word.upper())
    if spelling not in _WORDS
}
"""Words that some reader takes for a truth value or a null -> how that is written here."""
_INFINITE: Final = frozenset(
    sign + word for sign in ("", "+", "-") for word in (".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN")
)
_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)")
_FLOAT: Final = re.compile(r"-?(?:0|[1-9][0-9]*)\.[0-9]+(?:[eE][-+][0-9]+)?")
_NUMERIC_SOMEWHERE: Final = re.compile(
    r"""[-+]?0[bB][01_]+ | [-+]?0[oO]?[0-7_]+ | [-+]?0[xX][0-9a-fA-F_]+        # other bases
      | [-+]?(?:\.[0-9_]+|[0-9_]+(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9_]+)?          # decimal
      | [-+]?[0-9][0-9_]*(?::[0-9]{1,2})+(?:\.[0-9_]*)?                        # sexagesimal
      | [0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:(?:[Tt]|[ \t]+)[0-9].*)?              # dates
    """,
    re.VERBOSE,
)
_OTHER_BASE: Final = re.compile(r"([-+]?)0(?:[xX]([0-9a-fA-F]+)|[oO]([0-7]+)|[bB]([01]+))")
_STARTS_NUMERIC: Final = frozenset("0123456789+-.")


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Why a plain scalar is refused (said after the words `a plain X`), and what to write instead."""

    why: str
    fix: str
    meant: str = ""
    """The one spelling that all readers take for what was probably meant; "" where there is none."""


_DIFFER: Final = "is read differently by different readers of YAML"


def plain(text: str) -> Scalar | Ambiguous:
    """Return the value of a plain scalar, or what to write in its place when readers disagree on it."""
    # Documents repeat their short words: remembered, they cost a look-up and share one object.
    return _remembered(text) if len(text) <= _SHORT else _typed(text)


def _typed(text: str) -> Scalar | Ambiguous:
    if text in _WORDS:
        return _WORDS[text]
    if text in _MEANT:
        meant = _MEANT[text]
        why = f"is written {meant} here" if text.lower() == meant else _DIFFER
        return Ambiguous(why, f"{_quoted(text)}, or write {meant}", meant)
    if text in _INFINITE:
        return Ambiguous("is no finite number", _quoted(text))
    if text == "<<":
        return Ambiguous("is YAML's merge key, which is not allowed", "write the keys out, or quote it")
    if text == "=":
        return Ambiguous(_DIFFER, _quoted(text))
    if text[0] not in _STARTS_NUMERIC:
        return text
    if _INTEGER.fullmatch(text):
        # int() refuses over 4,300 digits; anything near that is out of range anyway.
        if len(text) > 17 or abs(int(text)) > MAX_INTEGER:
            return Ambiguous(f"is beyond ±{MAX_INTEGER}, where numbers are no longer exact", "quote it")
        return int(text)
    if _FLOAT.fullmatch(text):
        return _float(text)
    if _NUMERIC_SOMEWHERE.fullmatch(text):
        number = _meant_number(text.replace("_", ""))
        hint = "" if number is None else f", or write {number} for the number"
        return Ambiguous(_DIFFER, _quoted(text) + hint, number or "")
    return text


_SHORT: Final = 40
_remembered: Final = lru_cache(maxsize=8192)(_typed)


def _float(text: str) -> float | Ambiguous:
    value = float(text)
    if not math.isfinite(value):
        return Ambiguous("is too large for a double", "quote it")
    # A number that becomes zero on the way is not the number that was written.
    if value == 0 and re.search("[1-9]", re.split("[eE]", text)[0]):
        return Ambiguous("is too small for a double", "quote it")
    return value


def _quoted(text: str) -> str:
    return f'quote it ("{text}")' if len(text) <= 64 else "quote it"


def _meant_number(text: str) -> str | None:
    """Return how a number is written that was spelled in a way of its own, or None when it is unclear."""
    base = _OTHER_BASE.fullmatch(text)
    if base is not None:
        sign, hexadecimal, octal, binary = base.groups()
        digits, radix = (hexadecimal, 16) if hexadecimal else (octal, 8) if octal else (binary, 2)
        whole = int(digits, radix) if len(digits) <= 64 else MAX_INTEGER + 1
        return f"{'-' if sign == '-' else ''}{whole}" if whole <= MAX_INTEGER else None
    # A leading zero: octal to some readers, decimal to others; which was meant only the author knows.
    if re.match("[-+]?0[0-9]", text):
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    if not math.isfinite(value):
        return None
    if value.is_integer() and abs(value) <= MAX_INTEGER:
        return str(int(value))
    shortest = repr(value)
    return shortest if "." in shortest else shortest.replace("e", ".0e")
