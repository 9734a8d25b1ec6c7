"""`modelspec target`: the serving systems that this registry compiles for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from modelspec.cli.options import format_option, root_option, unknown
from modelspec.cli.source import Source, catalogue, open_registry
from modelspec.tree.finding import Fault


@click.group("target", context_settings={"help_option_names": ["-h", "--help"]})
def target_command() -> None:
    """List the serving systems to compile for, and add one from the catalogue.

    Targets are vendored under templates/, so that a compile of three weeks ago uses the templates of
    three weeks ago.

    \b
    Example:
      modelspec target add kserve
    """


@target_command.command("list", short_help="List the targets of the catalogue and of this registry.")
@format_option("text", "json")
@root_option
def list_targets(form: str, root: str | None) -> None:
    """List the targets of the catalogue and of this registry, with the grade of their stamp.

    \b
    Example:
      modelspec target list
    """
    from modelspec.report.table import table

    with open_registry(root, None) as source:
        rows = [_row(source, name) for name in sorted(_shipped() | _vendored(source))]
    if form == "json":
        click.echo(json.dumps({"format": "modelspec/targets/1", "targets": rows}, indent=2))
        return
    heading = ("TARGET", "GRADE", "HERE", "DESCRIPTION")
    click.echo(
        table([heading, *((row["name"], row["grade"], row["here"], row["description"]) for row in rows)]),
        nl=False,
    )


@target_command.command("add", short_help="Copy a target from the catalogue to templates/NAME.")
@click.argument("name", shell_complete=lambda c, p, text: _completed(text))
@root_option
def add_target(name: str, root: str | None) -> int:
    """Copy a target from the catalogue to templates/NAME; nothing that is there is overwritten.

    \b
    Example:
      modelspec target add mlserver
    """
    from modelspec.world.lock import lock
    from modelspec.world.write import apply_patch

    if name not in _shipped():
        unknown("target in the catalogue", name, _shipped())
    with open_registry(root, None) as source:
        here = _here(source, name)
        if here == "as shipped":
            click.echo(f"templates/{name} is there already, as shipped")
            return 0
        if here == "changed":
            click.echo(
                f"modelspec: templates/{name} is there already and differs from the catalogue's", err=True
            )
            click.echo("  fix: keep it, or remove the folder and add it again", err=True)
            return 1
        patch = {f"templates/{name}/{path}": data for path, data in _files(name).items()}
        with lock(source.root):
            apply_patch(source.root, patch)
    for path in sorted(patch):
        click.echo(f"added    {path}")
    click.echo(f"next: name it in a pin, `serve: {{{name}: {{}}}}`, and run modelspec check")
    return 0


def _completed(text: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in sorted(_shipped()) if name.startswith(text)]


def _shipped() -> set[str]:
    return {path.parent.name for path in catalogue().glob("*/target.yaml")}


def _files(name: str) -> dict[str, bytes]:
    folder = catalogue() / name
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _vendored(source: Source) -> set[str]:
    return {name for name, is_folder in source.registry.snapshot.ls("templates") if is_folder}


def _here(source: Source, name: str) -> str:
    """Say whether the registry has the target: `no`, `as shipped`, `changed`, or `own`."""
    if name not in _vendored(source):
        return "no"
    if name not in _shipped():
        return "own"
    found: dict[str, bytes | Fault] = {
        path.removeprefix(f"templates/{name}/"): blob.read()
        for path, blob in source.registry.snapshot.walk(f"templates/{name}")
    }
    return "as shipped" if found == _files(name) else "changed"


def _row(source: Source, name: str) -> dict[str, Any]:
    from modelspec.spec.kinds import TARGET

    here = _here(source, name)
    entry = source.registry.value(TARGET, name) if here in ("own", "changed") else _catalogue_entry(name)
    grade = entry.value.grade if entry is not None else "unreadable"
    description = (entry.value.description or "") if entry is not None else ""
    return {"name": name, "grade": grade, "here": here, "description": description}


def _catalogue_entry(name: str) -> Any:
    from modelspec.spec.kinds import TARGET
    from modelspec.spec.registry import Registry
    from modelspec.tree.snapshot import DictSnapshot

    path = Path("templates") / name / "target.yaml"
    data = (catalogue() / name / "target.yaml").read_bytes()
    return Registry(DictSnapshot({path.as_posix(): data})).value(TARGET, name)
