"""Edits of a model's file: the lines of `retired`."""

from __future__ import annotations

from typing import Final

from modelspec.change.edit import Unedited, put_line, set_key
from modelspec.change.words import written
from modelspec.spec.base import ref_name
from modelspec.spec.model import Model, Retired

MODEL_KEYS: Final = ("apiVersion", "kind", "model", "owner", "description", "retired")


def retired(
    source: bytes, model: Model, ref: str, state: str, reason: str, link: str | None
) -> bytes | Unedited:
    """Add the line of a version, or let `withdrawn` take the place of `archived`."""
    line = _line(ref, state, reason, link)
    if not any(ref_name(one.version) == ref_name(ref) for one in model.retired):
        return put_line(source, "retired", f"- {line}", MODEL_KEYS)
    lines = [line if ref_name(one.version) == ref_name(ref) else _again(one) for one in model.retired]
    return set_key(source, "retired", ["retired:", *(f"  - {one}" for one in lines)], MODEL_KEYS)


def _again(one: Retired) -> str:
    return _line(one.version, one.state, one.reason, one.link)


def _line(ref: str, state: str, reason: str, link: str | None) -> str:
    where = "" if link is None else f", link: {written(link)}"
    return f"{{version: {ref}, state: {state}, reason: {written(reason)}{where}}}"
