"""`modelspec register`."""

from __future__ import annotations

import os
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modelspec.cli.bring import brought
from modelspec.cli.capture import Taken, capture
from modelspec.cli.given import require_one_story
from modelspec.cli.landing import Where, carry_out, chosen, landing_options, preparing
from modelspec.cli.moving import gone, moving_of, put, settle
from modelspec.cli.options import complete, format_option, model_names, root_option
from modelspec.cli.progress import progress_of
from modelspec.cli.register_options import register_options
from modelspec.cli.signing import signed, signing_of
from modelspec.cli.source import open_registry
from modelspec.tree.data import Data
from modelspec.tree.finding import Refusal
from modelspec.tree.text import plural, visible

if TYPE_CHECKING:
    from modelspec.api.lacking import Lack
    from modelspec.api.register import Captured
    from modelspec.change.proposal import Declined, Proposal
    from modelspec.spec.history import History
    from modelspec.spec.registry import Registry
    from modelspec.tree.protocols import Store, StoredTree
    from modelspec.world.stores.placed import PlacedTree


@click.command("register")
@click.argument("model", shell_complete=complete(model_names))
@click.argument("version", required=False)
@register_options
@landing_options
@format_option("text", "json")
@root_option
def register_command(
    model: str, version: str | None, commit: bool, branch: bool, push: bool, form: str, root: str | None,
    **given: Any,
) -> int:  # fmt: skip
    """Capture a version of MODEL from real files, store its bytes, and write its file.

    On a terminal it asks for what is missing; elsewhere, and with CI set, it lists all of that and does
    nothing. For a component that is lost, give the reason: --unknown dataset="Deleted in 2024". The format of
    the artifact is told by its bytes; nothing is loaded, unpickled or unpacked. Registering the same version
    again prints "already registered" and exits with 0.

    \b
    Examples:
      modelspec register eta 2.5.0 --artifact model.onnx --code train.py --lock uv.lock \\
        --image registry.example.com/serve/onnx@sha256:... --python 3.11 \\
        --dataset s3://lake/trips --snapshot 2026-11-01T00:00:00Z --feature trip_features@2 \\
        --params params.yaml --metric mae_minutes=2.1
      modelspec register eta --next --from-mlflow models:/eta/7 --feature trip_features@2 --commit --push
    """
    if (version is None) != given["following"]:
        raise click.UsageError("Name a version, or --next: one of the two.")
    require_one_story(given)
    where = chosen(commit, branch, push)
    signing = signing_of(given)
    asks = sys.stdin.isatty() and sys.stderr.isatty() and not os.environ.get("CI")
    with open_registry(root, None) as source:
        folder, registry = source.root, source.registry
        name, store, local = _store(folder, registry, given["store"])
        moved = moving_of(given, folder, store, local)
        if moved is not None and not os.path.lexists(moved):
            return _again(root, where, form, model, *gone(moved, store, registry, model, version))
        found = brought(given)
        if asks:
            from modelspec.cli.asking import line

            found.ask = line
        taken = capture(given, folder, name, local, found)
        taken.signing = signing
        captured = _complete(registry, _captured(model, version, given, taken), taken, asks)
        if captured is None:
            return 1
    return _store_and_write(root, store, captured, taken, where, form, moved)


def _again(
    root: str | None, where: Where, form: str, model: str, already: str, notes: tuple[str, ...]
) -> int:
    """Say that a version is registered already."""
    from modelspec.change.proposal import Proposal

    said = Proposal("register", "", f"register/{model}", already=(already,), notes=notes)
    return carry_out(root, "register", lambda registry, history: said, where, form)


def _store_and_write(
    root: str | None, store: Store, captured: Captured, taken: Taken, where: Where, form: str,
    moved: Path | None,
) -> int:  # fmt: skip
    """Store the artifact and what else was captured, then write the version's file; return the exit code."""
    from dataclasses import replace

    from modelspec.api.register import register

    parts, trees, notes = dict(captured.parts), list[str](), captured.notes
    given = "unknown" not in _map(parts.get("artifact"))
    originals, code = None, 1
    with _kept(store):
        try:
            if taken.artifact is not None and given:
                with progress_of("storing", taken.artifact.bytes) as progress, preparing():
                    tree, originals, more = put(store, taken.artifact.files, moved, progress)
                notes = (*notes, *more)
                taken.artifact.unchanged(linked=moved is not None)
                proof = {} if taken.signing is None else {"signature": signed(store, tree, taken.signing)}
                parts["artifact"] = _stored({**_map(parts["artifact"]), **proof}, tree)
                trees += [tree.digest, *(str(_map(one)["digest"]) for one in proof.values())]
            elif taken.placed is not None and given:
                parts["artifact"] = _placed(_map(parts["artifact"]), taken.placed)
            trees += [store.put([one]).digest for one in taken.extras]
            beside, note = _to_commit(root, store, trees, where)
            final = replace(captured, parts=parts, notes=(*notes, *((note,) if note else ())))

            def propose(registry: Registry, history: History) -> Proposal | Declined:
                return register(registry, final)

            code = carry_out(root, "register", propose, where, form, beside)
        finally:
            # Its old names go when all else is done, and not when anything fails.
            settle(originals, moved, code == 0)
    return code


def _to_commit(
    root: str | None, store: Store, trees: list[str], where: Where
) -> tuple[dict[str, Path], str | None]:
    """Return what a commit has to hold of a store that is a folder of the repository, or why it does not."""
    from modelspec.cli.where import root_of
    from modelspec.world.stores.committed import committed, to_commit
    from modelspec.world.stores.folder import FolderStore

    if not isinstance(store, FolderStore):
        return {}, None
    return (committed if where.commit or where.branch else to_commit)(root_of(root), store, trees)


