"""`modelspec compile`."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
)
from modelspec.cli.source import Source, open_registry, renderer, shared, trusted
from modelspec.spec.kinds import PIN

_FILES = 3
"""About how many files a pin needs: itself, its version, something of a schema."""

if TYPE_CHECKING:
    from modelspec.api.build import Built


@click.command("compile")
@click.argument("environment", required=False, shell_complete=complete(environment_names))
@click.option(
    "--model", metavar="MODEL", shell_complete=complete(model_names), help="Only this model's pins."
)
@click.option(
    "--check", "compare", is_flag=True, help="Write nothing; exit 1 when compiled/ differs from the pins."
)
@click.option("--stdout", is_flag=True, help="Print the configs instead of writing them.")
@click.option("--clean", is_flag=True, help="Remove files below compiled/ that no compile wrote.")
@format_option("text", "json")
@root_option
def compile_command(
    environment: str | None,
    model: str | None,
    compare: bool,
    stdout: bool,
    clean: bool,
    form: str,
    root: str | None,
) -> int:
    """Write the serving configs of the pins: of all, of one ENVIRONMENT, of one model.

    compiled/ is replaced in one step, and only when no rule finds an error in what the pins reach.
    Exit code: 0 written (or nothing to write), 1 findings or, with --check, differences.

    \b
    Examples:
      modelspec compile
      modelspec compile production --model eta
      modelspec compile --check
    """
    from modelspec.api.build import build
    from modelspec.report.compile import built_json, built_text, streamed
    from modelspec.report.paint import Paint

    if stdout and (compare or clean):
        raise click.UsageError("--stdout prints and writes nothing: leave out --check and --clean.")
    if compare and clean:
        raise click.UsageError("--check writes nothing: leave out --clean.")
    report = built_text if form == "text" else built_json
    with open_registry(root, None) as source, renderer() as child:
        _known(source, environment, model)
        within = [environment] if environment is not None else []
        pins = 1 if model is not None else len(source.registry.names(PIN, *within))
        built = build(
            source.registry,
            renderer=child,
            trusted=trusted(),
            environment=environment,
            model=model,
            share=shared(pins * _FILES),
        )
        if stdout and not built.blocked:
            click.echo(streamed(built), nl=False)
            return 0
        changed = () if built.blocked else _carried_out(source, built, compare=compare, clean=clean)
        paint = Paint(colours())
        click.echo(report(source.registry, built, changed, paint, compare=compare), nl=False)
    return 1 if built.blocked or (compare and changed) else 0


def _carried_out(source: Source, built: Built, *, compare: bool, clean: bool) -> tuple[str, ...]:
    """Write the outputs, or compare them with what is there; return the paths that differ."""
    from modelspec.world.lock import lock
    from modelspec.world.swap import compare_tree, replace_tree

    if compare:
        found = compare_tree(source.root, built.outputs, built.scope)
        return tuple(sorted((*found.changed, *found.strangers)))
    with lock(source.root):
        return replace_tree(source.root, built.outputs, built.scope, clean=clean)


def _known(source: Source, environment: str | None, model: str | None) -> None:
    if environment is not None and environment not in (known := set(environment_names(source.registry))):
        unknown("environment", environment, known)
    if model is not None:
        require_model(source.registry, model)
