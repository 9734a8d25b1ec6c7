"""Holds the signature that a version records against its files, and who signed against who is trusted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from modelspec.tree.finding import Refusal
from modelspec.tree.text import visible

if TYPE_CHECKING:
    from modelspec.api.claims import Outcome
    from modelspec.api.verify import Row
    from modelspec.cli.source import Source
    from modelspec.spec.model import Artifact
    from modelspec.spec.registry import Registry
    from modelspec.spec.trust import Signer
    from modelspec.tree.protocols import Store


def with_signatures(
    source: Source, rows: Iterable[Row], root: str | None, base: str | None, network: bool
) -> tuple[Row, ...]:
    """Return the rows with what became of each signature, and with what gates demand and did not get.

    Signers and gates are read from `base` where there is one, gates from the work tree as well.
    """
    from modelspec.api.verify import pinned
    from modelspec.cli.source import open_registry
    from modelspec.spec.trust import trusted_as

    found: list[Row] = []
    serving = pinned(source.registry)
    with ExitStack() as stack:
        trust = source.registry
        if base is not None:
            trust = stack.enter_context(open_registry(root, base)).registry
        signers: Mapping[str, Signer] = trust.settings.signers if trust.settings is not None else {}
        for row in rows:
            artifact = _artifact(source.registry, row)
            signature = artifact.signature if artifact is not None else None
            told = _outcome(source, row, artifact, signers, network)
            unmet = []
            for environment in sorted(serving.get((row.model, row.version), ())):
                for names in _demanded((trust, source.registry), environment):
                    if (
                        told is not None
                        and told.level == "verified"
                        and trusted_as(signature, signers, names)
                    ):
                        continue
                    why = told.note if told is not None else "it is not signed"
                    unmet.append(f"{environment} demands a signature by {' or '.join(names)}: {why}")
            found.append(_with(row, told, unmet))
    return tuple(found)


def _with(row: Row, told: Outcome | None, unmet: list[str]) -> Row:
    from modelspec.api.verify import SIGNER, Held

    held = row.held if told is None else (*row.held, Held("artifact", SIGNER, told))
    levels = {**row.levels, "artifact": "recorded"} if told is not None and told.wrong else row.levels
    return replace(row, held=held, levels=levels, unmet=(*row.unmet, *unmet))


def _artifact(registry: Registry, row: Row) -> Artifact | None:
    from modelspec.spec.kinds import VERSION

    entry = registry.value(VERSION, row.model, row.version)
    return entry.value.artifact if entry is not None else None


def _demanded(registries: Iterable[Registry], environment: str) -> list[tuple[str, ...]]:
    from modelspec.spec.kinds import ENVIRONMENT

    entries = [registry.value(ENVIRONMENT, environment) for registry in registries]
    asked = [entry.value.gates.signature for entry in entries if entry is not None]
    return [names for names in dict.fromkeys(asked) if names]


def _outcome(
    source: Source, row: Row, artifact: Artifact | None, signers: Mapping[str, Signer], network: bool
) -> Outcome | None:
    """Return what became of a version's signature; None when it records none."""
    from modelspec.api.claims import Outcome
    from modelspec.spec.trust import signer_text, trusted_as

    if artifact is None or artifact.signature is None:
        return None
    tree = next((held.outcome for held in row.held if held.what == "signature"), None)
    if tree is None or tree.level != "verified":
        return Outcome("recorded", f"its bundle is not verified: {tree.note if tree else 'no store'}")
    try:
        trouble = _trouble(source, artifact, network)
    except Refusal as refusal:
        return Outcome("recorded", f"its signature was not asked: {refusal.message}")
    if trouble is not None:
        return Outcome("recorded", f"its signature {trouble}", wrong=True)
    name = trusted_as(artifact.signature, signers, signers)
    known = f", which is {name}" if name is not None else ", whom this registry does not know"
    return Outcome("verified", f"signed by {signer_text(artifact.signature)}{known}")


def _trouble(source: Source, artifact: Artifact, network: bool) -> str | None:
    from modelspec.formats.bundle import read_bundle, uncovered
    from modelspec.formats.foreign import Unreadable
    from modelspec.tree.digest import artifact_digest
    from modelspec.world.signing import EXTRA, available, unproven
    from modelspec.world.stores.opening import open_store

    signature, settings = artifact.signature, source.registry.settings
    files = [(one.path, one.digest) for one in artifact.files]
    if signature is None or settings is None or artifact.store not in settings.stores:
        return None
    if not files or artifact_digest(files) != artifact.digest:
        return "can't be held against files that are not those of the artifact's digest"
    data = _bytes(
        open_store(source.root, artifact.store or "", settings.stores[artifact.store or ""]), signature.digest
    )
    if isinstance(data, str):
        return data
    try:
        bundle = read_bundle(data)
    except Unreadable as error:
        return f"can't be read: {visible(error.message, 200)}"
    wrong = uncovered(bundle, files)
    if wrong:
        more = f" (and {len(wrong) - 3} more)" if len(wrong) > 3 else ""
        return "; ".join(wrong[:3]) + more
    if not available():
        raise Refusal(f"the package model-signing is not installed ({EXTRA})")
    if signature.method == "sigstore" and not network:
        raise Refusal("sigstore's roots come from the network (--network)")
    return unproven(data, bundle.certificates, files, signature)


def _bytes(store: Store, tree: str) -> bytes | str:
    """Return the bundle, or why there is none: a tree of one file that is not too large."""
    from modelspec.formats.bundle import MOST
    from modelspec.world.stores.verified import rows_of, verified

    sizes, rows = store.files(tree), rows_of(store, tree)
    if rows is None or len(rows) != 1 or len(sizes) != 1:
        return "is to be a tree of one file"
    data = bytearray()
    # Not by its size: behind a pointer there are other bytes than that is of.
    for chunk in verified(store, tree, *rows[0]):
        data += chunk
        if len(data) > MOST:
            return f"has more than {MOST:,} bytes"
    return bytes(data)
