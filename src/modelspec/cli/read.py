"""`modelspec list` and `show`: the registry as it is, each version with its state."""

from __future__ import annotations

import json
from collections.abc import Sequence

import click

from modelspec.cli.options import (
    colours,
    complete,
    environment_names,
    format_option,
    model_names,
    require_model,
    root_option,
    unknown,
    version_names,
)
from modelspec.cli.source import open_registry
from modelspec.tree.text import visible


@click.command("list")
@click.argument("model", required=False, shell_complete=complete(model_names))
@click.option(
    "--env", "environment", metavar="ENV", shell_complete=complete(environment_names), help="Only pins of it."
)
@click.option("--ref", metavar="REV", help="Read this git revision; the work tree is not touched.")
@format_option("text", "json")
@root_option
def list_command(
    model: str | None, environment: str | None, ref: str | None, form: str, root: str | None
) -> int:
    """List models and versions, the highest first, each with its state in every environment.

    Exit code: 1 when a file that says so can't be read.

    \b
    Examples:
      modelspec list
      modelspec list eta --env production
    """
    from modelspec.api.states import listed, unread
    from modelspec.report.read import list_json, list_text

    with open_registry(root, ref) as source:
        registry = source.registry
        if model is not None:
            require_model(registry, model)
        if environment is not None and environment not in (known := set(environment_names(registry))):
            unknown("environment", environment, known)
        rows = listed(registry, model, environment)
        lost = unread(registry, model)
        click.echo(
            list_text(rows) if form == "text" else json.dumps(list_json(rows, lost), indent=2) + "\n",
            nl=False,
        )
        return _whole(lost)


@click.command("show")
@click.argument("name", metavar="MODEL[@VERSION]", shell_complete=complete(version_names))
@click.option("--ref", metavar="REV", help="Read this git revision; the work tree is not touched.")
@format_option("text", "json")
@root_option
def show_command(name: str, ref: str | None, form: str, root: str | None) -> int:
    """Show a model with its versions, or one version: digest, states, six components with their level.

    Exit code: 1 when a file that says so can't be read.

    \b
    Examples:
      modelspec show eta
      modelspec show eta@2.3.1 --format json
    """
    from modelspec.api.show import show_model, show_version
    from modelspec.api.states import unread
    from modelspec.report.paint import Paint
    from modelspec.report.read import model_json, model_text, version_json, version_text
    from modelspec.spec.kinds import VERSION

    model, at, version = name.partition("@")
    with open_registry(root, ref) as source:
        registry = source.registry
        require_model(registry, model)
        paint = Paint(colours())
        lost = unread(registry, model)
        if not at:
            shown = show_model(registry, model)
            click.echo(
                model_text(shown, paint)
                if form == "text"
                else json.dumps(model_json(shown, lost), indent=2) + "\n",
                nl=False,
            )
            return _whole(lost)
        versions = [one[1] for one in registry.names(VERSION, model)]
        if version not in versions:
            unknown(f"version of {model}", version, versions)
        found = show_version(registry, model, version)
        if found is None:
            click.echo(f"modelspec: {name} can't be read: `modelspec check` says why", err=True)
            return 1
        click.echo(
            version_text(found, paint)
            if form == "text"
            else json.dumps(version_json(found, lost), indent=2) + "\n",
            nl=False,
        )
        return _whole(lost)


def _whole(lost: Sequence[str]) -> int:
    """Say on stderr which files could not be read; return the exit code."""
    for path in lost:
        click.echo(
            f"modelspec: {visible(path)} can't be read, so states may be missing: `modelspec check` says why",
            err=True,
        )
    return 1 if lost else 0
