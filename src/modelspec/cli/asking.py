"""Asks a person at a terminal for what a version still lacks."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from modelspec.change.proposal import Declined
from modelspec.tree.data import Data
from modelspec.tree.finding import Refusal
from modelspec.world.signals import typed

if TYPE_CHECKING:
    from modelspec.api.lacking import Lack
    from modelspec.api.register import Captured
    from modelspec.spec.registry import Registry

_Read = TypeVar("_Read")
_WHY = "say why it is lost, as in `unknown: deleted in 2024`"


def file_asked(
    ask: Callable[[str], str], component: str, what: str, lost: dict[str, str], read: Callable[[Path], _Read]
) -> _Read | None:
    """Ask for a file and return what `read` makes of it, asking again where it is refused.

    None for an empty answer, and for `unknown: why`, which is noted in `lost`.
    """
    while text := ask(f"{component}: {what} (or `unknown: why`): ").strip():
        if reason := _reason(text):
            lost[component] = reason
            return None
        try:
            if reason is None:
                return read(_path(text))
            click.echo(f"  {_WHY}", err=True)
        except (Refusal, click.UsageError) as error:
            click.echo(f"  {_told(error)}", err=True)
    return None


def _told(error: Refusal | click.UsageError) -> str:
    hint = getattr(error, "hint", None)
    return f"{error.message} ({hint})" if hint else error.message


def _path(text: str) -> Path:
    # A shell does this for what is given as an option.
    return Path(os.path.expanduser(text))  # noqa: PTH111 - Path raises for a user that there is not


def _reason(text: str) -> str | None:
    """Return why something is lost, where an answer says that it is; "" where it does not say why."""
    word, _, reason = text.partition(":")
    return reason.strip() if word.strip() == "unknown" else None


def asked(registry: Registry, captured: Captured) -> Captured:
    """Return it with the answers; an empty answer leaves it missing, `unknown: why` says that it is lost."""
    from modelspec.api.register import missing

    passed: set[tuple[str, str]] = set()
    while True:
        found = missing(registry, captured)
        if isinstance(found, Declined):
            return captured
        open_ = [
            one for one in found if one.option.startswith("--") and (one.component, one.key) not in passed
        ]
        # The lock was asked for where it is read.
        lack = next((one for one in open_ if one.key != "lock"), None)
        if lack is None:
            return captured
        passed.add((lack.component, lack.key))
        lost = "" if lack.component == "signature" else " (or `unknown: why`)"
        text = line(f"{lack.component}: {lack.what}{lost}: ").strip()
        if not text:
            continue
        answered = _tried(registry, captured, lack, text)
        if isinstance(answered, str):
            # A slip must not cost the answers before it.
            click.echo(f"  {answered}", err=True)
            passed.discard((lack.component, lack.key))
        else:
            captured = answered
            _noted(captured, lack)


def _noted(captured: Captured, lack: Lack) -> None:
    """Say of a parameter that is taken for a text what would have been a number."""
    from modelspec.cli.given import texts_noted

    part = captured.parts.get(lack.component)
    told = part.get(lack.key) if isinstance(part, dict) and lack.key == "hyperparameters" else None
    for note in texts_noted(told) if isinstance(told, dict) else ():
        click.echo(f"  note: {note}", err=True)


def line(question: str) -> str:
    """Return what is typed at a question; Ctrl-C and SIGTERM end it at any moment, and so does Ctrl-D."""
    click.echo(question, nl=False, err=True)
    typed(sys.stdin.fileno())
    text = sys.stdin.buffer.readline().decode("utf-8", "replace")
    if not text:
        raise click.Abort
    return text


def _tried(registry: Registry, captured: Captured, lack: Lack, text: str) -> Captured | str:
    """Return it with an answer; as text, why that is none."""
    from modelspec.api.register import missing
    from modelspec.rules.exact import misshapen

    if lack.component == "signature":
        reason = None
    elif (reason := _reason(text)) == "":
        return _WHY
    if reason is None and (slip := misshapen(lack.component, lack.key, text)) is not None:
        return slip
    try:
        answered = _answered(captured, lack, text, reason)
    except (Refusal, click.UsageError) as error:
        return _told(error)
    found = missing(registry, answered)
    return f"{found.message} ({found.fix})" if isinstance(found, Declined) else answered


def _answered(captured: Captured, lack: Lack, text: str, reason: str | None) -> Captured:
    from modelspec.cli.given import mapping

    parts = dict(captured.parts)
    if lack.component == "signature":
        said = mapping(_path(text), "--signature")
        return replace(captured, parts={**parts, "signature": said}, tool=False)
    if reason is not None:
        parts[lack.component] = {"unknown": {"reason": reason}}
        return replace(captured, parts=parts)
    if lack.component == "features":
        if text == "none":
            return replace(captured, parts={**parts, "features": []})
        return replace(captured, features=tuple(text.replace(",", " ").split()))
    part = parts.get(lack.component)
    whole: dict[str, Data] = dict(part) if isinstance(part, dict) else {}
    value = _value(lack, text)
    return replace(captured, parts={**parts, lack.component: {**whole, lack.key: value}})


def _value(lack: Lack, text: str) -> Data:
    from modelspec.cli.given import pairs
    from modelspec.cli.given import typed as value_of

    if lack.key == "hyperparameters":
        told = pairs(tuple(text.split()), "hyperparameters") if text != "none" else {}
        return {key: value_of(value) for key, value in told.items()}
    return text
