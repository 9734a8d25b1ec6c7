"""`modelspec replay`."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from modelspec.cli.logs import (
    around_option,
    log_option,
    looked_up,
    ordered,
    say_more,
    scanning,
    window_options,
)
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
from modelspec.cli.records import open_records
from modelspec.tree.finding import Refusal
from modelspec.tree.text import plural, visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelspec.api.trace import Held
    from modelspec.cli.tracing import Tracer
    from modelspec.report.replay import Once, Sum
    from modelspec.runtimes.bulk import Player
    from modelspec.runtimes.rows import Skipped
    from modelspec.tree.record import Record, Unreadable


@click.command("replay")
@click.argument("request", metavar="[REQUEST_ID]", required=False)
@log_option
@click.option("--version", "named", metavar="MODEL@VERSION", shell_complete=complete(version_names),
              help="Ask this version, whichever served.")  # fmt: skip
@around_option
@window_options
@click.option("--isolated", is_flag=True, help="Ask in an environment built from the version's lock.")
@click.option("--engine", type=click.Choice(("local", "ray")), default="local", show_default=True,
              help="Where a whole log is replayed: this process, or a Ray cluster.")  # fmt: skip
@click.option("--network", is_flag=True, help="Ask remote stores as well.")
@format_option("text", "json")
@output_option
@root_option
def replay_command(
    request: str | None,
    log: str,
    log_format: str | None,
    named: str | None,
    around: datetime | None,
    since: datetime | None,
    until: datetime | None,
    isolated: bool,
    engine: str,
    network: bool,
    form: str,
    output: str | None,
    root: str | None,
) -> int:
    """Ask a version again what it was asked, with the threads and the batch of then, and compare.

    With REQUEST_ID one request, through the version that served it (as `trace` knows it); without, a whole
    log or a window of it, each request through the version of its stamp. --version asks another one: what
    would it have answered? The answer is bit-equal, within the tolerance that the version declares, or
    different; how far is said in ulp, the floating point numbers between the two.

    This process must have the onnxruntime and numpy that the version records, else it is said; --isolated
    builds an environment from the lock (pip uses its own network).

    Exit code: 1 when an answer of the version that served is different, or nothing could be replayed.

    \b
    Examples:
      modelspec replay 0193b3a0-5d2c-7a11-8c6e-1f2a3b4c5d6e --log ./log
      modelspec replay --log ./log --from 2026-10-01T00:00:00Z --until 2026-10-02T00:00:00Z
      modelspec replay --log ./log --version eta@2.3.1 --format json
    """
    import json

    from modelspec.cli.tracing import Asking, open_tracer
    from modelspec.report.paint import Paint
    from modelspec.report.replay import once_json, once_text, sums_json, sums_text

    if request is None and around is not None:
        raise click.UsageError("--around goes with REQUEST_ID; a log has --from and --until.")
    if request is not None and (since is not None or until is not None or engine != "local"):
        raise click.UsageError("--from, --until and --engine go with a whole log, without REQUEST_ID.")
    if isolated and engine != "local":
        raise click.UsageError("--isolated goes with --engine local.")
    ordered(since, until)
    paint = Paint(output is None and colours())
    model = named.partition("@")[0] if named is not None else None
    asking = Asking(model, None, around, replay=False)
    with (
        scanning() as progress,
        open_tracer(root, None, asking, network=network, isolated=isolated) as tracer,
    ):
        held = _named(tracer, named) if named is not None else None
        source = open_records(log, log_format, progress)
        if request is not None:
            looked = looked_up(source, request, around)
            if not looked.records:
                raise _nothing(request, source.shown, looked.unreadable)
            if looked.unreadable:
                click.echo(f"modelspec: {_unread(looked.unreadable)}: it may be there too", err=True)
            say_more(looked, request)
            done = [_once(tracer, record, held) for record, _ in looked.records]
            text = "\n".join(once_text(one, paint) for one in done)
            shown = [once_json(one) for one in done]
            data = shown[0] if len(shown) == 1 else shown
            emit(text if form == "text" else json.dumps(data, indent=2) + "\n", output)
            return 1 if any(_fails(one) for one in done) else 0
        sums, skipped = _bulk(tracer, log, source, since, until, held, engine)
        text = sums_text(sums, skipped.counts, skipped.examples, paint)
        whole = sums_json(sums, skipped.counts, skipped.examples)
        emit(text if form == "text" else json.dumps(whole, indent=2) + "\n", output)
        failed = held is None and any(one.tally.count("different") for one in sums)
        return 1 if failed or not any(one.tally.rows for one in sums) else 0


def _nothing(request: str, shown: str, unreadable: Sequence[Unreadable]) -> Refusal:
    said = f"no request has the id {visible(request)} in {shown}"
    return Refusal(f"{said}; {_unread(unreadable)}: it may be there" if unreadable else said)


def _unread(unreadable: Sequence[Unreadable]) -> str:
    """Return what could not be read, the first of it by name."""
    first, more = unreadable[0], len(unreadable) - 1
    others = f", nor {plural(more, 'other place')}" if more else ""
    return f"{first.place} could not be read ({first.why}){others}"


def _fails(one: Once) -> bool:
    return one.served and one.compared is not None and one.compared.verdict == "different"


def _named(tracer: Tracer, name: str) -> Held:
    """Return the version that the caller names: of today, of the history, or of a pruned file."""
    from modelspec.api.trace import held
    from modelspec.spec.kinds import VERSION

    model, at, version = name.partition("@")
    registry = tracer.source.registry
    require_model(registry, model)
    versions = [one[1] for one in registry.names(VERSION, model)]
    if not at:
        raise click.UsageError(f"Name the version: {model}@{versions[-1] if versions else '1.0.0'}.")
    entry = registry.value(VERSION, model, version)
    found = None
    if entry is not None:
        found = held(registry, tracer.history, model, version, entry.digest)
    else:
        gone = next((one for one in tracer.versions.all_of(model) if one.version == version), None)
        found = held(registry, tracer.history, model, version, gone.digest) if gone is not None else None
    if found is None:
        unknown(f"version of {model}", version, versions)
    return found


def _once(tracer: Tracer, record: Record, held: Held | None) -> Once:
    from modelspec.api.trace import schemas_of
    from modelspec.report.replay import Once
    from modelspec.trace.candidates import named_by
    from modelspec.trace.columns import Mismatch, columns_of

    served = held is None or bool(named_by(record.stamp or "", [held.entry.digest]))
    if held is None:
        traced = tracer.trace(record, 1)
        held = traced.held
        if held is None:
            why = " ".join(traced.identified.why) or "its file is gone"
            raise Refusal(
                f"it is not known which version answered: {why}", "name one: --version MODEL@VERSION"
            )
    replay = tracer.loaded.of(held)
    if isinstance(replay, str):
        raise Refusal(replay)
    from modelspec.runtimes.replay import doubts
    from modelspec.runtimes.rows import arrays_of

    version = held.version
    tolerance = version.tolerance or 0.0
    columns = columns_of(version, schemas_of(held, tracer.source.registry))
    try:
        rows = arrays_of(record, version, columns)
        now, compared = replay.again(rows, tolerance)
    except Mismatch as error:
        raise Refusal(f"{version.model} {version.version} can't be asked this: {error}") from None
    return Once(
        record.id, record.place, version.model, version.version, held.entry.digest, replay.threads,
        int(rows.batch[0]) if len(rows.batch) else 0, _shown(rows.outputs), _shown(now), compared, tolerance,
        () if tracer.loaded.isolated else doubts(version), served,
    )  # fmt: skip


def _shown(arrays: Any) -> tuple[tuple[str, str], ...]:
    found = []
    for name, one in arrays.items():
        values = one.reshape(-1).tolist()
        text = ", ".join(visible(str(value), 60) for value in values[:8])
        found.append((name, text if len(values) == 1 else f"[{text}{', ...' if len(values) > 8 else ''}]"))
    return tuple(found)


def _bulk(
    tracer: Tracer, log: str, source: Any, since: datetime | None, until: datetime | None,
    held: Held | None, engine: str,
) -> tuple[list[Sum], Skipped]:  # fmt: skip
    """Replay a whole log, and return the sums by version."""
    from modelspec.cli.players import Players

    try:
        from modelspec.runtimes.bulk import play
        from modelspec.runtimes.rows import Skipped
    except ImportError:
        from modelspec.cli.replaying import EXTRA

        raise Refusal("a replay needs onnxruntime, numpy and pyarrow", EXTRA) from None
    players = Players(tracer, held)
    skipped = Skipped()
    if engine == "ray":
        skipped = _on_ray(players, log, source, since, until)
    else:
        play(source, since, until, players.choose, skipped)
    return [_sum(tracer, one) for one in players.all() if one.tally.rows], skipped


def _on_ray(players: Any, log: str, source: Any, since: datetime | None, until: datetime | None) -> Skipped:
    from modelspec.runtimes.cluster import play_on_ray
    from modelspec.runtimes.rows import Skipped
    from modelspec.tree.record import Unreadable
    from modelspec.world.records.own import OwnRecords

    if not isinstance(source, OwnRecords):
        raise Refusal("--engine ray reads our own Parquet alone", "replay this log without --engine ray")
    skipped = Skipped()
    paths = []
    for file in source.files(since, until):
        if isinstance(file, Unreadable):
            skipped.note(f"unreadable: {file.why}", file.place)
            continue
        paths.append(file.path)
        players.choose(file.layout.stamp, file.layout.model)
        file.parquet.close()
    tallies, left = play_on_ray(log, paths, since, until, players.shipped(), players.only)
    for one in players.all():
        if one.digest in tallies:
            one.tally = tallies[one.digest]
    skipped.merge(left)
    return skipped


def _sum(tracer: Tracer, player: Player) -> Sum:
    from modelspec.report.replay import Sum
    from modelspec.runtimes.replay import doubts

    version = player.version
    unsure = () if tracer.loaded.isolated else doubts(version)
    return Sum(version.model, version.version, player.digest, version.tolerance or 0.0, player.tally, unsure)
