"""Options that several verbs share, and how values complete in a shell."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, NoReturn

import click
from click.shell_completion import CompletionItem

from modelspec.tree.finding import Refusal
from modelspec.tree.text import did_you_mean, visible

Command = Callable[..., Any]
ROOT_HELP = "The folder that holds registry/; default: found upwards from here."


def root_option(command: Command) -> Command:
    """Add `--root PATH`."""
    return click.option("--root", metavar="PATH", envvar="MODELSPEC_ROOT", help=ROOT_HELP)(command)


def format_option(*formats: str) -> Callable[[Command], Command]:
    """Add `--format`, the first one by default."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(formats),
        default=formats[0],
        show_default=True,
        help="How to print.",
    )


def output_option(command: Command) -> Command:
    """Add `--output FILE`."""
    return click.option(
        "--output", metavar="FILE", default=None, help="Write to this file instead of stdout."
    )(command)


class ReportType(click.ParamType[tuple[str, str]]):
    """A report to write as well: `FORMAT=FILE`."""

    name = "report"

    def __init__(self, forms: Iterable[str]) -> None:
        self.forms = tuple(forms)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        form, _, file = str(value).partition("=")
        if form not in self.forms:
            unknown("report", form, self.forms)
        if not file:
            self.fail(f"{form} needs a file: {form}=FILE", param, ctx)
        return form, file


def report_option(*forms: str) -> Callable[[Command], Command]:
    """Add `--report FORMAT=FILE`, which can be repeated: one run serves all who read it."""
    return click.option(
        "--report",
        "reports",
        metavar="FORMAT=FILE",
        type=ReportType(forms),
        multiple=True,
        help="Write this report as well, for another reader of the same run; can be repeated.",
    )


class InstantType(click.ParamType[datetime]):
    """RFC 3339 with an offset; nothing else is taken for a time."""

    name = "instant"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        from modelspec.spec.instant import instant

        if isinstance(value, datetime):
            return value
        parsed = instant(str(value))
        if parsed is None:
            self.fail(f"{visible(str(value))} is not an instant such as 2026-10-01T00:00:00Z", param, ctx)
        return parsed.astimezone(UTC)


def unknown(what: str, value: str, known: Iterable[str]) -> NoReturn:
    """Stop: no such model, version, environment; say which one was meant."""
    listed = sorted(known)
    hint = did_you_mean(value, listed)
    if hint is None:
        hint = (
            f"known: {', '.join(listed[:10])}{', ...' if len(listed) > 10 else ''}"
            if listed
            else "there are none yet"
        )
    raise click.UsageError(f"No such {what}: {visible(value)}. {hint[0].upper()}{hint[1:]}")


def require_model(registry: Any, model: str) -> None:
    """Stop when there is no such model; say which one was meant. Looks at no other one before that."""
    from modelspec.spec.kinds import MODEL

    if registry.get(MODEL, model) is None:
        unknown("model", model, model_names(registry))


def complete(
    listing: Callable[[Any], Iterable[str]],
) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]]:
    """Complete a value from the registry that is found here; in silence when there is none."""

    def items(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from modelspec.cli.source import open_registry

        try:
            with open_registry(context.params.get("root"), None) as source:
                names = sorted(set(listing(source.registry)))
        except (Refusal, OSError):
            return []
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]

    return items


def complete_versions(context: click.Context, parameter: click.Parameter, text: str) -> list[CompletionItem]:
    """Complete a version of the MODEL that stands before it on the line."""
    from modelspec.spec.kinds import VERSION

    model = context.params.get("model")
    listing = complete(lambda registry: (name[1] for name in registry.names(VERSION, model) if model))
    return listing(context, parameter, text)


def model_names(registry: Any) -> Iterable[str]:
    """Return the names of the models, for completion; each is looked for."""
    from modelspec.spec.kinds import MODEL

    return (name[0] for name in registry.names(MODEL))


def environment_names(registry: Any) -> Iterable[str]:
    """Return the names of the environments, for completion."""
    from modelspec.spec.kinds import ENVIRONMENT

    return (name[0] for name in registry.names(ENVIRONMENT))


def version_names(registry: Any) -> Iterable[str]:
    """Return models and `model@version`, for completion."""
    from modelspec.spec.kinds import VERSION

    yield from model_names(registry)
    yield from ("@".join(name) for name in registry.names(VERSION))


def colours(stream: Any = None) -> bool:
    """Whether to paint: on a terminal, unless NO_COLOR; FORCE_COLOR wins over both."""
    from os import environ

    if environ.get("FORCE_COLOR"):
        return True
    return not environ.get("NO_COLOR") and (stream or sys.stdout).isatty()


def emit(text: str, output: str | None) -> None:
    """Print to stdout, or write the file whole or not at all."""
    if output is None:
        click.echo(text, nl=False)
        return
    from pathlib import Path

    from modelspec.world.write import write_file

    write_file(Path(output), text.encode())
