"""What `blame` prints: each line of a serving config with what it comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest

from modelspec.change.blame import BlamedLine, Origin
from modelspec.delta.message import pull_request
from modelspec.report.paint import Paint
from modelspec.report.words import stamp
from modelspec.spec.history import Commit
from modelspec.tree.data import Data
from modelspec.tree.place import pointer
from modelspec.tree.text import visible

Commits = Mapping[Origin, Commit | None]
"""The commit that each origin's line comes from; None where its history does not reach."""


def blame_text(lines: Sequence[BlamedLine], commits: Commits, paint: Paint) -> str:
    """Return a row a line: commit, day, author, pull request, file and line, and the line itself.

    What chose a value (the pin that names the version) follows below it.
    """
    rows = []
    for number, line in enumerate(lines, 1):
        shown = f"{number:>4}  {visible(line.text, 200)}"
        for origin, text in zip_longest(line.origins, [shown], fillvalue=None):
            rows.append((_who(origin, commits), text or "      + also"))
    width = max((len(who) for who, _ in rows), default=0)
    return "".join(f"{paint.dim(who.ljust(width))}  {text}".rstrip() + "\n" for who, text in rows)


def _who(origin: Origin | None, commits: Commits) -> str:
    assert origin is not None
    where = f"{visible(origin.path, 200)}:{origin.line}"
    commit = commits.get(origin)
    if commit is None:
        return f"{'not committed':<23}  {where}"
    pull = pull_request(commit)
    who = f"{visible(commit.author, 20)}{f' {pull}' if pull else ''}"
    return f"{commit.short} {stamp(commit.time)[:10]}  {who}  {where}"


def blame_data(path: str, tip: str, lines: Sequence[BlamedLine], commits: Commits) -> Data:
    """Return the shape `modelspec/blame/1`."""
    return {
        "format": "modelspec/blame/1",
        "path": path,
        "ref": tip,
        "lines": [
            {
                "line": number,
                "text": line.text,
                "origins": [_origin(origin, commits.get(origin)) for origin in line.origins],
            }
            for number, line in enumerate(lines, 1)
        ],
    }


def _origin(origin: Origin, commit: Commit | None) -> Data:
    return {
        "path": origin.path,
        "line": origin.line,
        "route": pointer(origin.route) or None,
        "commit": None
        if commit is None
        else {
            "id": commit.id,
            "time": stamp(commit.time),
            "author": {"name": commit.author, "email": commit.email},
            "subject": commit.subject,
            "pull_request": pull_request(commit),
        },
    }
