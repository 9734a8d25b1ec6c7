"""`modelspec blame`: where each line of a serving config comes from."""

from __future__ import annotations

import json
import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from modelspec.cli.options import colours, emit, format_option, output_option, root_option, unknown
from modelspec.cli.past import open_past
from modelspec.cli.source import renderer, trusted
from modelspec.cli.where import root_of

if TYPE_CHECKING:
    from modelspec.change.blame import BlamedLine
    from modelspec.report.blame import Commits
    from modelspec.rules.rule import Scene
    from modelspec.spec.environment import Pin
    from modelspec.spec.reader import Entry
    from modelspec.spec.registry import Registry
    from modelspec.world.history import GitHistory

_PATH = re.compile(r"compiled/([^/]+)/models/([^/]+)/(.+)")


@click.command("blame")
@click.argument("what", metavar="PATH|MODEL")
@click.argument("environment", metavar="[ENV]", required=False)
@click.option("--ref", metavar="REV", help="Blame the config of this revision; default: HEAD.")
@format_option("text", "json")
@output_option
@root_option
def blame_command(
    what: str, environment: str | None, ref: str | None, form: str, output: str | None, root: str | None
) -> int:
    """Show for every line of a serving config the file, line, commit and author that it comes from.

    PATH is a file below compiled/. With MODEL and ENV its files are listed. Each leaf of the inputs is
    changed and the config rendered again: the lines that move come from that leaf; the others are the
    template's. Committed state is what is blamed: nothing of the work tree is read.

    \b
    Examples:
      modelspec blame compiled/production/models/eta/kserve/inference-service.yaml
      modelspec blame eta production
    """
    from modelspec.change.blame import blame_output, output_paths
    from modelspec.report.blame import blame_data, blame_text
    from modelspec.report.paint import Paint
    from modelspec.rules.rule import Scene
    from modelspec.spec.registry import Registry

    path = None if environment is not None else _inside(what, root)
    match = _PATH.fullmatch(path) if path is not None else None
    if environment is None and match is None:
        raise click.UsageError("Name a file compiled/ENV/models/MODEL/..., or MODEL and ENV.")
    place, model = (match[1], match[2]) if match is not None else (str(environment), what)
    with open_past(root, ref) as past, renderer() as child:
        registry = Registry(past.snapshot(past.tip))
        scene = Scene(registry, child, trusted=trusted())
        if not _compiles(scene, place, model):
            return 1
        pin = _pin(registry, place, model)
        paths = output_paths(scene, pin)
        if path is None:
            listed: list[str] = list(paths)
            shape = {"format": "modelspec/blame-files/1", "ref": past.tip, "files": listed}
            text = (
                json.dumps(shape, indent=2) + "\n" if form == "json" else "".join(f"{one}\n" for one in paths)
            )
        else:
            lines = blame_output(scene, pin, path) if path in paths else None
            if lines is None:
                if path.endswith("/manifest.json"):
                    raise click.UsageError("manifest.json lists digests of all inputs: blame the configs.")
                unknown(f"config of {model} in {place}", path, paths)
            _stale(registry, path, lines)
            commits = _commits(past, lines)
            if form == "json":
                text = json.dumps(blame_data(path, past.tip, lines, commits), indent=2) + "\n"
            else:
                text = blame_text(lines, commits, Paint(output is None and colours()))
    emit(text, output)
    return 0


def _inside(what: str, root: str | None) -> str:
    """Return a path as it is from the root: people name it from where they stand."""
    if what.startswith("compiled/"):
        return what
    folder = root_of(root)
    return posixpath.relpath(Path(what).absolute().as_posix(), folder.absolute().as_posix())


def _pin(registry: Registry, environment: str, model: str) -> Entry[Pin]:
    from modelspec.spec.kinds import PIN

    pin = registry.value(PIN, environment, model)
    if pin is None:
        environments = {name[0] for name in registry.names(PIN)}
        if environment not in environments:
            unknown("environment with pins", environment, environments)
        unknown(f"pin in {environment}", model, (name[1] for name in registry.names(PIN, environment)))
    return pin


def _compiles(scene: Scene, environment: str, model: str) -> bool:
    """Whether the pin can be compiled; prints what stands in the way."""
    from modelspec.api.build import build
    from modelspec.report.paint import Paint
    from modelspec.report.text import findings_text

    built = build(
        scene.registry,
        renderer=scene.renderer,
        trusted=scene.trusted,
        environment=environment,
        model=model,
    )
    if built.blocked:
        click.echo(findings_text(scene.registry, built.findings, Paint(colours())), nl=False, err=True)
        click.echo("modelspec: what does not compile has no lines to blame", err=True)
    return not built.blocked


def _stale(registry: Registry, path: str, lines: tuple[BlamedLine, ...]) -> None:
    blob = registry.snapshot.get(path)
    data = blob.read() if blob is not None else None
    if isinstance(data, bytes) and data != "".join(f"{line.text}\n" for line in lines).encode():
        click.echo(
            f"modelspec: the committed {path} is not what its pin compiles to: shown is what it compiles to\n"
            "  fix: modelspec compile",
            err=True,
        )


def _commits(past: GitHistory, lines: tuple[BlamedLine, ...]) -> Commits:
    from modelspec.change.blame import line_commits

    origins = {origin for line in lines for origin in line.origins}
    paths = sorted({origin.path for origin in origins})
    known = {path: line_commits(revisions) for path, revisions in past.of_all(paths).items()}
    return {
        origin: known[origin.path][origin.line - 1] if origin.line <= len(known[origin.path]) else None
        for origin in origins
    }
