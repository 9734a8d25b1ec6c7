"""`modelspec init`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from modelspec.tree.text import visible

_ENVIRONMENT = """\
# yaml-language-server: $schema=../../../.modelspec/schemas/Environment.json
apiVersion: modelspec/v1
kind: Environment
environment: {name}
stage: {name}
"""
_SETTINGS = """\
# yaml-language-server: $schema=../.modelspec/schemas/Settings.json
apiVersion: modelspec/v1
kind: Settings
requires: ">={release}"
stores:
  # A folder of this repository. Servers also need `uri`, where they find the same files: s3://bucket/store
  main: {{path: store}}
"""
_ATTRIBUTES = """\
# A carriage return in a registry file is a finding, and one in compiled/ an edit.
registry/** text eol=lf
templates/** text eol=lf
compiled/** text eol=lf
"""
_IGNORE = "# What an interrupted compile may leave behind; the next one removes it.\n/.compiled.new/\n"


@click.command("init")
@click.argument("folder", default=".", type=click.Path(file_okay=False))
@click.option(
    "--ci",
    type=click.Choice(["auto", "github", "gitlab", "none"]),
    default="auto",
    show_default=True,
    help="Write CI jobs for this forge, into a registry that is there as well. auto: the forge that the "
    "repository's remote or its files speak of, else none.",
)
def init_command(folder: str, ci: str) -> int:
    """Write the skeleton of a registry into FOLDER (default: here). Nothing that is there is overwritten.

    \b
    Examples:
      modelspec init && modelspec target add kserve && modelspec check
      modelspec init --ci github
    """
    from modelspec.cli.jobs import forge, jobs, repository_of

    root = Path(folder)
    there = (root / "registry" / "modelspec.yaml").exists()
    if there and ci in ("auto", "none"):
        click.echo(f"{visible(folder, 200)} is a registry already")
        return 0
    root.mkdir(parents=True, exist_ok=True)
    if not there:
        _write(root, skeleton())
    top, within = repository_of(root)
    chosen = forge(top) if ci == "auto" else ci
    _write(top, jobs(chosen, top, within))
    if chosen != "none":
        click.echo("next: require the check on the main branch, and `modelspec codeowners` (docs/ci.md)")
    if not there:
        click.echo(
            "next: modelspec target add kserve, then add a model under registry/models/ (docs/formats.md)"
        )
    return 0


def _write(root: Path, wanted: dict[str, bytes]) -> None:
    """Write the files that are not there, and say of each whether it was."""
    from modelspec.world.lock import lock
    from modelspec.world.write import apply_patch

    if not wanted:
        return
    patch = {path: data for path, data in wanted.items() if not (root / path).exists()}
    with lock(root):
        apply_patch(root, patch)
    for path in sorted(wanted):
        click.echo(f"{'added' if path in patch else 'kept':<8} {path}")


def skeleton() -> dict[str, bytes]:
    """Return the files of a new registry: settings, two environments, git's attributes, editor schemas."""
    from modelspec import __version__
    from modelspec.spec.kinds import KINDS
    from modelspec.spec.schemas import json_schema

    files = {
        "registry/modelspec.yaml": _SETTINGS.format(release=__version__),
        "registry/environments/staging/environment.yaml": _ENVIRONMENT.format(name="staging"),
        "registry/environments/production/environment.yaml": _ENVIRONMENT.format(name="production")
        + "after: staging\n",
        ".gitattributes": _ATTRIBUTES,
        ".gitignore": _IGNORE,
    }
    for kind in KINDS.values():
        files[f".modelspec/schemas/{kind.name}.json"] = json.dumps(json_schema(kind.name), indent=2) + "\n"
    return {path: text.encode() for path, text in files.items()}
