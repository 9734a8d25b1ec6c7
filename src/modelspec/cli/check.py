"""`modelspec check`."""

from __future__ import annotations

from datetime import datetime

import click

from modelspec.cli.options import (
    InstantType,
    colours,
    emit,
    format_option,
    output_option,
    report_option,
    root_option,
)
from modelspec.cli.source import open_change, renderer, shared, trusted, within_repository

FORMS = ("text", "json", "github", "sarif", "junit", "gitlab")


@click.command("check")
@click.option(
    "--base",
    metavar="REV",
    help="Judge the change since this revision as well; default in CI: the target branch.",
)
@click.option(
    "--tip",
    metavar="REV",
    help="Where main was when it was seen last: it must still be in its history; the base if none is named.",
)
@click.option("--ref", metavar="REV", help="Check this git revision; the work tree is not touched.")
@click.option(
    "--now",
    "instant",
    type=InstantType(),
    help="Judge dates at this instant; default: now, with --ref the commit's.",
)
@format_option(*FORMS)
@output_option
@report_option(*FORMS)
@root_option
def check_command(
    base: str | None,
    tip: str | None,
    ref: str | None,
    instant: datetime | None,
    form: str,
    output: str | None,
    reports: tuple[tuple[str, str], ...],
    root: str | None,
) -> int:
    """Judge the whole registry and print findings.

    With --base also what changed since: published versions, gates, the way back. A finding that the
    base has too, in a file that the change does not touch, is printed as existing and does not block.
    Reads no artifact bytes and no network. Exit code: 0 clean, 1 findings, 3 nothing to check.

    \b
    Examples:
      modelspec check
      modelspec check --base origin/main
      modelspec check --ref origin/main --format json
      modelspec check --format github --report sarif=modelspec.sarif --report junit=junit.xml
    """
    from modelspec.api.check import check
    from modelspec.report.check import checked_as, checked_text
    from modelspec.report.paint import Paint

    with open_change(root, ref, base, tip, at=instant) as source, renderer() as child:
        checked = check(
            source.registry,
            now=source.instant,
            renderer=child,
            trusted=trusted(),
            against=source.against,
            share=shared(sum(1 for _ in source.registry.files())),
        )
        prefix = within_repository(source.root)

        def rendered(form: str, file: str | None) -> str:
            if form == "text":
                return checked_text(source.registry, checked, Paint(file is None and colours()))
            return checked_as(form, source.registry, checked, prefix)

        text = rendered(form, output)
        written = [(file, rendered(kind, file)) for kind, file in reports]
    for file, report in written:
        emit(report, file)
    emit(text, output)
    return 1 if checked.blocked else 0
