"""Reads Markdown as tests need it: its fenced blocks and its links."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_CODE = re.compile(r"`[^`\n]*`")


@dataclass(frozen=True)
class Block:
    """A fenced block: its info string, its text, and the line that its fence stands on."""

    info: str
    text: str
    line: int


def blocks(path: Path) -> list[Block]:
    """Return the fenced blocks of a file, in order."""
    found: list[Block] = []
    inside: list[str] | None = None
    info, start = "", 0
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.startswith("```"):
            if inside is not None:
                inside.append(line)
        elif inside is None:
            inside, info, start = [], line[3:].strip(), number
        else:
            found.append(Block(info, "".join(f"{one}\n" for one in inside), start))
            inside = None
    assert inside is None, f"{path}:{start}: this fence is never closed"
    return found


def prose(path: Path) -> str:
    """Return a file without its fenced blocks."""
    parts, fenced = [], False
    for line in path.read_text().splitlines():
        if line.startswith("```"):
            fenced = not fenced
        elif not fenced:
            parts.append(line)
    return "\n".join(parts)


def links(path: Path) -> list[str]:
    """Return where the links of a file point to."""
    return _LINK.findall(_CODE.sub("", prose(path)))


def anchors(path: Path) -> set[str]:
    """Return the anchors of the headings of a file, as forges make them."""
    headings = [line.lstrip("#").strip() for line in prose(path).splitlines() if re.match("#+ ", line)]
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def pages() -> list[Path]:
    """Return every page of the project: what stands at the top, docs/, and what .github holds."""
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / ".github").rglob("*.md")]
    return sorted(found)
