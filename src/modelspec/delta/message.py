"""What a commit message says beside its words: the pull request it came from, and who reviewed it."""

from __future__ import annotations

import re
from typing import Final

from modelspec.spec.history import Commit

_TRAILER: Final = re.compile(r"([A-Za-z][A-Za-z0-9-]*): *(\S.*)")
_REVIEWED: Final = frozenset({"reviewed-by", "approved-by", "acked-by"})
_PULL: Final = frozenset({"pull-request", "merge-request", "pr"})
_SQUASHED: Final = re.compile(r"\((#|!)([0-9]{1,9})\)$")
_MERGED: Final = re.compile(r"Merge pull request (#)([0-9]{1,9}) ")
_GITLAB: Final = re.compile(r"^See merge request (?:\S*)(!)([0-9]{1,9})$", re.MULTILINE)
_NUMBER: Final = re.compile(r"(?:^|[/\s])([#!]?)([0-9]{1,9})$")


def trailers(body: str) -> list[tuple[str, str]]:
    """Return the (key, value) lines that end a message; none when its last paragraph holds anything else."""
    last = body.strip("\n").rpartition("\n\n")[2].split("\n")
    found = [_TRAILER.fullmatch(line) for line in last]
    return [(match[1], match[2]) for match in found if match is not None] if all(found) else []


def pull_request(commit: Commit) -> str | None:
    """Return the number of the pull request as people write it, `#12` (GitLab: `!12`), or None."""
    for key, value in trailers(commit.body):
        match = _NUMBER.search(value.rstrip("/ ")) if key.lower() in _PULL else None
        if match is not None:
            return f"{match[1] or '#'}{match[2]}"
    for pattern, text in ((_SQUASHED, commit.subject), (_MERGED, commit.subject), (_GITLAB, commit.body)):
        match = pattern.search(text)
        if match is not None:
            return match[1] + match[2]
    return None


def reviewers(commit: Commit) -> tuple[str, ...]:
    """Return who reviewed, approved or acknowledged a commit, by its trailers, each once."""
    found = [value for key, value in trailers(commit.body) if key.lower() in _REVIEWED]
    return tuple(dict.fromkeys(re.sub(r"\s*<[^<>]*>$", "", one) or one for one in found))
