"""`modelspec plan`."""

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
from modelspec.cli.source import foreign, open_change, renderer, trusted

FORMS = ("text", "markdown", "json")


@click.command("plan")
@click.option(
    "--base",
    metavar="REV",
    help="What the change is to be merged into; default in CI: the target branch, elsewhere HEAD.",
)
@click.option("--ref", metavar="REV", help="Plan this revision; default: the work tree.")
@click.option(
    "--now",
    "instant",
    type=InstantType(),
    help="Judge gates at this instant; default: now, with --ref the commit's.",
)
@click.option("--detailed-exitcode", is_flag=True, help="Exit 4 when there are changes, 5 when blocked.")
@format_option(*FORMS)
@output_option
@report_option(*FORMS)
@root_option
def plan_command(
    base: str | None,
    ref: str | None,
    instant: datetime | None,
    detailed_exitcode: bool,
    form: str,
    output: str | None,
    reports: tuple[tuple[str, str], ...],
    root: str | None,
) -> int:
    """Show what a merge would change: kinds, differences, gates, reach, the way back, serving configs.

    Kinds are told by the state of the pins, never by a commit's subject. Markdown is for the one comment of
    a pull request. Exit code: 0; with --detailed-exitcode 0 no change, 4 changes, 5 blocked.

    \b
    Examples:
      modelspec plan
      modelspec plan --base origin/main --ref HEAD
      modelspec plan --base origin/main --format markdown --output plan.md --report json=plan.json
    """
    with (
        open_change(root, ref, base, default="HEAD", at=instant, scoped=True) as source,
        renderer() as child,
    ):
        assert source.against is not None and source.base is not None
        if foreign(source.registry.snapshot):
            child.begin()
        # Git looks for what it was asked in `open_change` while these are loaded, which takes as long.
        from modelspec.api.plan import plan
        from modelspec.report.paint import Paint
        from modelspec.report.plan import Between, plan_json, plan_text

        found = plan(
            source.registry,
            source.against,
            now=source.instant,
            renderer=child,
            trusted=trusted(),
        )
        between = Between(source.base, source.head, source.left, source.checked_out)

        def rendered(form: str, file: str | None) -> str:
            if form == "text":
                return plan_text(source.registry, found, between, Paint(file is None and colours()))
            if form == "json":
                return plan_json(source.registry, found, between)
            from modelspec.report.plan_markdown import plan_markdown

            return plan_markdown(source.registry, found, between)

        text = rendered(form, output)
        written = [(file, rendered(kind, file)) for kind, file in reports]
    for file, report in written:
        emit(report, file)
    emit(text, output)
    if not detailed_exitcode or found.diff.empty:
        return 0
    return 5 if found.blocked else 4
