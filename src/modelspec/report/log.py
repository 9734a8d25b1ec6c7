"""What `log` prints: who changed which pin, when, and why."""

from __future__ import annotations

from collections.abc import Iterator

from modelspec.api.log import Logged
from modelspec.delta.events import Event
from modelspec.delta.message import pull_request, reviewers
from modelspec.delta.pins import PinChange
from modelspec.report.paint import Paint
from modelspec.report.words import stamp, version, why_data
from modelspec.tree.data import Data
from modelspec.tree.text import visible


def change_text(change: PinChange) -> str:
    """Return one change of a pin in a few words: `promote 2.3.0 -> 2.3.1`."""
    kind = change.kind
    if kind in ("first deployment", "removal"):
        return f"{kind} {version(change.now or change.was)}"
    if change.slot == "":
        return kind
    was, now = change.weights
    share = "" if now is None else f" {now}%" if was in (None, now) else f" {was}% -> {now}%"
    if kind == "canary step":
        return f"{kind} {version(change.now)}{share}"
    if kind == "canary stop":
        return f"{kind} {version(change.was)}"
    named = f" {visible(change.slot)}" if kind == "variants" else ""
    same = change.was == change.now
    moved = version(change.now) if same else f"{version(change.was)} -> {version(change.now)}"
    if change.was is None:
        moved = version(change.now)
    back = " (back)" if change.restores and kind != "restore" and not same and change.now is not None else ""
    return f"{kind}{named} {moved}{share}{back}"


def event_text(event: Event) -> str:
    """Return what happened to the pin, the most important first."""
    if event.untold:
        return f"can't be told: {event.untold}"
    return ", ".join(change_text(change) for change in event.changes) or "layout and comments only"


def log_text(logged: Logged, paint: Paint) -> str:
    """Return two or three lines an event."""
    if not logged.events:
        return "no change of a pin\n"
    return "".join(f"{line}\n" for event in logged.events for line in _lines(event, paint))


def _lines(event: Event, paint: Paint) -> Iterator[str]:
    commit = event.commit
    yield (
        f"{stamp(commit.time)}  {paint.bold(f'{event.environment}/{event.model}')}  "
        f"{visible(event_text(event), 300)}"
    )
    who = [f"{commit.short} by {visible(commit.author)}"]
    pull = pull_request(commit)
    who += [pull] if pull else []
    seen = reviewers(commit)
    who += [f"reviewed by {', '.join(visible(one) for one in seen)}"] if seen else []
    yield f"  {', '.join(who)}: {visible(commit.subject, 120)}"
    reason = event.now.reason if event.now is not None else None
    hold = event.now.hold if event.now is not None else None
    if reason is not None:
        yield f"  why: {_why(reason.text, reason.link)}"
    if hold is not None:
        yield f"  held: {_why(hold.text, hold.link)}"


def _why(text: str, link: str | None) -> str:
    return visible(text, 200) + (f" <{visible(link, 200)}>" if link else "")


def log_json(logged: Logged) -> Data:
    """Return the shape `modelspec/log/1`."""
    return {
        "format": "modelspec/log/1",
        "more": logged.more,
        "events": [event_data(event) for event in logged.events],
    }


def event_data(event: Event) -> Data:
    """Return one event as a map."""
    commit, now = event.commit, event.now
    return {
        "environment": event.environment,
        "model": event.model,
        "commit": commit.id,
        "time": stamp(commit.time),
        "author": {"name": commit.author, "email": commit.email},
        "subject": commit.subject,
        "body": commit.body,
        "pull_request": pull_request(commit),
        "reviewers": list(reviewers(commit)),
        "changes": [change_data(change) for change in event.changes],
        "untold": event.untold or None,
        "reason": why_data(now.reason) if now is not None else None,
        "hold": why_data(now.hold) if now is not None else None,
    }


def change_data(change: PinChange) -> Data:
    """Return one change of a pin as a map."""
    return {
        "kind": change.kind,
        "slot": change.slot or None,
        "was": change.was,
        "now": change.now,
        "weights": list(change.weights),
        "restores": change.restores,
    }
