"""Writes text of people into a line of YAML: plain where nobody can read it as anything else, else quoted."""

from __future__ import annotations

import json
import re
from typing import Final

from modelspec.tree.yaml import read

# Some words with a space between them are no number, no boolean and no date to any reader.
_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9._/-]*(?: [A-Za-z0-9(>][A-Za-z0-9._/()>-]*)+")
_ADDRESS: Final = re.compile(r"https?://[A-Za-z0-9._~:/?#@!$&*+;=%-]+")


def written(text: str) -> str:
    """Return the scalar that stands for a text, on one line."""
    plain = _PLAIN.fullmatch(text) or _ADDRESS.fullmatch(text)
    return text if plain else json.dumps(text, ensure_ascii=False)


def trouble(text: str) -> str | None:
    """Say why a text can't stand in a file, or None."""
    if not text.strip():
        return "it is empty"
    _, faults = read(f"text: {written(text)}\n".encode("utf-8", "surrogatepass"))
    return faults[0].message if faults else None


def reason(text: str, link: str | None) -> str:
    """Return the flow map of a reason: `{text: Late arrivals, link: https://...}`."""
    return (
        f"{{text: {written(text)}}}" if link is None else f"{{text: {written(text)}, link: {written(link)}}}"
    )
