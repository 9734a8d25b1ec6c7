"""`modelspec verdict`."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from modelspec.cli.options import (
    InstantType,
    colours,
    complete,
    complete_versions,
    emit,
    environment_names,
    format_option,
    model_names,
    output_option,
    require_model,
    root_option,
    unknown,
)
from modelspec.cli.source import open_registry

if TYPE_CHECKING:
    from modelspec.api.verdict import Verdicts
    from modelspec.cli.source import Source


@click.command("verdict")
@click.argument("model", shell_complete=complete(model_names))
@click.argument("environment", metavar="ENV", shell_complete=complete(environment_names))
@click.argument("version", required=False, shell_complete=complete_versions)
@click.option("--ref", metavar="REV", help="Judge this git revision; the work tree is not touched.")
@click.option(
    "--now",
    "instant",
    type=InstantType(),
    help="Count the window's days up to this instant; default: now, with --ref the commit's.",
)
@format_option("text", "json")
@output_option
@root_option
def verdict_command(
    model: str,
    environment: str,
    version: str | None,
    ref: str | None,
    instant: datetime | None,
    form: str,
    output: str | None,
    root: str | None,
) -> int:
    """Say whether a version can serve in an environment today, and what has to move with it.

    SAFE, NEEDS REVALIDATION, SAFE WITH CO-PINS (these pins move with it), or UNSAFE. Without VERSION: what
    is pinned, what the window holds, and what ever was stable there, by the first-parent history.

    Exit code: with VERSION 0 when it is SAFE; without, 0 when no version of the window is UNSAFE; else 1.

    \b
    Examples:
      modelspec verdict eta production
      modelspec verdict eta production 3.0.0 --format json
    """
    from modelspec.report.paint import Paint
    from modelspec.report.verdict import verdicts_json, verdicts_summary, verdicts_text

    with open_registry(root, ref) as source:
        found = _judged(source, model, environment, version, ref, instant)
        if form == "json":
            text = verdicts_json(source.registry, found)
        else:
            paint = Paint(output is None and colours())
            text = verdicts_text(source.registry, found, paint) + verdicts_summary(found)
    emit(text, output)
    return 0 if found.good else 1


def _judged(
    source: Source,
    model: str,
    environment: str,
    version: str | None,
    ref: str | None,
    instant: datetime | None,
) -> Verdicts:
    from modelspec.api.verdict import verdict, verdicts
    from modelspec.spec.kinds import VERSION

    registry = source.registry
    require_model(registry, model)
    if environment not in (known := set(environment_names(registry))):
        unknown("environment", environment, known)
    if version is not None:
        published = [name[1] for name in registry.names(VERSION, model)]
        if version not in published:
            unknown(f"version of {model}", version, published)
        return verdict(registry, model, environment, version)
    now = instant or source.instant
    if ref is None and not _in_repository(source):
        return verdicts(registry, model, environment, None, now)
    from modelspec.cli.past import open_past

    with open_past(str(source.root), ref) as past:
        return verdicts(registry, model, environment, past, now)


def _in_repository(source: Source) -> bool:
    """Whether some folder from the root upwards is a git repository's; a broken one is git's to refuse."""
    root = source.root.resolve()
    return any((folder / ".git").exists() for folder in (root, *root.parents))
