"""`modelspec reproduce`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modelspec.cli.options import (
    InstantType,
    complete,
    environment_names,
    format_option,
    require_model,
    root_option,
    unknown,
    version_names,
)
from modelspec.tree.finding import Refusal

if TYPE_CHECKING:
    from modelspec.api.reproduce import Reproduced
    from modelspec.cli.reproducing import Declared


@click.command("reproduce")
@click.argument("name", metavar="MODEL[@VERSION]", shell_complete=complete(version_names))
@click.argument("target", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--env", "environment", metavar="ENV", shell_complete=complete(environment_names),
              help="The environment whose pin names the version, and whose config is compiled.")  # fmt: skip
@click.option(
    "--at", "instant", metavar="TIME", type=InstantType(), help="As it was declared at this instant."
)
@click.option(
    "--ref", metavar="REV", help="With --at: the history that ends at this revision; default: HEAD."
)
@click.option("--code", "clones", metavar="CLONE|BUNDLE", multiple=True,
              type=click.Path(exists=True, path_type=Path),
              help="A clone or bundle that may have the code's commit; can be repeated.")  # fmt: skip
@click.option("--data", "data", metavar="PATH", multiple=True, type=click.Path(exists=True, path_type=Path),
              help="Where the data may be here: copied when it has the digest; can be repeated.")  # fmt: skip
@click.option("--network", is_flag=True, help="Ask remote stores, and the repository of the code, as well.")
@click.option("--run", is_flag=True, help="Install the lock and ask the model its golden inputs again.")
@click.option("--python", metavar="PATH", type=click.Path(exists=True, dir_okay=False),
              help="With --run: ask with this Python as it is, and install nothing.")  # fmt: skip
@format_option("text", "json")
@root_option
def reproduce_command(
    name: str,
    target: Path,
    environment: str | None,
    instant: datetime | None,
    ref: str | None,
    clones: tuple[Path, ...],
    data: tuple[Path, ...],
    network: bool,
    run: bool,
    python: str | None,
    form: str,
    root: str | None,
) -> int:
    """Write the whole context of a version to DIR: artifact, code, schemas, data, lock, configs.

    DIR is put in place at once: when it exists, it is complete, and reproduce.json says of every part
    whether it is exact, and why not. Without a version, the one that ENV serves as stable (with --at: served
    then). Code comes from the objects of this repository or a clone; nothing is checked out or executed.

    --run builds a virtual environment from the lock (pip uses its own network), loads the model with the
    recorded threads and compares its golden answers, if it has any. It executes the packages that the lock
    names.

    Exit code: 1 when something that was recorded can't be had, or the answers differ.

    \b
    Examples:
      modelspec reproduce eta@2.3.1 ./eta
      modelspec reproduce eta --env production --at 2026-10-01T00:00:00Z ./eta --run
    """
    import json

    from modelspec.api.reproduce import document, with_run
    from modelspec.report.reproduce import reproduced_text

    if ref is not None and instant is None:
        raise click.UsageError("--ref goes with --at TIME.")
    if python is not None and not run:
        raise click.UsageError("--python goes with --run.")
    from modelspec.cli.reproducing import Given, written

    with _declared(name, environment, instant, ref, root) as declared:
        found = written(declared, target, Given(clones, data, network))
    said: dict[str, Any] | str | None = _run(found, target, python) if run else None
    if form == "json":
        shown = document(found) if said is None else with_run(document(found), said)
        click.echo(json.dumps(shown, indent=2))
    else:
        click.echo(reproduced_text(found, str(target), said), nl=False)
    failed = isinstance(said, str) or (said is not None and said["verdict"] == "differs")
    return 1 if found.lacks or failed else 0


@contextmanager
def _declared(
    name: str, environment: str | None, instant: datetime | None, ref: str | None, root: str | None
) -> Iterator[Declared]:
    """Open what is declared, today or then, and find the version in it."""
    from modelspec.cli.reproducing import Declared
    from modelspec.cli.source import open_registry
    from modelspec.report.words import stamp
    from modelspec.spec.registry import Registry

    with open_registry(root, None) as source:
        if instant is None:
            entry = _entry(source.registry, name, environment)
            yield Declared(source, source.registry, entry, environment)
            return
        from modelspec.cli.past import open_past

        with open_past(root, ref) as past:
            commit = past.at(instant)
            if commit is None:
                raise Refusal(f"{stamp(instant)} is before the first commit: nothing was declared")
            registry = Registry(past.snapshot(commit.id), source.registry.reader)
            entry = _entry(registry, name, environment)
            yield Declared(source, registry, entry, environment, stamp(instant), commit.id)


def _entry(registry: Any, name: str, environment: str | None) -> Any:
    from modelspec.api.reproduce import pinned_version
    from modelspec.spec.base import ref_digest, ref_name
    from modelspec.spec.kinds import VERSION
    from modelspec.tree.digest import short
    from modelspec.tree.text import visible

    model, at, version = name.partition("@")
    require_model(registry, model)
    if environment is not None and environment not in (places := set(environment_names(registry))):
        unknown("environment", environment, places)
    wanted = None
    if not at:
        if environment is None:
            raise click.UsageError(
                f"Name the version ({model}@1.0.0), or the environment that serves it: --env."
            )
        ref = pinned_version(registry, environment, model)
        if ref is None:
            raise Refusal(
                f"{environment} has no pin of {model} that can be read", f"name one: {model}@VERSION"
            )
        version, wanted = ref_name(ref), ref_digest(ref)
    versions = [one[1] for one in registry.names(VERSION, model)]
    if version not in versions:
        unknown(f"version of {model}", version, versions)
    entry = registry.value(VERSION, model, version)
    if entry is None:
        raise Refusal(f"{visible(model)} {visible(version)} can't be read", "`modelspec check` says why")
    if wanted not in (None, entry.digest):
        raise Refusal(
            f"the pin names {model} {version} {short(wanted or '')}, its file has {short(entry.digest)}",
            "the file was changed after it was published: `modelspec check` says when",
        )
    return entry


def _run(found: Reproduced, target: Path, python: str | None) -> dict[str, Any] | str:
    """Ask the model again; text says why that can't be done."""
    from modelspec.api.reproduce import CHECK, INSTALL
    from modelspec.world.environment import answer_of, environment, interpreter

    if found.golden is None:
        return found.ungolden
    script = target.absolute() / CHECK
    try:
        if python is not None:
            return answer_of(str(Path(python).absolute()), script, found.golden.arguments)
        if found.hashed is None:
            return "there is no lock here that pip installs: build its environment, and name its --python"
        with environment(interpreter(found.python), target / INSTALL, hashed=found.hashed) as inside:
            return answer_of(inside, script, found.golden.arguments)
    except Refusal as refusal:
        return refusal.message
