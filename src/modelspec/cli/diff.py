"""`modelspec diff`: what differs in meaning."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

import click

from modelspec.cli.options import (
    colours,
    complete,
    emit,
    format_option,
    output_option,
    require_model,
    root_option,
    unknown,
    version_names,
)
from modelspec.tree.paths import NAME, SEMVER

if TYPE_CHECKING:
    from modelspec.change.versions import VersionDiff
    from modelspec.spec.registry import Registry

_VERSION: Final = re.compile(f"({NAME})@({SEMVER})")


@click.command("diff")
@click.argument("was", metavar="REF1", shell_complete=complete(version_names))
@click.argument("now", metavar="REF2", shell_complete=complete(version_names))
@click.option("--ref", metavar="REV", help="Where MODEL@VERSION is read; default: the work tree.")
@format_option("text", "json")
@output_option
@root_option
def diff_command(
    was: str, now: str, ref: str | None, form: str, output: str | None, root: str | None
) -> None:
    """Show what differs in meaning between two git revisions, or between two versions of a model.

    Between revisions: pins and the kind of each change, which components of the versions in them moved,
    hyperparameters, thresholds and metrics old -> new, feature schemas by the rows of the compatibility
    table, settings. Files that differ in layout and comments only are counted.

    \b
    Examples:
      modelspec diff v1.2 main
      modelspec diff HEAD~1 HEAD --format json
      modelspec diff eta@2.3.0 eta@3.0.0
    """
    ours, theirs = _VERSION.fullmatch(was), _VERSION.fullmatch(now)
    if ours is not None and theirs is not None:
        text = _versions(root, ref, ours, theirs, form)
    elif ours is not None or theirs is not None:
        raise click.UsageError("Compare two versions (eta@2.3.0 eta@3.0.0) or two git revisions.")
    elif ref is not None:
        raise click.UsageError("--ref is where versions are read: REF1 and REF2 are revisions already.")
    else:
        text = _revisions(root, was, now, form, colour=output is None and colours())
    emit(text, output)


def _revisions(root: str | None, was: str, now: str, form: str, *, colour: bool) -> str:
    from modelspec.change.registries import registry_diff
    from modelspec.cli.past import open_past
    from modelspec.delta.pairs import pairs, touched
    from modelspec.delta.pins import needs_history
    from modelspec.delta.tenure import standings
    from modelspec.report.diff import diff_data, diff_text
    from modelspec.report.paint import Paint
    from modelspec.spec.kinds import PIN
    from modelspec.spec.reader import Reader
    from modelspec.spec.registry import Registry

    with open_past(root, was) as past:
        head = past.resolve(now)
        reader = Reader()
        base = Registry(past.snapshot(past.tip), reader)
        ahead = Registry(past.snapshot(head), reader)
        asked = [one for one in pairs(base, ahead, touched(base, ahead)) if one.kind is PIN]
        states = [(one.path, one.before, one.after) for one in asked]
        past.of_all(
            [
                path
                for path, old, new in states
                if needs_history(old.value if old else None, new.value if new else None)
            ]
        )
        found = registry_diff(
            base,
            ahead,
            lambda environment, model: standings(past, reader, environment, model),
        )
        if form == "json":
            return json.dumps(diff_data(found, past.tip, head), indent=2) + "\n"
        return f"{past.tip[:12]} -> {head[:12]}\n" + diff_text(found, Paint(colour))


def _versions(
    root: str | None, ref: str | None, ours: re.Match[str], theirs: re.Match[str], form: str
) -> str:
    from modelspec.cli.source import open_registry
    from modelspec.report.diff import version_diff_data, version_diff_text

    if ours[1] != theirs[1]:
        raise click.UsageError(f"{ours[1]} and {theirs[1]} are two models: compare versions of one.")
    with open_registry(root, ref) as source:
        found = _version_diff(source.registry, ours[1], ours[2], theirs[2])
    if form == "json":
        shape = {"format": "modelspec/version-diff/1", **version_diff_data(found)}
        return json.dumps(shape, indent=2) + "\n"
    return "".join(f"{line}\n" for line in version_diff_text(found))


def _version_diff(registry: Registry, model: str, was: str, now: str) -> VersionDiff:
    from modelspec.change.versions import version_diff
    from modelspec.spec.kinds import VERSION
    from modelspec.spec.reader import Entry

    require_model(registry, model)
    entries = []
    for version in (was, now):
        found = registry.get(VERSION, model, version)
        if found is None:
            unknown(f"version of {model}", version, (name[1] for name in registry.names(VERSION, model)))
        if not isinstance(found, Entry):
            raise click.ClickException(f"{model} {version} can't be read: `modelspec check` says why")
        entries.append(found)
    return version_diff(*entries)
