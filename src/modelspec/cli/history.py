"""`modelspec log` and `at`: what happened to pins, and what they said at an instant."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from modelspec.cli.options import (
    InstantType,
    colours,
    complete,
    emit,
    environment_names,
    format_option,
    model_names,
    output_option,
    root_option,
    unknown,
)
from modelspec.cli.past import open_past

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from modelspec.api.at import State
    from modelspec.spec.history import Commit
    from modelspec.tree.data import Data
    from modelspec.tree.snapshot import Blob, Snapshot
    from modelspec.world.history import GitHistory

ENVIRONMENTS = "registry/environments"
_NEWEST = 20


@click.command("log")
@click.argument("model", required=False, shell_complete=complete(model_names))
@click.option(
    "--env", "environment", metavar="ENV", shell_complete=complete(environment_names), help="Only pins of it."
)
@click.option("--ref", metavar="REV", help="The history that ends at this revision; default: HEAD.")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=_NEWEST,
    show_default=True,
    metavar="N",
    help="How many changes, the newest; 0: all.",
)
@format_option("text", "json")
@output_option
@root_option
def log_command(
    model: str | None,
    environment: str | None,
    ref: str | None,
    limit: int,
    form: str,
    output: str | None,
    root: str | None,
) -> None:
    """Show what happened to pins: who, when, why, from which version to which; the newest first.

    What a change is (promote, restore, canary start, ...) is told by the state of the pin before and after,
    never by a message. A merge counts as one change, at the time at which it was merged.

    \b
    Examples:
      modelspec log eta --env production
      modelspec log --limit 0 --format json
    """
    from modelspec.api.log import log
    from modelspec.report.log import log_json, log_text
    from modelspec.report.paint import Paint

    with open_past(root, ref) as past:
        logged = log(past, environment, model, limit)
        if not logged.events:
            known_names(past.snapshot(past.tip), environment, model)
        if form == "text":
            text = log_text(logged, Paint(output is None and colours()))
        else:
            text = _json(log_json(logged))
    emit(text, output)
    if logged.more:
        click.echo(f"modelspec: the newest {limit}; older ones with --limit N (0: all)", err=True)


@click.command("at")
@click.argument("instant", metavar="TIME", type=InstantType())
@click.argument("model", required=False, shell_complete=complete(model_names))
@click.argument("environment", metavar="[ENV]", required=False, shell_complete=complete(environment_names))
@click.option("--env", "named", metavar="ENV", help="Only this environment: for all models of it.")
@click.option("--ref", metavar="REV", help="The history that ends at this revision; default: HEAD.")
@click.option("--compiled", is_flag=True, help="Print the serving configs, with the templates of then.")
@click.option("--served", is_flag=True, help="What really served, by receipts, and how certain that is.")
@click.option("--as-known-at", "known", metavar="REV|TIME", help="By what git and the receipts held then.")
@format_option("text", "json")
@output_option
@root_option
def at_command(
    instant: datetime,
    model: str | None,
    environment: str | None,
    named: str | None,
    ref: str | None,
    compiled: bool,
    served: bool,
    known: str | None,
    form: str,
    output: str | None,
    root: str | None,
) -> int:
    """Show what was declared at TIME: the pins, or with --compiled the serving configs of then.

    With --served: what receipts prove to have served then, with a word on every doubt. With --as-known-at,
    all of it as it was known at a revision or an instant: what did we believe then about TIME?

    TIME is RFC 3339 with its offset, 2026-10-01T00:00:00Z. It names the last commit of the first-parent
    history that is not later; a commit counts as made no earlier than those before it, whatever its own
    clock said. Exit code: 1 when the pin that was asked for was not there, or no receipt tells of it.

    \b
    Examples:
      modelspec at 2026-10-01T00:00:00Z
      modelspec at 2026-10-01T09:00:00+02:00 eta production
      modelspec at 2026-10-01T00:00:00Z eta production --compiled
      modelspec at 2026-10-20T12:00:00Z eta production --served --as-known-at 2026-11-01T00:00:00Z
    """
    if named is not None and environment not in (None, named):
        raise click.UsageError("--env and ENV name two environments: leave one out.")
    if served and compiled:
        raise click.UsageError("--compiled is what was declared, --served what receipts prove: choose one.")
    place = environment or named
    moment = None
    if known is not None:
        from modelspec.cli.known import known_at

        then = known_at(root, ref, known)
        if then.commit is None:
            click.echo(f"modelspec: nothing was known at {known}: it is before the first commit", err=True)
            return 1
        ref, moment = then.commit, then.instant
    if served:
        from modelspec.cli.served import at_served

        return at_served(instant, model, place, ref, moment, form, output, root)
    with open_past(root, ref) as past:
        commit = past.at(instant)
        if commit is None:
            return _before(past, instant, form, output, asked=model is not None and place is not None)
        _note(past, instant, commit)
        if compiled:
            return _compiled(past, commit.id, model, place, form, output)
        from modelspec.report.at import at_json, at_text

        state = _state(past, commit.id, model, place)
        if not state.pins and (model is not None or place is not None):
            _missing(past, commit.id, model, place)
        if form == "text":
            text = at_text(commit, state)
        else:
            text = _json(at_json(instant, commit, past.claimed(commit.id), state))
    emit(text, output)
    asked = model is not None and place is not None
    return 1 if asked and not state.pins else 0


def _state(past: GitHistory, commit: str, model: str | None, environment: str | None) -> State:
    from modelspec.api.at import state_of

    tree = past.snapshot(commit)
    if model is not None:
        places = [environment] if environment is not None else [name for name, _ in tree.ls(ENVIRONMENTS)]
        paths = [f"{ENVIRONMENTS}/{place}/models/{model}.yaml" for place in places]
        return state_of(((path, blob) for path in paths if (blob := tree.get(path)) is not None), model)
    folder = ENVIRONMENTS if environment is None else f"{ENVIRONMENTS}/{environment}"
    return state_of(_files(tree.contents(folder), tree))


def _files(contents: Iterable[tuple[str, object]], tree: Snapshot) -> Iterator[tuple[str, Blob]]:
    """Yield files whose bytes were read all at once."""
    from modelspec.tree.snapshot import REGULAR, Blob

    for path, data in contents:
        if isinstance(data, bytes):
            yield path, Blob(REGULAR, lambda known=data: known)  # type: ignore[misc]
        elif (blob := tree.get(path)) is not None:
            yield path, blob


def _before(past: GitHistory, instant: datetime, form: str, output: str | None, *, asked: bool) -> int:
    """Say that nothing was declared yet."""
    from modelspec.api.at import State
    from modelspec.report.at import at_json
    from modelspec.report.words import stamp

    first = past.nth(0)
    said = f"{stamp(instant)} is before the first commit, {first.short} of {stamp(first.time)}"
    if form == "json":
        emit(_json(at_json(instant, None, None, State((), ()))), output)
        click.echo(f"modelspec: {said}", err=True)
    else:
        emit(f"{said}: nothing was declared\n", output)
    return 1 if asked else 0


def _note(past: GitHistory, instant: datetime, commit: Commit) -> None:
    """Say what people might take wrongly: the future, and a clock that lied."""
    from modelspec.report.words import stamp
    from modelspec.world.clock import now

    if instant > now():
        click.echo("modelspec: this instant is yet to come: shown is what is declared today", err=True)
    claimed = past.claimed(commit.id)
    if claimed < commit.time:
        click.echo(
            f"modelspec: commit {commit.short} claims {stamp(claimed)}, but follows one that claims "
            f"{stamp(commit.time)}: it counts as made then",
            err=True,
        )


def _compiled(
    past: GitHistory, commit: str, model: str | None, environment: str | None, form: str, output: str | None
) -> int:
    from modelspec.api.build import build
    from modelspec.cli.source import renderer, trusted
    from modelspec.report.compile import streamed
    from modelspec.report.paint import Paint
    from modelspec.report.text import findings_text
    from modelspec.spec.registry import Registry

    registry = Registry(past.snapshot(commit))
    known_names(registry.snapshot, environment, model)
    with renderer() as child:
        built = build(registry, renderer=child, trusted=trusted(), environment=environment, model=model)
    if built.blocked:
        click.echo(findings_text(registry, built.findings, Paint(colours())), nl=False, err=True)
        click.echo(f"modelspec: what commit {commit[:12]} declares can't be compiled", err=True)
        return 1
    if form == "text":
        emit(streamed(built), output)
    else:
        outputs: dict[str, Data] = {path: data.decode() for path, data in built.outputs.items()}
        emit(_json({"format": "modelspec/at-compiled/1", "commit": commit, "outputs": outputs}), output)
    return 0


def _missing(past: GitHistory, commit: str, model: str | None, environment: str | None) -> None:
    """Stop when a name is known neither then nor now; else say that it was not pinned then."""
    tree = past.snapshot(commit)
    if environment is not None and _folder(tree, f"{ENVIRONMENTS}/{environment}"):
        environment_known = True
    else:
        environment_known = environment is None
    if not environment_known or (model is not None and not _folder(tree, f"registry/models/{model}")):
        known_names(past.snapshot(past.tip), environment, model)
    if model is not None:
        where = f" in {environment}" if environment is not None else ""
        click.echo(f"modelspec: {model} was not pinned{where} at that time", err=True)


def known_names(tree: Snapshot, environment: str | None, model: str | None) -> None:
    """Stop when a tree knows no such environment or model; say which one was meant."""
    for what, name, folder in (
        ("environment", environment, ENVIRONMENTS),
        ("model", model, "registry/models"),
    ):
        known = [one for one, is_folder in tree.ls(folder) if is_folder]
        if name is not None and name not in known:
            unknown(what, name, known)


def _folder(tree: Snapshot, path: str) -> bool:
    return bool(tree.ls(path))


def _json(data: object) -> str:
    import json

    return json.dumps(data, indent=2) + "\n"
