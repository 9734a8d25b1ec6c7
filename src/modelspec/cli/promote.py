"""`modelspec promote` and `modelspec rollback`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from modelspec.cli.landing import carry_out, chosen, landing_options
from modelspec.cli.options import (
    complete,
    complete_versions,
    environment_names,
    format_option,
    model_names,
    require_model,
    root_option,
    unknown,
)

if TYPE_CHECKING:
    from modelspec.api.rollback import Why
    from modelspec.change.proposal import Declined, Proposal
    from modelspec.cli.landing import Propose
    from modelspec.spec.history import History
    from modelspec.spec.registry import Registry


@click.command("promote")
@click.argument("model", shell_complete=complete(model_names))
@click.argument("version", shell_complete=complete_versions)
@click.option(
    "--to",
    "environments",
    metavar="ENV[,ENV...]",
    required=True,
    shell_complete=complete(environment_names),
    help="Where it is to serve.",
)
@click.option("--canary", metavar="W", type=click.IntRange(1, 99), help="As canary, with W % of the answers.")
@click.option("--shadow", is_flag=True, help="As shadow: gets a copy of the traffic, answers are dropped.")
@click.option("--standby", is_flag=True, help="As standby: warm, weight 0.")
@click.option(
    "--variant", metavar="NAME W", nargs=2, type=(str, click.IntRange(1, 99)), help="As a variant with W %."
)
@click.option("--reason", metavar="TEXT", help="Why; stands in the pin, and a gate may demand it.")
@click.option("--link", metavar="URL", help="Where more is said.")
@landing_options
@format_option("text", "json")
@root_option
def promote_command(
    model: str,
    version: str,
    environments: str,
    canary: int | None,
    shadow: bool,
    standby: bool,
    variant: tuple[str, int] | None,
    reason: str | None,
    link: str | None,
    commit: bool,
    branch: bool,
    push: bool,
    form: str,
    root: str | None,
) -> int:
    """Let VERSION of MODEL serve: as stable, or in another slot.

    Edits the pin, and the pins that have to move along, in the work tree; rules judge the result first, and
    nothing is written when one finds an error. Exit code: 0 done or done already, 1 a finding stands in
    the way.

    \b
    Examples:
      modelspec promote eta 2.3.1 --to staging
      modelspec promote eta 2.3.1 --to production --canary 10 --commit
      modelspec promote eta 2.3.1 --to production --branch --push
    """
    from modelspec.api.promote import promote
    from modelspec.change.pin import Role

    slots = [
        *([Role("canary", canary)] if canary is not None else []),
        *([Role("shadow")] if shadow else []),
        *([Role("standby")] if standby else []),
        *([Role(variant[0], variant[1], variant=True)] if variant is not None else []),
    ]
    if len(slots) > 1:
        raise click.UsageError(
            "A version fills one slot: choose one of --canary, --shadow, --standby, --variant."
        )
    if variant is not None:
        _named(variant[0])
    role = slots[0] if slots else Role()
    where = chosen(commit, branch, push)
    places = split(environments)
    if where.branch and len(places) > 1:
        raise click.UsageError("--branch makes one branch a pin: name one environment.")
    explained = _reason(reason, link)

    def propose(registry: Registry, history: History) -> Proposal | Declined:
        known(registry, model, places, version)
        return promote(registry, model, version, places, role, reason=explained)

    return carry_out(root, "promote", propose, where, form)


@click.command("rollback")
@click.argument("model", required=False, shell_complete=complete(model_names))
@click.option(
    "--env",
    "environment",
    metavar="ENV",
    shell_complete=complete(environment_names),
    help="Where to go back.",
)
@click.option("--to", "version", metavar="VERSION", help="To this version; default: what served before.")
@click.option("--change", metavar="COMMIT", help="Every pin that this commit touched, in place of MODEL.")
@click.option("--keep-params", is_flag=True, help="Leave `serve` as it is today.")
@click.option("--reason", metavar="TEXT", help="Why; stands in the hold. Default: what was rolled back.")
@click.option("--link", metavar="URL", help="Where more is said.")
@landing_options
@format_option("text", "json")
@root_option
def rollback_command(
    model: str | None,
    environment: str | None,
    version: str | None,
    change: str | None,
    keep_params: bool,
    reason: str | None,
    link: str | None,
    commit: bool,
    branch: bool,
    push: bool,
    form: str,
    root: str | None,
) -> int:
    """Give a pin back what it had before, by history, and hold it there.

    Slots, params and revalidations get their earlier content, and so do the pins that must move along;
    withdrawn versions are skipped. It is a new commit on today's state, so it never conflicts. The hold
    stops the next promotion until `modelspec hold --release`.

    \b
    Examples:
      modelspec rollback eta --env production --commit
      modelspec rollback eta --env production --to 2.2.0 --reason "Late in Lisbon"
      modelspec rollback --change 1a2b3c4d --branch --push
    """
    from modelspec.api.rollback import Why

    where = chosen(commit, branch, push)
    why = Why(reason, link)
    _reason(reason, link)
    if change is not None:
        if model is not None or environment is not None or version is not None:
            raise click.UsageError(
                "--change goes back for every pin it touched: leave out MODEL, --env and --to."
            )
        return carry_out(root, "rollback", _undo(root, change, keep_params, why), where, form)
    if model is None or environment is None:
        raise click.UsageError("Name MODEL and --env ENV, or a commit: --change COMMIT.")

    def propose(registry: Registry, history: History) -> Proposal | Declined:
        from modelspec.api.rollback import rollback

        known(registry, model, [environment])
        return rollback(registry, history, model, environment, to=version, keep_params=keep_params, why=why)

    return carry_out(root, "rollback", propose, where, form)


def _undo(root: str | None, change: str, keep_params: bool, why: Why) -> Propose:
    from modelspec.api.undo import undo
    from modelspec.cli.where import root_of
    from modelspec.world.git import open_repository

    folder = root_of(root)
    commit = open_repository(str(folder))[0].resolve(change)

    def propose(registry: Registry, history: History) -> Proposal | Declined:
        return undo(registry, history, commit, keep_params=keep_params, why=why)

    return propose


def split(names: str) -> list[str]:
    """Return the names of a list with commas, each once."""
    found = list(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
    if not found:
        raise click.UsageError("Name at least one environment.")
    return found


def known(registry: Registry, model: str, environments: Iterable[str], version: str | None = None) -> None:
    """Stop when there is no such model, environment or version; say which one was meant."""
    from modelspec.spec.kinds import VERSION

    require_model(registry, model)
    places = set(environment_names(registry))
    for environment in environments:
        if environment not in places:
            unknown("environment", environment, places)
    if version is not None and registry.get(VERSION, model, version) is None:
        unknown(f"version of {model}", version, (name[1] for name in registry.names(VERSION, model)))


def _reason(text: str | None, link: str | None) -> str | None:
    """Return the flow map of a reason; stops when it can't stand in a file."""
    from modelspec.change.words import reason

    if text is None:
        if link is not None:
            raise click.UsageError("--link belongs to a --reason.")
        return None
    checked(text, link)
    return reason(text, link)


def checked(text: str, link: str | None) -> None:
    """Stop at a link that is no web address, or a reason that no file may hold."""
    import re

    from modelspec.change.words import trouble
    from modelspec.spec.base import LINK
    from modelspec.tree.text import visible

    if link is not None and re.fullmatch(LINK, link) is None:
        raise click.UsageError(f"--link {visible(link)} is not a web address: https://...")
    said = trouble(text)
    if said is not None:
        raise click.UsageError(f"--reason can't stand in a file: {said}.")


def _named(name: str) -> None:
    import re

    from modelspec.tree.paths import NAME
    from modelspec.tree.text import visible

    if re.fullmatch(NAME, name) is None:
        raise click.UsageError(
            f"{visible(name)} is not a name for a variant: lower-case letters, digits, - and ."
        )
