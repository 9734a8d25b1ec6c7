"""`modelspec hold`, `retire` and `prune`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import click

from modelspec.cli.branch import served_since
from modelspec.cli.landing import Where, carry_out, chosen, landing_options
from modelspec.cli.options import (
    complete,
    complete_versions,
    environment_names,
    format_option,
    model_names,
    root_option,
)
from modelspec.cli.promote import checked, known, split

if TYPE_CHECKING:
    from modelspec.change.proposal import Declined, Proposal
    from modelspec.spec.history import History
    from modelspec.spec.registry import Registry


@click.command("hold")
@click.argument("model", shell_complete=complete(model_names))
@click.option(
    "--env",
    "environments",
    metavar="ENV[,ENV...]",
    required=True,
    shell_complete=complete(environment_names),
    help="Where it is held.",
)
@click.option("--reason", metavar="TEXT", help="Why it must not move on.")
@click.option("--link", metavar="URL", help="Where more is said.")
@click.option("--release", is_flag=True, help="Take the hold away.")
@landing_options
@format_option("text", "json")
@root_option
def hold_command(
    model: str,
    environments: str,
    reason: str | None,
    link: str | None,
    release: bool,
    commit: bool,
    branch: bool,
    push: bool,
    form: str,
    root: str | None,
) -> int:
    """Hold a pin: no promotion moves it on until a change takes the hold away. Going back stays allowed.

    \b
    Examples:
      modelspec hold eta --env production --reason "Investigating late arrivals" --commit
      modelspec hold eta --env production --release --commit
    """
    from modelspec.api.hold import hold

    if release == (reason is not None):
        raise click.UsageError("Say why: --reason TEXT; or take the hold away: --release.")
    if release and link is not None:
        raise click.UsageError("--link belongs to a --reason.")
    if reason is not None:
        checked(reason, link)
    places = split(environments)
    where = chosen(commit, branch, push)
    if where.branch and len(places) > 1:
        raise click.UsageError("--branch makes one branch a pin: name one environment.")

    def propose(registry: Registry, history: History) -> Proposal | Declined:
        known(registry, model, places)
        return hold(registry, model, places, reason, link)

    return carry_out(root, "hold", propose, where, form)


@click.command("retire")
@click.argument("model", shell_complete=complete(model_names))
@click.argument("version", shell_complete=complete_versions)
@click.option(
    "--state",
    type=click.Choice(["archived", "withdrawn"]),
    required=True,
    help="archived: old, not pinned again; withdrawn: bad, never served.",
)
@click.option("--reason", metavar="TEXT", required=True, help="Why.")
@click.option("--link", metavar="URL", help="Where that was decided.")
@landing_options
@format_option("text", "json")
@root_option
def retire_command(
    model: str,
    version: str,
    state: Literal["archived", "withdrawn"],
    reason: str,
    link: str | None,
    commit: bool,
    branch: bool,
    push: bool,
    form: str,
    root: str | None,
) -> int:
    """Retire VERSION of MODEL: a line in model.yaml that is never taken back.

    A withdrawn version may be in no pin: roll back first.

    \b
    Examples:
      modelspec retire eta 3.0.0 --state withdrawn --reason "Late in Lisbon" --commit
      modelspec retire eta 1.0.0 --state archived --reason "Replaced long ago"
    """
    from modelspec.api.hold import retire

    checked(reason, link)

    def propose(registry: Registry, history: History) -> Proposal | Declined:
        known(registry, model, ())
        return retire(registry, model, version, state, reason, link)

    return carry_out(root, "retire", propose, chosen(commit, branch, push), form)


@click.command("prune")
@click.argument("model", required=False, shell_complete=complete(model_names))
@click.option("--write", is_flag=True, help="Delete them in the work tree.")
@landing_options
@format_option("text", "json")
@root_option
def prune_command(
    model: str | None, write: bool, commit: bool, branch: bool, push: bool, form: str, root: str | None
) -> int:
    """Delete version files that were never pinned, or left every window and the retention.

    Prints what would go; --write, --commit or --branch does it. Each keeps its line in `retired`, so that its
    number is never used again. What is pinned, needed, named by a waiver, younger than the retention, or by a
    receipt served within it stays.

    \b
    Examples:
      modelspec prune
      modelspec prune eta --commit
    """
    from modelspec.api.prune import prune
    from modelspec.world.clock import now

    where = chosen(commit, branch, push)
    if not (write or where.commit or where.branch):
        where = Where(dry=True)

    def propose(registry: Registry, history: History) -> Proposal | Declined:
        if model is not None:
            known(registry, model, ())
        return prune(registry, history, now(), model, lambda since: served_since(root, since))

    return carry_out(root, "prune", propose, where, form)
