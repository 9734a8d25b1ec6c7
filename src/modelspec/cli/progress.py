"""A progress bar, where a person looks at it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from modelspec.tree.protocols import Progress


@contextmanager
def progress_of(what: str, total: int | None) -> Iterator[Progress]:
    """Show how many bytes of `total` are done, on stderr; nothing when that is no terminal."""
    if total is None or not sys.stderr.isatty():
        yield lambda _: None
        return
    import click

    one = threading.Lock()
    with click.progressbar(length=max(total, 1), label=what, file=sys.stderr) as bar:

        def advance(count: int) -> None:
            with one:
                bar.update(count)

        yield advance
