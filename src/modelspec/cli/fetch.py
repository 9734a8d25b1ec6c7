"""`modelspec fetch`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from modelspec.cli.options import (
    complete,
    format_option,
    require_model,
    root_option,
    unknown,
    version_names,
)
from modelspec.cli.progress import progress_of
from modelspec.tree.finding import Refusal
from modelspec.tree.text import visible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelspec.tree.protocols import Store

_ADDRESS: Final = re.compile(r"(.+)/sha256-([0-9a-f]{64})")


@click.command("fetch")
@click.argument("name", metavar="MODEL@VERSION|URI", shell_complete=complete(version_names))
@click.argument("target", metavar="DIR", type=click.Path(path_type=Path))
@format_option("text", "json")
@root_option
def fetch_command(name: str, target: Path, form: str, root: str | None) -> int:
    """Write a version's artifact to DIR, each byte verified on the way.

    DIR appears in one step: when it exists, it is complete. If it holds the artifact already, that is
    verified and left; if it holds anything else, nothing is done.

    An init container has no registry: name the tree itself, as compiled configs do. Its digest is in the
    address, so the store need not be trusted.

    \b
    Examples:
      modelspec fetch eta@2.3.1 /models/eta
      modelspec fetch s3://example-models/store/sha256-... /models/eta
    """
    import json

    from modelspec.report.stores import fetch_json, fetch_text
    from modelspec.world.stores.fetch import fetch_tree

    store, digest, sizes = _addressed(name) if "://" in name else _registered(name, root)
    with progress_of("fetching", sum(sizes.values()) if sizes is not None else None) as progress:
        done = fetch_tree(store, digest, target, progress, sizes, resumable=True)
    text = (
        fetch_text(name, digest, str(target), done.files, done.already)
        if form == "text"
        else json.dumps(fetch_json(name, digest, str(target), done.files, done.already), indent=2) + "\n"
    )
    click.echo(text, nl=False)
    return 0


def _addressed(uri: str) -> tuple[Store, str, Mapping[str, int] | None]:
    from modelspec.world.stores.opening import remote_store

    match = _ADDRESS.fullmatch(uri)
    if match is None:
        # It may hold a password: it is not repeated.
        raise click.UsageError("The address of a tree ends in /sha256-<64 hex digits>.")
    return remote_store(match[1]), f"sha256:{match[2]}", None


def _registered(name: str, root: str | None) -> tuple[Store, str, Mapping[str, int] | None]:
    from modelspec.cli.source import open_registry
    from modelspec.spec.kinds import VERSION
    from modelspec.world.stores.opening import open_store

    model, at, version = name.partition("@")
    with open_registry(root, None) as source:
        registry = source.registry
        require_model(registry, model)
        versions = [one[1] for one in registry.names(VERSION, model)]
        if not at:
            raise click.UsageError(f"Name the version: {model}@{versions[-1] if versions else '1.0.0'}.")
        if version not in versions:
            unknown(f"version of {model}", version, versions)
        entry = registry.value(VERSION, model, version)
        if entry is None:
            raise Refusal(f"{visible(name)} can't be read", "`modelspec check` says why")
        artifact, settings = entry.value.artifact, registry.settings
        if artifact is not None and artifact.digest is not None and artifact.uri is not None:
            from modelspec.api.claims import placed_files
            from modelspec.world.stores.placed import placed_tree

            files = placed_files(artifact)
            return placed_tree(artifact.uri, files), artifact.digest, {file.path: file.size for file in files}
        if artifact is None or artifact.digest is None or artifact.store is None:
            raise Refusal(
                f"the artifact of {name} is not known: there is nothing to fetch",
                f"`modelspec show {name}` says why",
            )
        if settings is None or artifact.store not in settings.stores:
            raise Refusal(
                f"{name} is in the store {artifact.store}, which modelspec.yaml does not have",
                "name it there, under `stores`",
            )
        store = open_store(source.root, artifact.store, settings.stores[artifact.store])
        return store, artifact.digest, {file.path: file.size for file in artifact.files}
