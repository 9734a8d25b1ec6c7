"""`modelspec trace`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from modelspec.cli.logs import around_option, log_option, looked_up, say_more, scanning
from modelspec.cli.options import (
    colours,
    complete,
    emit,
    environment_names,
    format_option,
    model_names,
    output_option,
    require_model,
    root_option,
    unknown,
)
from modelspec.cli.records import open_records
from modelspec.tree.finding import Refusal
from modelspec.tree.text import plural, visible

if TYPE_CHECKING:
    from modelspec.api.trace import Traced
    from modelspec.cli.logs import Looked
    from modelspec.cli.tracing import Tracer


@click.command("trace")
@click.argument("request", metavar="REQUEST_ID")
@log_option
@around_option
@click.option("--model", metavar="MODEL", shell_complete=complete(model_names),
              help="Of which model it is, where the log does not say.")  # fmt: skip
@click.option("--env", "environment", metavar="ENV", shell_complete=complete(environment_names),
              help="In which environment it was answered, where the log does not say.")  # fmt: skip
@click.option("--ref", metavar="REV", help="The history that ends at this revision; default: HEAD.")
@click.option("--replay", is_flag=True, help="Ask the version again, also when its stamp is proof enough.")
@click.option("--bundle", metavar="DIR", type=click.Path(path_type=Path),
              help="Write all of it to DIR: what `reproduce` gives, the record, the receipts.")  # fmt: skip
@click.option("--network", is_flag=True, help="Ask remote stores, and for a bundle the code's repository.")
@format_option("text", "json")
@output_option
@root_option
def trace_command(
    request: str,
    log: str,
    log_format: str | None,
    around: datetime | None,
    model: str | None,
    environment: str | None,
    ref: str | None,
    replay: bool,
    bundle: Path | None,
    network: bool,
    form: str,
    output: str | None,
    root: str | None,
) -> int:
    """Show which version answered a request, what it was given, and what it said.

    The record is found by the id's own time (UUIDv7), by --around, else by a scan. The version is known by
    the stamp on the record; else by receipts of that instant; else by what git declared then; else by a
    replay, when one candidate alone gives the logged answer again. Where the evidence does not suffice, the
    candidates are named and no version is.

    Exit code: 1 when there is no such request, when it is not known which version answered, or when more
    than a hundred different requests have this id.

    \b
    Examples:
      modelspec trace 0193b3a0-5d2c-7a11-8c6e-1f2a3b4c5d6e --log /var/log/modelspec
      modelspec trace 8f14e45f --log s3://logs/eta --around 2026-10-01T09:00:00Z --bundle ./complaint
    """
    from modelspec.world.forks import background

    def look() -> Looked:
        with scanning() as progress:
            return looked_up(open_records(log, log_format, progress), request, around)

    with background(look) as find:
        # The log is looked into while this process loads the registry, and what reads it.
        from modelspec.cli.tracing import Asking, open_tracer

        with open_tracer(root, ref, Asking(model, environment, around, replay), network=network) as tracer:
            registry = tracer.source.registry
            if model is not None:
                require_model(registry, model)
            if environment is not None and environment not in (places := set(environment_names(registry))):
                unknown("environment", environment, places)
            looked = find()
            traces = [tracer.trace(record, copies) for record, copies in looked.records]
            if not traces:
                return _nothing(request, looked, form, output)
            emit(_shown(form, request, traces, looked, output is None and colours()), output)
            say_more(looked, request)
            if bundle is not None:
                lacks = _bundle(tracer, traces, bundle, network)
                shown = visible(str(bundle), 200)
                said = (
                    f"it is in {shown}, without {', '.join(lacks)}" if lacks else f"all of it is in {shown}"
                )
                click.echo(f"modelspec: {said}", err=True)
    return 0 if not looked.more and all(one.identified.digest is not None for one in traces) else 1


def _shown(form: str, request: str, traces: list[Traced], looked: Looked, colour: bool) -> str:
    if form == "text":
        from modelspec.report.paint import Paint
        from modelspec.report.trace import trace_text

        return trace_text(request, traces, looked.unreadable, Paint(colour))
    import json

    from modelspec.report.trace_json import trace_json

    return json.dumps(trace_json(request, traces, looked.unreadable, looked.more), indent=2) + "\n"


def _nothing(request: str, looked: Looked, form: str, output: str | None) -> int:
    """Say that no record has this id, and what could not be looked into."""
    said = _shown(form, request, [], looked, False)
    if form == "text":
        said = f"no request has the id {visible(request)} in what was looked into\n{said}"
    emit(said, output)
    if looked.unreadable:
        count = plural(len(looked.unreadable), "place")
        click.echo(f"modelspec: {count} could not be read: it may be there", err=True)
    return 1


def _bundle(tracer: Tracer, traces: list[Traced], target: Path, network: bool) -> list[str]:
    """Write everything about one request to a folder, which is complete as soon as it exists.

    Return what could not be had of it.
    """
    import json

    from modelspec.api.trace import schemas_of
    from modelspec.cli.replaying import scripts
    from modelspec.cli.reproducing import Declared, Given, collected
    from modelspec.report.bundle import bundle_readme
    from modelspec.report.paint import Paint
    from modelspec.report.trace import trace_text
    from modelspec.report.trace_json import record_json, trace_json
    from modelspec.spec.receipt import canonical_bytes, written
    from modelspec.trace.columns import Mismatch, columns_of
    from modelspec.tree.digest import sha256
    from modelspec.world.assembly import assembled

    if len(traces) != 1:
        raise Refusal(
            f"{len(traces)} different requests have this id: no bundle is made", "tell them by --around"
        )
    [one] = traces
    held = one.held
    if held is None:
        raise Refusal("it is not known which version answered, or its file is gone: no bundle is made")
    registry, commit = tracer.registry_then(one)
    environment = one.pins[0].environment if one.pins else None
    at = written(one.at) if one.at is not None else None
    declared = Declared(tracer.source, registry, held.entry, environment, at, commit)
    with assembled(target) as assembly:
        found = collected(declared, assembly, Given(network=network))
        packed = ""
        try:
            from modelspec.runtimes.replay import packed as arrays
            from modelspec.runtimes.rows import arrays_of

            columns = columns_of(held.version, schemas_of(held, tracer.source.registry))
            assembly.file("record.npz", arrays(arrays_of(one.record, held.version, columns)))
            for name, data in scripts().items():
                assembly.file(name, data)
        except Mismatch as error:
            packed = str(error)
        except ImportError:
            packed = "numpy is not installed where this was written"
        whole = trace_json(one.record.id, traces, ())
        assembly.file("trace.json", (json.dumps(whole, indent=2) + "\n").encode())
        assembly.file("trace.txt", trace_text(one.record.id, traces, (), Paint()).encode())
        assembly.file("record.json", (json.dumps(record_json(one.record), indent=2) + "\n").encode())
        for receipt in tracer.receipts(one):
            data = canonical_bytes(receipt)
            assembly.file(f"receipts/{sha256(data).removeprefix('sha256:')}.json", data)
        assembly.file("README.md", bundle_readme(one, found, packed=packed).encode())
    lacks = [f"{piece.component} {piece.what}" if piece.what != piece.component else piece.what
             for piece in found.pieces if piece.state == "missing"]  # fmt: skip
    return lacks + ["record.npz"] * bool(packed)
