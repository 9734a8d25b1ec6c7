"""docs/compatibility.md: its tables are made from the rows, the prose around them is written by hand.

A table stands between `<!-- made: NAME -->` and `<!-- end -->`; what is between is replaced.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from modelspec.compat.rows import TABLE
from modelspec.compat.table import PARTS, PEERS, Bump, Group, Row

GROUPS: Final[tuple[Group, ...]] = ("structure", "value", "media", "signature", "runtime")
_REGION: Final = re.compile(r"(<!-- made: ([a-z]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_BUMPS: Final = {Bump.MAJOR: "**M**", Bump.MINOR: "m", Bump.PATCH: "p"}


def page(text: str) -> str:
    """Return the page with its tables as the rows say them now; KeyError for a name that no table has."""
    made = {group: "\n".join(_table(group)) for group in GROUPS} | {
        "parts": "\n".join(f"{number}. {part}" for number, part in enumerate(PARTS, 1)),
        "peers": "\n".join(_peers()),
    }
    return _REGION.sub(lambda match: f"{match[1]}{made[match[2]]}\n{match[3]}", text)


def regions(text: str) -> list[str]:
    """Return the names of the tables on a page, in order."""
    return [match[2] for match in _REGION.finditer(text)]


def _table(group: Group) -> Iterator[str]:
    one = group == "runtime"
    yield f"| change | {'verdict' if one else 'out | back'} | bump | why | peers |"
    yield f"|---|---|{'' if one else '---|'}---|---|---|"
    for row in TABLE.values():
        if row.group == group:
            says = row.out.name if one else f"{row.out.name} | {row.back.name}"
            yield f"| {row.change} | {says} | {_BUMPS[row.bump]} | {_why(row)} | {_named(row)} |"


def _why(row: Row) -> str:
    conditions = [
        f"{'Both' if one.column == 'both' else f'*{one.column}*'}: {one.verdict.name} if {one.when}."
        for one in row.unless
    ]
    return " ".join((row.why, *conditions))


def _named(row: Row) -> str:
    return " ".join((*row.follows, *(f"≠{peer}" for peer in row.departs)))


def _peers() -> Iterator[str]:
    yield "| | peer | we follow it in | we depart from it in |"
    yield "|---|---|--:|--:|"
    for code, name in PEERS.items():
        follows = sum(code in row.follows for row in TABLE.values())
        departs = sum(code in row.departs for row in TABLE.values())
        yield f"| {code} | {name} | {_rows(follows)} | {_rows(departs)} |"


def _rows(number: int) -> str:
    return "" if not number else "1 row" if number == 1 else f"{number} rows"
