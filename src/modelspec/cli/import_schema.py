"""`modelspec import-schema`."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from modelspec.cli.options import format_option, root_option
from modelspec.cli.source import open_registry, renderer
from modelspec.cli.where import root_of
from modelspec.formats.foreign import FORMS, Form, Unreadable
from modelspec.tree.finding import Refusal
from modelspec.tree.text import visible, visible_lines

if TYPE_CHECKING:
    from modelspec.formats.foreign import Imported


@click.command("import-schema")
@click.argument("path", metavar="PATH")
@click.option("--view", required=True, help="The view that the schema is of; it may be new.")
@click.option(
    "--from", "kind", type=click.Choice(FORMS), help="The format of PATH; default: what its bytes say."
)
@click.option(
    "--number", type=click.IntRange(1, 999_999_999), help="The schema's number; default: the next one."
)
@click.option("--owner", help="Who answers for the view; needed when it is new, and no other than it has.")
@click.option("--stdout", is_flag=True, help="Print the schema and write nothing.")
@format_option("text", "json")
@root_option
def import_schema_command(
    path: str, view: str, kind: Form | None, number: int | None, owner: str | None, stdout: bool, form: str,
    root: str | None,
) -> int:  # fmt: skip
    """Write a feature schema from where it already is.

    PATH is an Avro schema or container, a Parquet, Arrow or Feather file, a JSON Schema, a Feast registry or
    view, a TFDV schema, an MLmodel file, an ONNX model, a Hugging Face preprocessor or tokenizer (a file, or
    its folder), or a sample (CSV; with `--from sample` the values of a Parquet file too). What it says and
    a schema can't is printed as notes, and stands as comments in the file. Nothing is overwritten.

    Exit code: 0 written, 1 PATH gives no schema, 3 PATH or the registry can't be read.

    \b
    Examples:
      modelspec import-schema trips.avsc --view trip_features
      modelspec import-schema sample.csv --view weather --owner @data-weather --stdout
    """
    from modelspec.api.importing import next_number, prepare
    from modelspec.report.imported import imported_json, imported_text, notes_text
    from modelspec.spec.kinds import VIEW, classify
    from modelspec.tree.paths import VIEW_NAME
    from modelspec.world.lock import lock
    from modelspec.world.write import apply_patch

    if classify(VIEW.locate(view)) is None:
        raise click.BadParameter(f"{visible(view)} is no name of a view ({VIEW_NAME})", param_hint="--view")
    try:
        imported = _imported(Path(path), kind, view)
        # From the look at which numbers are taken until the file is there, nobody else may write.
        with nullcontext() if stdout else lock(root_of(root)), open_registry(root, None) as source:
            chosen = number or next_number(source.registry, view)
            with renderer() as child:
                prepared = prepare(
                    source.registry, imported, view=view, number=chosen, owner=owner,
                    source=Path(path).name, renderer=child,
                )  # fmt: skip
            if not stdout:
                apply_patch(source.root, prepared.patch)
    except Unreadable as error:
        click.echo(f"modelspec: {visible(path, 200)}: {visible_lines(error.message)}", err=True)
        if error.fix:
            click.echo(f"  fix: {visible_lines(error.fix)}", err=True)
        return 1
    if form == "json":
        click.echo(imported_json(prepared, view, imported.what, written=not stdout), nl=False)
        return 0
    if stdout:
        click.echo((prepared.patch[prepared.path] or b"").decode(), nl=False)
    else:
        click.echo(imported_text(prepared, view), nl=False)
    click.echo(notes_text(prepared), err=True, nl=False)
    return 0


def _imported(path: Path, kind: Form | None, view: str) -> Imported:
    """Read the file in a child with limits: what comes back is data, or why there is none."""
    from modelspec.formats.detect import imported
    from modelspec.formats.foreign import Imported, Note
    from modelspec.world.folders import is_folder
    from modelspec.world.foreign import foreign
    from modelspec.world.isolated import isolated

    def work() -> bytes:
        try:
            if is_folder(path) and not path.is_symlink():
                found = _folder(path, kind)
            else:
                with foreign(path) as stream:
                    found = imported(stream, path.name, kind, view)
        except Unreadable as error:
            return json.dumps({"unreadable": [error.message, error.fix]}).encode()
        except Refusal as refusal:
            return json.dumps({"refused": [refusal.message, refusal.hint]}).encode()
        return json.dumps({"imported": asdict(found)}).encode()

    answer = json.loads(isolated(work))
    if "unreadable" in answer:
        raise Unreadable(*answer["unreadable"])
    if "refused" in answer:
        raise Refusal(*answer["refused"])
    data = answer["imported"]
    notes = tuple(Note(**note) for note in data.pop("notes"))
    return Imported(fields=tuple(data.pop("fields")), notes=notes, **data)


def _folder(path: Path, kind: Form | None) -> Imported:
    """Read the files in a folder that make a preprocessor or a tokenizer; no other format is a folder."""
    from modelspec.formats.huggingface import LIMIT, PREPROCESSOR, TOKENIZER, from_files
    from modelspec.world.foreign import foreign

    files: dict[str, bytes] = {}
    for name in sorted({PREPROCESSOR, *TOKENIZER}):
        file = path / name
        if file.is_symlink() or file.exists():
            with foreign(file) as stream:
                files[name] = stream.read(LIMIT + 1)
            if len(files[name]) > LIMIT:
                raise Unreadable(f"{name} has more than {LIMIT:,} bytes")
    if not files or kind not in (None, "huggingface"):
        raise Refusal(f"{visible(str(path), 200)} is a folder", "name the file in it that holds the schema")
    return from_files(files)
