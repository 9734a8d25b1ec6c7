"""`modelspec codeowners`."""

from __future__ import annotations

import re
from pathlib import Path

import click

from modelspec.cli.options import format_option, output_option, root_option
from modelspec.tree.finding import Refusal
from modelspec.tree.text import visible

_LIMIT = 3 * 1024 * 1024


@click.command("codeowners")
@click.option(
    "--default", "others", metavar="OWNER[,OWNER...]", help="Who owns what no file names an owner for."
)
@click.option(
    "--check", "file", metavar="FILE", help="Write nothing; exit 1 when the block in FILE is another."
)
@format_option("github", "gitlab", "json")
@output_option
@root_option
def codeowners_command(
    others: str | None, file: str | None, form: str, output: str | None, root: str | None
) -> int:
    """Print CODEOWNERS lines from the owners in model.yaml, view.yaml and environment.yaml.

    A model's owner approves its files and its pins, everywhere; where an environment names an owner, that
    one approves its pins instead (with --format gitlab: as well, in a section of its own). The lines stand
    between two marks: keep your own around them. An owner is @user, @group/team or an address.

    \b
    Examples:
      modelspec codeowners --default @ml-platform --output .github/CODEOWNERS
      modelspec codeowners --default @ml-platform --check .github/CODEOWNERS
      modelspec codeowners --format gitlab --output CODEOWNERS
    """
    from modelspec.cli.options import emit
    from modelspec.cli.source import open_registry, within_repository
    from modelspec.report.codeowners import block_of, codeowners_json, codeowners_text, is_owner, owners

    default = tuple(re.split(r"[,\s]+", others.strip(", "))) if others else ()
    for name in default:
        if not is_owner(name):
            raise click.UsageError(f"--default {visible(name)} is not @user, @group/team or an address.")
    if file is not None and form == "json":
        raise click.UsageError("--check compares lines: --format github or gitlab.")
    with open_registry(root, None) as source:
        within = within_repository(source.root)
        if visible(within, len(within) + 1) != within:
            raise Refusal(
                f"no line of CODEOWNERS can name the folder {visible(within, 200)}", "give it a plainer name"
            )
        found = owners(source.registry, within, default)
    for one in found.unknown:
        click.echo(f"left out, no owner that a forge knows: {one}", err=True)
    if form == "json":
        emit(codeowners_json(found), output)
        return 0
    text = codeowners_text(found, sections=form == "gitlab")
    if file is None:
        emit(text, output)
        return 0
    there = _read(file)
    if block_of(there) == text:
        click.echo(f"{visible(file, 200)} names the owners of the registry")
        return 0
    click.echo(f"{visible(file, 200)} differs from the owners of the registry; it should have:")
    click.echo(text, nl=False)
    return 1


def _read(file: str) -> str:
    try:
        with Path(file).open("rb") as opened:
            data = opened.read(_LIMIT + 1)
    except FileNotFoundError:
        return ""
    if len(data) > _LIMIT:
        raise Refusal(f"{visible(file, 200)} has more than 3 MiB", "forges read no more than that")
    return data.decode("utf-8", "replace")
