"""`modelspec receipts`: what is written of what really served."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from modelspec.cli.branch import open_receipts, place_of, say_bad
from modelspec.cli.observe import new_of
from modelspec.cli.options import (
    complete,
    environment_names,
    format_option,
    model_names,
    output_option,
    root_option,
)
from modelspec.cli.past import open_past
from modelspec.cli.where import repository_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelspec.spec.receipt import Receipt
    from modelspec.world.receipts import Branch


class DaysType(click.ParamType[int]):
    """A number of days: `90d`."""

    name = "days"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        text = str(value).removesuffix("d")
        if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= 999_999:
            self.fail("write a number of days, such as 90d", param, ctx)
        return int(text)


@click.group("receipts", context_settings={"help_option_names": ["-h", "--help"]})
def receipts_command() -> None:
    """List, import and compact receipts: proof of what an environment really served, and since when.

    They are on a branch of their own, modelspec/receipts, which `observe` writes.

    \b
    Example:
      modelspec receipts list production eta
    """


@receipts_command.command("list", short_help="List what served, stretch by stretch, the newest first.")
@click.argument("environment", required=False, shell_complete=complete(environment_names))
@click.argument("model", required=False, shell_complete=complete(model_names))
@click.option("--limit", type=click.IntRange(min=0), default=20, show_default=True, metavar="N",
              help="How many, the newest; 0: all.")  # fmt: skip
@click.option("--remote", is_flag=True, help="Fetch origin's receipts first.")
@format_option("text", "json")
@output_option
@root_option
def list_receipts(
    environment: str | None, model: str | None, limit: int, remote: bool, form: str, output: str | None,
    root: str | None,
) -> int:  # fmt: skip
    """List what served, stretch by stretch, the newest first; duplicates are folded.

    The exit code is 1 when a file of the branch is no receipt.

    \b
    Examples:
      modelspec receipts list
      modelspec receipts list production eta --limit 0 --format json
    """
    from modelspec.cli.options import emit
    from modelspec.report.receipts import list_json, list_text
    from modelspec.spec.registry import Registry
    from modelspec.trace.receipts import fold
    from modelspec.trace.stamps import Versions
    from modelspec.world.receipts import split

    repository, prefix, _ = repository_of(root)
    with open_past(root, None) as past:
        with open_receipts(repository, prefix, remote=remote) as branch:
            found, bad = split(branch.all(environment, model))
        stretches = [one for line in fold(found).values() for one in line]
        stretches.sort(key=lambda one: one.since, reverse=True)
        shown = stretches[:limit] if limit else stretches
        versions = Versions(Registry(past.snapshot(past.tip)), past)
        more = len(stretches) > len(shown)
        if form == "text":
            emit(list_text(shown, versions), output)
        else:
            emit(list_json(shown, versions, bad=[(one.path, one.why) for one in bad], more=more), output)
    say_bad(bad)
    if more and form == "text":
        click.echo(f"modelspec: the newest {limit}; older ones with --limit N (0: all)", err=True)
    return 1 if bad else 0


@receipts_command.command("import", short_help="Take in receipts of the past from a folder of JSON files.")
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False))
@click.option("--push", is_flag=True, help="Write them to origin's branch as well.")
@format_option("text", "json")
@root_option
def import_receipts(folder: str, push: bool, form: str, root: str | None) -> int:
    """Take in receipts of the past: every *.json (one receipt) and *.jsonl (one a line) below DIR.

    All are read before any is written; one that is none, that claims a time which is yet to come, or an
    environment that this registry never had, stops the import with exit code 1. What is known already is
    not written again.

    \b
    Examples:
      modelspec receipts import old-receipts/
      modelspec receipts import old-receipts/ --push
    """
    from modelspec.report.receipts import import_json, import_text
    from modelspec.trace.receipts import judged
    from modelspec.world.clock import now
    from modelspec.world.observers.folder import saved_receipts
    from modelspec.world.observing import Written, append

    repository, prefix, _ = repository_of(root)
    with open_past(root, None) as past:
        environments = [
            name for name, is_folder in past.snapshot(past.tip).ls("registry/environments") if is_folder
        ]
    receipts, bad = judged(saved_receipts(folder), now(), environments)

    def new(branch: Branch) -> Sequence[Receipt]:
        return new_of(branch, receipts)

    written = Written(()) if bad else append(place_of(repository, prefix), new, push=push)
    make = import_text if form == "text" else import_json
    click.echo(make(len(receipts), bad, written.receipts, written.commit, written.remote), nl=False)
    return 1 if bad else 0


@receipts_command.command(
    "prune", short_help="Compact the branch: what ended long ago goes, and its history."
)
@click.option("--keep", type=DaysType(), metavar="DAYS", help="How far back what served is still told; "
              "default: the retention of receipts.")  # fmt: skip
@click.option("--push", is_flag=True, help="At origin: its branch is replaced, if nobody wrote meanwhile.")
@format_option("text", "json")
@root_option
def prune_receipts(keep: int | None, push: bool, form: str, root: str | None) -> int:
    """Compact the branch: receipts of what ended before the horizon go, and the branch's history with them.

    Of each model in each environment and cluster the last receipt before the horizon stays, so that `at
    --served` tells every instant after it as before. Less than the retention of receipts is refused.

    \b
    Examples:
      modelspec receipts prune
      modelspec receipts prune --keep 180d --push
    """
    from modelspec.cli.source import open_registry
    from modelspec.report.receipts import prune_json, prune_text
    from modelspec.spec.instant import days, earlier
    from modelspec.spec.settings import Retention
    from modelspec.trace.receipts import kept
    from modelspec.world.clock import now
    from modelspec.world.observing import prune

    repository, prefix, _ = repository_of(root)
    with open_registry(root, "HEAD") as source:
        settings = source.registry.settings
        least = (settings.retention if settings is not None else Retention()).kept_for("receipts")
    if keep is not None and keep < least:
        click.echo(
            f"modelspec: the retention of this registry keeps receipts for {least} days, not {keep}\n"
            "  fix: keep them longer, or lower `retention` in registry/modelspec.yaml first",
            err=True,
        )
        return 1
    horizon = earlier(now(), days(keep or least)).replace(microsecond=0)
    done = prune(place_of(repository, prefix), lambda some: kept(some, horizon), horizon, push=push)
    click.echo((prune_text if form == "text" else prune_json)(done, horizon), nl=False)
    return 0
