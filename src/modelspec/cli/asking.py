"""Asks a person at a terminal for what a version still lacks."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from modelspec.change.proposal import Declined
from modelspec.tree.data import Data
from modelspec.world.signals import typed

if TYPE_CHECKING:
    from modelspec.api.lacking import Lack
    from modelspec.api.register import Captured
    from modelspec.spec.registry import Registry


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
        # A file is named by an option: what is in it has to be read.
        lack = next((one for one in open_ if one.component != "signature" and one.key != "lock"), None)
        if lack is None:
            return captured
        passed.add((lack.component, lack.key))
        text = line(f"{lack.component}: {lack.what} (or `unknown: why`): ").strip()
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

    if text.removesuffix(":").strip() == "unknown":
        return "say why it is lost, as in `unknown: deleted in 2024`"
    if not text.startswith("unknown:") and (slip := misshapen(lack.component, lack.key, text)) is not None:
        return slip
    try:
        answered = _answered(captured, lack, text)
    except click.UsageError as error:
        return error.message
    found = missing(registry, answered)
    return f"{found.message} ({found.fix})" if isinstance(found, Declined) else answered


def _answered(captured: Captured, lack: Lack, text: str) -> Captured:
    parts = dict(captured.parts)
    reason = text.removeprefix("unknown:").strip()
    if text.startswith("unknown:") and reason:
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
