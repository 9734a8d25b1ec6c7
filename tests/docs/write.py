"""Writes what pages say of the code, where the code can say it: `make pages`.

The rules, the keys of the formats, the rules in the changelog, the finding of the README, and what the commands
of the tutorial and of the page on digests print.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from docs.codes import listed
from docs.finding import shown
from docs.keys import written
from docs.pages import ROOT
from docs.session import rewritten
from modelspec.api.catalogue import CATALOGUE
from modelspec.rules.manual import manual

PAGES: dict[str, Callable[[Path, Path], str]] = {
    "docs/rules.md": lambda page, scratch: manual(CATALOGUE),
    "docs/formats.md": lambda page, scratch: written(page.read_text()),
    "CHANGELOG.md": lambda page, scratch: listed(page.read_text()),
    "README.md": lambda page, scratch: shown(page.read_text(), scratch),
    "docs/tutorial.md": rewritten,
    "docs/digests.md": rewritten,
}

if __name__ == "__main__":
    for name, made in PAGES.items():
        page = ROOT / name
        with tempfile.TemporaryDirectory() as folder:
            text = made(page, Path(folder))
        if text != page.read_text():
            page.write_text(text)
            print(f"written  {name}")
