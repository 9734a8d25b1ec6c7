"""`modelspec gc`."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from modelspec.cli.options import format_option, root_option, unknown
from modelspec.cli.source import Source, open_registry
from modelspec.tree.finding import Refusal


@click.command("gc")
@click.option(
    "--store",
    "name",
    metavar="NAME",
    help="Only this store, which may be remote; default: every store that is a folder.",
)
@click.option("--delete", is_flag=True, help="Remove what is printed; without it nothing is changed.")
@click.option("--grace", metavar="HOURS", type=click.IntRange(1, 876_000), default=72, show_default=True,
              help="Keep what was stored, or stored again, in the last HOURS.")  # fmt: skip
@format_option("text", "json")
@root_option
def gc_command(name: str | None, delete: bool, grace: int, form: str, root: str | None) -> int:
    """Find the artifacts that nothing needs, and remove them with --delete.

    A tree is needed if it belongs to a version that any branch, tag, stash or work tree pins, or has the file
    of (unless it is retired there); or to one that was pinned, published or, by receipts, served within the
    retention or the longest window. For a folder, gc refuses to run while something is being stored or
    registered. A remote store has no lock: there, --grace has to be longer than a register takes.

    \b
    Examples:
      modelspec gc
      modelspec gc --delete --grace 168
      modelspec gc --store main --delete
    """
    from modelspec.report.stores import gc_json, gc_text
    from modelspec.world.stores.collect import collect
    from modelspec.world.stores.folder import FolderStore
    from modelspec.world.stores.marks import marks
    from modelspec.world.stores.sweep import collect_dated

    with open_registry(root, None) as source:
        swept = [
            (collect if isinstance(store, FolderStore) else collect_dated)(
                store, lambda: marks(source.root, source.registry, source.instant),
                now=source.instant, grace=timedelta(hours=grace), delete=delete,
            )
            for store in _stores(source, name)
        ]  # fmt: skip
    click.echo(
        gc_text(swept, delete) if form == "text" else json.dumps(gc_json(swept, delete), indent=2) + "\n",
        nl=False,
    )
    return 0


def _stores(source: Source, name: str | None) -> list[Any]:
    from modelspec.world.stores.folder import FolderStore
    from modelspec.world.stores.opening import open_store

    settings = source.registry.settings
    if settings is None:
        raise Refusal("modelspec.yaml can't be read", "`modelspec check` says why")
    known = settings.stores
    if name is not None and name not in known:
        unknown("store", name, known)
    found: list[Any] = []
    for one, where in sorted(known.items()):
        if name not in (None, one) or (name is None and where.path is None):
            continue
        store = open_store(Path(source.root), one, where)
        if isinstance(store, FolderStore):
            if store.root.is_dir():
                found.append(store)
            elif name is not None:
                raise Refusal(
                    f"the store {one} is not here: {store.shown} is no folder",
                    "see its `path` in modelspec.yaml",
                )
        elif name is not None:
            # Named, and so meant: nothing else goes over a network.
            found.append(store)
    return found
