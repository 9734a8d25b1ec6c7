"""`modelspec explain`, `schema`, `completion`: what the tool knows about itself."""

from __future__ import annotations

import json
from collections.abc import Iterable

import click
from click.shell_completion import CompletionItem, get_completion_class

from modelspec.cli.options import unknown
from modelspec.tree.text import visible


def _rules(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from modelspec.api.catalogue import CATALOGUE

    words = [word for rule in CATALOGUE for word in (rule.code, rule.name)]
    return [CompletionItem(word) for word in words if word.startswith(incomplete)]


def _kinds() -> Iterable[str]:
    from modelspec.spec.kinds import KINDS

    return [kind.name for kind in KINDS.values()]


@click.command("explain")
@click.argument("code", shell_complete=_rules)
def explain_command(code: str) -> None:
    """Explain a rule, by its code or its name: what it demands, why, and the fix.

    \b
    Examples:
      modelspec explain MS101
      modelspec explain pin-digest
    """
    from modelspec.api.catalogue import CATALOGUE
    from modelspec.rules.manual import explained, meant

    for rule in CATALOGUE:
        if code.upper() == rule.code or code == rule.name:
            click.echo(explained(rule), nl=False)
            return
    hint = meant(code, CATALOGUE)
    if hint is None:
        unknown("rule", code, [rule.name for rule in CATALOGUE])
    raise click.UsageError(f"No such rule: {visible(code)}. {hint[0].upper()}{hint[1:]}")


@click.command("schema")
@click.argument(
    "kind",
    shell_complete=lambda c, p, text: [CompletionItem(name) for name in _kinds() if name.startswith(text)],
)
def schema_command(kind: str) -> None:
    """Print the JSON Schema (draft 2020-12) of a kind of file, for editors.

    KIND is Settings, Model, ModelVersion, FeatureView, FeatureSchema, Environment, Pin, FeaturePin, Waiver or
    Target.

    Point an editor at it with a first line `# yaml-language-server: $schema=PATH`; `modelspec init`
    writes all of them to .modelspec/schemas/.

    \b
    Example:
      modelspec schema ModelVersion > modelversion.schema.json
    """
    from modelspec.spec.schemas import json_schema

    names = {name.lower(): name for name in _kinds()}
    if kind.lower() not in names:
        unknown("kind", kind, names.values())
    click.echo(json.dumps(json_schema(names[kind.lower()]), indent=2, ensure_ascii=False))


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion_command(context: click.Context, shell: str) -> None:
    """Print the completion script of a shell.

    \b
    Examples:
      eval "$(modelspec completion bash)"
      modelspec completion fish > ~/.config/fish/completions/modelspec.fish
    """
    found = get_completion_class(shell)
    assert found is not None
    root = context.find_root().command
    click.echo(found(root, {}, "modelspec", "_MODELSPEC_COMPLETE").source())