def _stored(part: dict[str, Data], tree: StoredTree) -> dict[str, Data]:
    """Return the artifact with its digest and its files, in the order of the format."""
    files: list[Data] = [{"path": one.path, "size": one.size, "digest": one.digest} for one in tree.files]
    return _ordered({**part, "digest": tree.digest, "files": files})


def _placed(part: dict[str, Data], tree: PlacedTree) -> dict[str, Data]:
    """Return the artifact with its address, and the version of the object that each file is."""
    files: list[Data] = [
        {"path": one.path, "size": one.size, "digest": one.digest, "object": one.object}
        for one in tree.placed
    ]
    return _ordered({**part, "uri": tree.uri, "digest": tree.digest, "files": files})


def _ordered(whole: dict[str, Data]) -> dict[str, Data]:
    order = (
        "store",
        "uri",
        "digest",
        "format",
        "architecture",
        "precision",
        "unsafe",
        "files",
        "signature",
        "observed",
        "captured",
    )
    return {key: whole[key] for key in order if key in whole}


def _kept(store: Store) -> AbstractContextManager[None]:
    """Keep `gc` out until what refers to the trees is written."""
    writing = getattr(store, "writing", None)
    return writing() if writing is not None else nullcontext()


def _map(node: Data) -> dict[str, Data]:
    return node if isinstance(node, dict) else {}


def _store(root: Path, registry: Registry, wanted: str | None) -> tuple[str, Store, list[Path]]:
    """Return the store's name, the store, and the folders of this repository that are stores."""
    from modelspec.cli.options import unknown
    from modelspec.world.stores.opening import is_remote, open_store

    settings = registry.settings
    if settings is None:
        raise Refusal("modelspec.yaml can't be read", "`modelspec check` says why")
    stores = settings.stores
    if not stores:
        raise Refusal("modelspec.yaml names no store", "stores: {main: {path: store}}")
    name = wanted or next(iter(stores))
    if name not in stores:
        unknown("store", name, stores)
    folders = [root / one.path for one in stores.values() if one.path is not None]
    store = open_store(root, name, stores[name])
    if stores[name].path is not None and is_remote(store):
        missing = visible(stores[name].path or "", 200)
        click.echo(
            f"modelspec: the folder {missing} is not here: the bytes go to {store.shown} "
            "(make the folder to keep them here)",
            err=True,
        )
    return name, store, folders


def _captured(model: str, version: str | None, given: dict[str, Any], taken: Taken) -> Captured:
    import re

    from modelspec.api.register import Captured
    from modelspec.cli.given import pairs
    from modelspec.tree.paths import NAME, SEMVER

    if re.fullmatch(NAME, model) is None:
        raise click.UsageError(f"{visible(model)} is no name of a model.")
    if version is not None and re.fullmatch(SEMVER, version) is None:
        raise click.UsageError(f"{visible(version)} is no version: MAJOR.MINOR.PATCH.")
    inputs = {key: tuple(text.split(",")) for key, text in pairs(given["inputs"], "--input").items()}
    parent = given["parent"]
    return Captured(
        model,
        version,
        dict(taken.parts),
        given["feature"] or None,
        inputs,
        "" if parent == "none" else parent,
        tuple(taken.notes),
        tool=given["signature"] is None,
    )


def _complete(registry: Registry, captured: Captured, taken: Taken, asks: bool) -> Captured | None:
    """Return it with what was missing asked for; None when it stays incomplete, which is said."""
    from modelspec.api.register import crowded, missing
    from modelspec.change.proposal import Declined

    # What no answer mends would cost all of them.
    if asks and not taken.lacks:
        from modelspec.cli.asking import asked

        captured = asked(registry, captured)
    found = missing(registry, captured)
    if not isinstance(found, Declined):
        found = crowded(registry, _planned(captured, taken)) or found
    if isinstance(found, Declined):
        click.echo(f"{found.message}\n  fix: {found.fix}", err=True)
        _noted(taken)
        return None
    # The store's answer is not there yet; and what is no format's fault is said once.
    lacks = [*taken.lacks, *(str(one) for one in found if not _said(one, taken))]
    if not lacks:
        return captured
    click.echo(f"{captured.model} can't be registered yet, {plural(len(lacks), 'thing')} missing:", err=True)
    for lack in lacks:
        click.echo(f"  {lack}", err=True)
    click.echo('for a component that is lost for good: --unknown COMPONENT="why"', err=True)
    _noted(taken)
    return None


def _noted(taken: Taken) -> None:
    """Say what was found out on the way: it may be why something is missing."""
    for note in taken.notes:
        click.echo(f"  note: {visible(note, 300)}", err=True)


def _planned(captured: Captured, taken: Taken) -> Captured:
    """Return it with the files that are going to be stored, their digests left open."""
    from dataclasses import replace

    from modelspec.tree.digest import sha256
    from modelspec.tree.protocols import StoredFile, StoredTree

    part, open_ = _map(captured.parts.get("artifact")), sha256(b"")
    if taken.artifact is None or "unknown" in part:
        return captured
    files = zip(taken.artifact.files, taken.artifact.states, strict=True)
    tree = StoredTree(open_, tuple(StoredFile(file.path, state[0], open_) for file, state in files))
    return replace(captured, parts={**captured.parts, "artifact": _stored(part, tree)})


def _said(lack: Lack, taken: Taken) -> bool:
    return lack.component == "artifact" and bool(taken.lacks)
