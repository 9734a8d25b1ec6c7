"""`modelspec skew`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modelspec.cli.logs import by_column, log_option, ordered, scanning, window_options
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
from modelspec.tree.text import visible

if TYPE_CHECKING:
    from modelspec.api.trace import Held
    from modelspec.cli.tracing import Tracer
    from modelspec.runtimes.rows import Skipped
    from modelspec.trace.bins import Bins
    from modelspec.trace.skew import Skew
    from modelspec.tree.record import Record, RecordSource, Unreadable

MEASURES = ("psi", "violations", "ks")


class BoundType(click.ParamType[tuple[str, float]]):
    """A bound on a measure: `psi=0.25`, `violations=0.1%`."""

    name = "bound"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, float]:
        if isinstance(value, tuple):
            return value
        name, _, text = str(value).partition("=")
        if name not in MEASURES:
            unknown("measure", name, MEASURES)
        try:
            number = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        except ValueError:
            number = float("nan")
        if not 0 <= number < float("inf"):
            self.fail(f"{visible(text)} is no bound: {name}=0.25", param, ctx)
        return name, number


@click.command("skew")
@click.argument("model", shell_complete=complete(model_names))
@click.argument("environment", metavar="ENV", shell_complete=complete(environment_names))
@log_option
@window_options
@click.option("--version", "number", metavar="VERSION",
              help="Of this version; default: the one that ENV's pin names as stable.")  # fmt: skip
@click.option("--ks", "sample", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="The training sample, a table: exact KS, and bins where none are stored.")  # fmt: skip
@click.option("--threshold", "bounds", metavar="MEASURE=N", type=BoundType(), multiple=True,
              help="Exit 1 above it: psi=0.25, violations=0.1%, ks=0.1; can be repeated.")  # fmt: skip
@click.option("--html", "page", metavar="FILE", help="Write one page with plots as well.")
@click.option("--network", is_flag=True, help="Ask remote stores for the reference bins as well.")
@format_option("text", "json")
@output_option
@root_option
def skew_command(
    model: str,
    environment: str,
    log: str,
    log_format: str | None,
    since: datetime | None,
    until: datetime | None,
    number: str | None,
    sample: Path | None,
    bounds: tuple[tuple[str, float], ...],
    page: str | None,
    network: bool,
    form: str,
    output: str | None,
    root: str | None,
) -> int:
    """Hold what a model is given against its contract, and against the sample it was trained on.

    By feature: values of a wrong type, null, not finite, out of range, of no category; another unit, where
    the values tell; and the drift from the bins that `register --reference` stored with the version (PSI).
    Requests that another version answered are left out and counted. One pass; nothing is kept.

    Exit code: 1 when a --threshold is crossed, or when there is no request to judge.

    \b
    Examples:
      modelspec skew eta production --log ./log --from 2026-10-01T00:00:00Z
      modelspec skew eta production --log ./log --threshold psi=0.25 --threshold violations=0.1%
      modelspec skew eta production --log ./log --ks trips.parquet --html skew.html
    """
    import json

    from modelspec.cli.tracing import Asking, open_tracer
    from modelspec.report.paint import Paint
    from modelspec.report.skew import skew_json, skew_text

    ordered(since, until)
    asking = Asking(model, environment, None, replay=False)
    with scanning() as progress, open_tracer(root, None, asking, network=network) as tracer:
        held = _held(tracer, model, environment, number)
        source = open_records(log, log_format, progress)
        found = _judged(tracer, held, environment, source, since, until, sample, dict(bounds))
    if page is not None:
        from modelspec.report.skew_html import skew_html

        emit(skew_html(found), page)
    text = skew_text(found, Paint(output is None and colours()))
    emit(text if form == "text" else json.dumps(skew_json(found), indent=2) + "\n", output)
    if not found.rows:
        click.echo("modelspec: there is no request to judge", err=True)
    return 1 if found.crossed or not found.rows else 0


def _held(tracer: Tracer, model: str, environment: str, number: str | None) -> Held:
    from modelspec.api.trace import held
    from modelspec.spec.base import ref_digest, ref_name
    from modelspec.spec.kinds import PIN, VERSION

    registry = tracer.source.registry
    require_model(registry, model)
    if environment not in (places := set(environment_names(registry))):
        unknown("environment", environment, places)
    if number is None:
        pin = registry.value(PIN, environment, model)
        if pin is None:
            raise Refusal(f"{environment} has no pin of {model} that can be read", "name one: --version")
        number, digest = ref_name(pin.value.stable.version), ref_digest(pin.value.stable.version)
    else:
        entry = registry.value(VERSION, model, number)
        gone = next((one for one in tracer.versions.all_of(model) if one.version == number), None)
        if entry is None and gone is None:
            unknown(f"version of {model}", number, [name[1] for name in registry.names(VERSION, model)])
        digest = entry.digest if entry is not None else gone.digest if gone is not None else ""
    found = held(registry, tracer.history, model, number, digest)
    if found is None:
        raise Refusal(f"{model} {visible(number)} can't be read", "`modelspec check` says why")
    return found


def _judged(
    tracer: Tracer, held: Held, environment: str, source: RecordSource, since: datetime | None,
    until: datetime | None, sample: Path | None, bounds: dict[str, float],
) -> Skew:  # fmt: skip
    try:
        from modelspec.runtimes.columnar import blocks_by_column
        from modelspec.runtimes.rows import Skipped
        from modelspec.runtimes.skew import Feed, measure
    except ImportError:
        from modelspec.cli.replaying import EXTRA

        raise Refusal("skew needs duckdb, pyarrow, numpy and onnxruntime", EXTRA) from None
    from modelspec.api.trace import schemas_of
    from modelspec.trace.columns import columns_of
    from modelspec.trace.measures import measured
    from modelspec.trace.skew import Skew, crossed

    columns = columns_of(held.version, schemas_of(held, tracer.source.registry))
    if not columns:
        name = f"{held.version.model} {held.version.version}"
        raise Refusal(f"{name} does not say which features fill its inputs: there is no contract to judge")
    notes: list[str] = []
    stored = _stored(tracer, held, notes)
    values: dict[str, Any] | None = None
    if sample is not None:
        from modelspec.cli.sample import sampled

        values, binned = sampled(sample, columns)
        stored = stored or binned
    names = [one.name for one in columns]
    table = measured(columns, {name: _bins(stored, name, names) for name in names})
    skipped = Skipped()
    feed = Feed(held.version, columns, table, skipped)
    batches = by_column(source, since, until)
    chosen = _Chosen(held, environment, skipped)
    blocks = (
        blocks_by_column(chosen.batches(batches), feed)
        if batches is not None
        else feed.records(chosen.records(source.records(since, until)))
    )
    found = measure(table, blocks, feed, values)
    lost = [one.name for one in columns if one.feature is None]
    notes += [f"{', '.join(lost)}: the schema is lost, so that no contract is judged"] if lost else []
    wide = [column.name for column in columns if all(one.column is not column for one in table)]
    notes += [f"{', '.join(wide)}: too wide to be judged number by number"] if wide else []
    notes += (
        [f"hidden in the log on purpose, and not judged: {', '.join(sorted(feed.hidden))}"]
        if feed.hidden
        else []
    )
    return Skew(
        held.version.model, held.version.version, held.entry.digest, environment, source.shown, since, until,
        found.rows, found.features, found.worst, skipped.counts, skipped.examples, tuple(notes),
        crossed(found.features, bounds),
    )  # fmt: skip


def _bins(stored: dict[str, Bins], name: str, names: list[str]) -> Bins | None:
    from modelspec.trace.bins import of_field

    return of_field(stored, name, names)


def _stored(tracer: Tracer, held: Held, notes: list[str]) -> dict[str, Bins]:
    """Return the bins that the version stored, verified; a note says why there are none."""
    import json

    from modelspec.trace.bins import Unfit, read_bins

    version = held.version
    name = f"{version.model} {version.version}"
    if version.reference is None:
        notes.append(f"{name} stored no bins of its training sample (register --reference)")
        return {}
    try:
        folder = tracer.loaded.tree(held, version.reference)
        [file] = [path for path in folder.rglob("*") if path.is_file()]
        return read_bins(json.loads(file.read_bytes()))
    except Refusal as refusal:
        notes.append(f"the bins of {name} are not to be had: {refusal.message}")
    except (Unfit, ValueError, RecursionError) as error:
        notes.append(f"the bins of {name} can't be read: {visible(str(error), 120)}")
    return {}


class _Chosen:
    """Lets through what this version answered in this environment; the rest is counted by what it is."""

    def __init__(self, held: Held, environment: str, skipped: Skipped) -> None:
        self._model, self._environment, self._skipped = held.version.model, environment, skipped
        self._digest = held.entry.digest

    def batches(self, batches: Any) -> Iterator[Any]:
        """Choose among batches of our own log."""
        from modelspec.tree.record import Unreadable
        from modelspec.world.records.own_file import requests_in

        for one in batches:
            if isinstance(one, Unreadable):
                yield one
                continue
            layout, batch, place = one
            why = self._why_not(layout.model, layout.environment, layout.stamp)
            if why is None:
                yield one
            elif batch.num_rows:
                self._skipped.note(why, place, requests_in(batch))

    def records(self, records: Iterator[Record | Unreadable]) -> Iterator[Record | Unreadable]:
        """Choose among records."""
        from modelspec.tree.record import Unreadable

        for one in records:
            why = None
            if not isinstance(one, Unreadable):
                why = self._why_not(one.model, one.environment, one.stamp)
            if why is None:
                yield one
            else:
                self._skipped.note(why, one.id if not isinstance(one, Unreadable) else one.place)

    def _why_not(self, model: str | None, environment: str | None, stamp: str | None) -> str | None:
        from modelspec.trace.candidates import named_by

        if stamp and not named_by(stamp, [self._digest]):
            return f"answered by another version, {visible(stamp[:19], 30)}"
        if not stamp and model not in (None, self._model):
            return f"a request to {visible(model or '', 60)}"
        if environment not in (None, self._environment):
            return f"answered in {visible(environment or '', 60)}"
        return None
