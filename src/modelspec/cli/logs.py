"""Opens request logs, and finds what they say of one request."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from modelspec.cli.options import Command, InstantType
from modelspec.cli.records import FORMATS
from modelspec.tree.record import Record, RecordSource, Unreadable
from modelspec.tree.text import plural, visible

if TYPE_CHECKING:
    from modelspec.tree.requestlog import Layout

MOST = 100
"""Different requests with one id: a client that counts from 1, or sends no id, may have one for all."""
MOST_UNREAD = 10_000
LOG_VARIABLE = "MODELSPEC_LOG"
"""Where the log is when no `--log` says so: a matter of the machine, not of the registry."""


def log_option(command: Command) -> Command:
    """Add `--log PATH` and `--log-format FORMAT`."""
    told = click.option(
        "--log-format", metavar="FORMAT", type=click.Choice(FORMATS),
        help="Read the log as this; default: what its content tells.",
    )  # fmt: skip
    return click.option(
        "--log", "log", metavar="PATH", required=True, envvar=LOG_VARIABLE,
        help=f"The request log: a file, a folder, a glob or a URL; default: ${LOG_VARIABLE}.",
    )(told(command))  # fmt: skip


def around_option(command: Command) -> Command:
    """Add `--around TIME`."""
    return click.option(
        "--around", metavar="TIME", type=InstantType(),
        help="About when the request was, where its id does not tell.",
    )(command)  # fmt: skip


def window_options(command: Command) -> Command:
    """Add `--from TIME` and `--until TIME`."""
    until = click.option("--until", metavar="TIME", type=InstantType(), help="Only up to this instant.")
    since = click.option("--from", "since", metavar="TIME", type=InstantType(), help="Only from this on.")
    return since(until(command))


def ordered(since: datetime | None, until: datetime | None) -> None:
    """Stop when a window ends before it begins."""
    if since is not None and until is not None and since > until:
        raise click.UsageError("--from is after --until: nothing is in that window.")


@contextmanager
def scanning() -> Iterator[Callable[[int], object]]:
    """Say on a terminal how many files a scan is done with."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        click.echo(f"\rlooked into {done:,} files", nl=False, err=True)

    yield advance
    if done:
        click.echo(err=True)


def say_more(looked: Looked, request: str) -> None:
    """Say on stderr that not every record with an id was taken."""
    if looked.more:
        click.echo(
            f"modelspec: {plural(looked.more, 'more record')} with the id {visible(request)} left out\n"
            "  fix: name the time of the one that is meant: --around TIME",
            err=True,
        )


@dataclass(frozen=True, slots=True)
class Looked:
    """What a log says of one id: the requests, each with how often it is there; and what is unreadable.

    `more` is how many records have this id beside those: nobody reads a thousand of them.
    """

    records: tuple[tuple[Record, int], ...]
    unreadable: tuple[Unreadable, ...]
    more: int = 0


def looked_up(source: RecordSource, request: str, around: datetime | None) -> Looked:
    """Return every request with an id, the first of many; what was logged twice, word by word, is one."""
    found: dict[Record, tuple[Record, int]] = {}
    # What is looked into twice, near the id's time and then everywhere, is unreadable once.
    bad: dict[Unreadable, None] = {}
    more = unread = 0
    for one in source.find(request, around):
        if isinstance(one, Unreadable):
            if len(bad) < MOST_UNREAD:
                bad[one] = None
            unread += one not in bad
            continue
        whole = _whole(one)
        if whole in found or len(found) < MOST:
            first, count = found.get(whole, (one, 0))
            found[whole] = first, count + 1
        else:
            more += 1
    last = (
        (Unreadable("and more", f"{plural(unread, 'place')} beside these can't be read"),) if unread else ()
    )
    return Looked(tuple(found.values()), (*bad, *last), more)


def _whole(record: Record) -> Record:
    """Return a record without its place, with values that can be compared: NaN as a word."""

    def number(value: Any) -> Any:
        return "nan" if value != value else value

    def plain(values: Any) -> Any:
        return tuple(replace(one, data=tuple(map(number, one.data))) for one in values)

    return replace(record, place="", inputs=plain(record.inputs), outputs=plain(record.outputs))


def by_column(
    source: RecordSource, since: datetime | None, until: datetime | None,
    model: str | None = None, environment: str | None = None,
) -> Iterator[tuple[Layout, Any, str] | Unreadable] | None:  # fmt: skip
    """Return a log's Arrow batches with their layouts, where it is our own Parquet; else None."""
    from modelspec.world.records.own import OwnRecords

    if not isinstance(source, OwnRecords):
        return None
    return _batches(source.batches(since, until, model, environment))


def _batches(found: Iterable[Any]) -> Iterator[tuple[Layout, Any, str] | Unreadable]:
    for one in found:
        if isinstance(one, Unreadable):
            yield one
        else:
            file, batch = one
            yield file.layout, batch, file.path
