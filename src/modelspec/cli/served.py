"""`modelspec drift`, `timeline`, and `at --served`: declared and observed, both asked."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import click

from modelspec.cli.branch import good, open_receipts
from modelspec.cli.options import (
    colours,
    complete,
    emit,
    environment_names,
    format_option,
    model_names,
    output_option,
    root_option,
)
from modelspec.cli.past import open_past
from modelspec.cli.where import repository_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from modelspec.trace.declared import Declaration
    from modelspec.trace.stamps import Versions
    from modelspec.world.history import GitHistory

Place = tuple[str, str]


def at_served(
    instant: datetime, model: str | None, environment: str | None, ref: str | None, known: datetime | None,
    form: str, output: str | None, root: str | None,
) -> int:  # fmt: skip
    """Print what served at an instant, by receipts; 1 when the pin that was asked for is not told of."""
    from modelspec.api.served import served_at
    from modelspec.cli.history import known_names
    from modelspec.report.served import at_served_json, at_served_text

    repository, prefix, _ = repository_of(root)
    with open_past(root, ref) as past:
        with open_receipts(repository, prefix, known_at=known) as branch:
            receipts = good(branch.all(environment, model))
        asked = _pinned_then(past, instant, environment, model)
        places = sorted({(one.environment, one.model) for one in receipts} | asked)
        if not places:
            known_names(past.snapshot(past.tip), environment, model)
        declared = declared_of(past, places)
        pins = served_at(receipts, instant, lambda *place: declared[place], asked)
        versions = _versions(past)
        if form == "text":
            text = at_served_text(instant, pins, versions)
        else:
            text = at_served_json(instant, known, pins, versions)
    emit(text, output)
    alone = model is not None and environment is not None
    return 1 if alone and not any(pin.then.reached for pin in pins) else 0


@click.command("drift")
@click.argument("environment", metavar="[ENV]", required=False, shell_complete=complete(environment_names))
@click.option("--ref", metavar="REV", help="What is declared at this revision; default: HEAD.")
@click.option("--remote", is_flag=True, help="Fetch origin's receipts first.")
@click.option("--grace", metavar="MINUTES", type=click.IntRange(0, 1_000_000), default=15, show_default=True,
              help="What was merged so lately and does not serve yet is a rollout, not a drift.")  # fmt: skip
@format_option("text", "json")
@output_option
@root_option
def drift_command(
    environment: str | None, ref: str | None, remote: bool, grace: int, form: str, output: str | None,
    root: str | None,
) -> int:  # fmt: skip
    """Compare what is declared with what receipts show now: what differs, since when, by which commit.

    What answers must be what is declared. What takes no share (shadow, standby) is compared where the
    source of the receipts shows it. It tells what was observed: run `observe` first, or let it run often.

    Exit code: 0 in step, 1 when something drifts. What no receipt tells of, and what was merged within
    --grace, is printed and is no drift.

    \b
    Examples:
      modelspec drift
      modelspec drift production --remote --format json
    """
    from modelspec.api.drift import drift_of
    from modelspec.cli.history import known_names
    from modelspec.report.paint import Paint
    from modelspec.report.served import drift_json, drift_text
    from modelspec.trace.receipts import fold
    from modelspec.trace.served import of_pin
    from modelspec.world.clock import now

    repository, prefix, _ = repository_of(root)
    with open_past(root, ref) as past:
        with open_receipts(repository, prefix, remote=remote) as branch:
            receipts = good(branch.all(environment))
        stretches = fold(receipts)
        places = sorted({place[:2] for place in stretches} | _pinned(past, past.tip, environment, None))
        if not places:
            known_names(past.snapshot(past.tip), environment, None)
        declared = declared_of(past, places)
        moment = now()
        found = [
            one
            for place in places
            for one in drift_of(
                *place, declared[place], of_pin(stretches, *place), moment, timedelta(minutes=grace)
            )
        ]
        versions = _versions(past)
        if form == "text":
            text = drift_text(found, versions, Paint(output is None and colours()))
        else:
            text = drift_json(found, versions)
    emit(text, output)
    return 1 if any(one.standing == "drift" for one in found) else 0


@click.command("timeline")
@click.argument("model", shell_complete=complete(model_names))
@click.argument("environment", metavar="ENV", shell_complete=complete(environment_names))
@click.option("--ref", metavar="REV", help="The history that ends at this revision; default: HEAD.")
@click.option("--remote", is_flag=True, help="Fetch origin's receipts first.")
@click.option("--limit", type=click.IntRange(min=0), default=40, show_default=True, metavar="N",
              help="How many changes, the newest; 0: all.")  # fmt: skip
@format_option("text", "json")
@output_option
@root_option
def timeline_command(
    model: str, environment: str, ref: str | None, remote: bool, limit: int, form: str, output: str | None,
    root: str | None,
) -> int:  # fmt: skip
    """Show what was declared and what served of MODEL in ENV, side by side, oldest first.

    A row is a commit that changed the pin, or a receipt that shows a change of what serves, with the time
    that it took from the merge.

    \b
    Examples:
      modelspec timeline eta production
      modelspec timeline eta production --limit 0 --format json
    """
    from modelspec.api.timeline import timeline
    from modelspec.cli.history import known_names
    from modelspec.report.served import timeline_json, timeline_text
    from modelspec.trace.receipts import fold

    repository, prefix, _ = repository_of(root)
    with open_past(root, ref) as past:
        with open_receipts(repository, prefix, remote=remote) as branch:
            receipts = good(branch.all(environment, model))
        declared = declared_of(past, [(environment, model)])[environment, model]
        rows = timeline(declared, fold(receipts).values())
        if not rows:
            known_names(past.snapshot(past.tip), environment, model)
        shown = rows[-limit:] if limit else rows
        versions = _versions(past)
        more = len(rows) > len(shown)
        if form == "text":
            text = timeline_text(model, shown, versions)
        else:
            text = timeline_json(model, environment, shown, versions, more=more)
    emit(text, output)
    if more and form == "text":
        click.echo(f"modelspec: the newest {limit}; older ones with --limit N (0: all)", err=True)
    return 0


def declared_of(past: GitHistory, places: Iterable[Place]) -> Mapping[Place, Sequence[Declaration]]:
    """Return what git declared for each of some pins, oldest first."""
    from modelspec.spec.kinds import PIN, classify
    from modelspec.trace.declared import declarations

    paths = {PIN.locate(*place): place for place in places}
    # A receipt may name what can be no pin.
    real = [path for path in paths if classify(path) is not None]
    found = past.of_all(real)
    past.warm(revision for revisions in found.values() for revision in revisions)
    return {place: list(declarations(found.get(path, ()), *place)) for path, place in paths.items()}


def _pinned_then(
    past: GitHistory, instant: datetime, environment: str | None, model: str | None
) -> set[Place]:
    commit = past.at(instant)
    return set() if commit is None else _pinned(past, commit.id, environment, model)


def _pinned(past: GitHistory, commit: str, environment: str | None, model: str | None) -> set[Place]:
    from modelspec.spec.kinds import PIN
    from modelspec.spec.registry import Registry

    names = Registry(past.snapshot(commit)).names(PIN)
    return {
        (name[0], name[1]) for name in names if environment in (None, name[0]) and model in (None, name[1])
    }


def _versions(past: GitHistory) -> Versions:
    from modelspec.spec.registry import Registry
    from modelspec.trace.stamps import Versions

    return Versions(Registry(past.snapshot(past.tip)), past)
