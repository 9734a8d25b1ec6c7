"""What forges know a finding by, from one commit to the next."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator

from modelspec.tree.digest import sha256
from modelspec.tree.finding import Finding
from modelspec.tree.place import pointer


def fingerprinted(findings: Iterable[Finding]) -> Iterator[tuple[Finding, str]]:
    """Yield each finding with the digest of its identity: 64 hex digits, never the line, never twice.

    Two findings of one identity are told apart by their number, in the order of the report.
    """
    seen: Counter[str] = Counter()
    for finding in findings:
        code, path, route, value = finding.identity
        text = json.dumps([code, path, pointer(route), value])
        seen[text] += 1
        again = f"#{seen[text]}" if seen[text] > 1 else ""
        yield finding, sha256((text + again).encode()).removeprefix("sha256:")
